"""Where the vault's files lie below the data directory.

data/keys/vault.root            the root key, unless `server.vault_root` names another
data/vault/owner.lock           held by the process that writes the vault
data/vault/gN/generation        the wrapped keys of generation N
data/vault/gN/vault.lmdb/       the rows, sealed under them
data/vault/.gN.new/             a generation that a rotation is making, or was
data/.vault.new/                a vault that is being made or restored, or was

The generation with the highest number counts: it gets its name once it is whole.  One
with a lower number is what a rotation did not come to destroy.
"""

from __future__ import annotations

import re
from pathlib import Path

GENERATION = "generation"
"""Name of the file of a generation's keys."""

ROWS = "vault.lmdb"
"""Name of the directory of a generation's rows."""

_NUMBER = re.compile(r"g([1-9][0-9]{0,8})", re.ASCII)
_FRESH = re.compile(r"\.g[1-9][0-9]{0,8}\.new", re.ASCII)


def vault_directory(data: Path) -> Path:
    """Where the vault of a data directory is."""
    return data / "vault"


def root_path(data: Path, configured: Path | None) -> Path:
    """Where the root key is: where the configuration says, or below `data`."""
    return data / "keys" / "vault.root" if configured is None else configured


def staging_directory(vault: Path) -> Path:
    """Where a vault is made before it gets its name."""
    return vault.with_name(f".{vault.name}.new")


def lock_path(vault: Path) -> Path:
    """The file that the owning process holds."""
    return vault / "owner.lock"


def generation_directory(vault: Path, number: int) -> Path:
    """Where a generation is."""
    return vault / f"g{number}"


def fresh_directory(vault: Path, number: int) -> Path:
    """Where a rotation makes a generation before it gets its name."""
    return vault / f".g{number}.new"


def generation_numbers(vault: Path) -> list[int]:
    """List the generations that are there, ascending. Raises OSError."""
    found = (_NUMBER.fullmatch(item.name) for item in vault.iterdir())
    return sorted(int(match[1]) for match in found if match)


def unfinished(vault: Path) -> list[Path]:
    """List what rotations that did not end have left. Raises OSError."""
    return [item for item in vault.iterdir() if _FRESH.fullmatch(item.name)]
