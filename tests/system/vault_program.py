"""A program that owns a vault and makes keys, for tests that watch or kill it.

    python -m tests.system.vault_program DATA TURNS THREADS

Without threads it reads the vault, and holds its transaction until it is killed.
Each thread makes keys in batches of many sizes, with one that is there already, and
tells of each key, once it was given, with a digest of its secrets.
"""

from __future__ import annotations

import sys
import threading
from hashlib import sha256
from pathlib import Path

from tallystick_server.errors import StoreError
from tallystick_server.vault.base import VaultKey
from tallystick_server.vault.lmdb import LmdbVault
from tallystick_server.vault.opening import open_vault
from tallystick_server.vault.root import FileRoot

SIZES = (1, 1, 7, 40)
"""Keys in a batch, in turn."""


def told_of(name: bytes, key: VaultKey) -> str:
    """The line about a key."""
    digest = sha256(key.kid + key.dek + key.secret).hexdigest()
    return f"{name.decode()} {digest}"


def root_of(data: Path) -> FileRoot:
    """The root key of a data directory."""
    return FileRoot(data / "keys" / "vault.root")


def names_of(thread: int, turn: int) -> list[bytes]:
    """The names of one batch; the first one is everybody's."""
    own = [b"%d-%d-%d" % (thread, turn, at) for at in range(SIZES[turn % len(SIZES)])]
    return [b"everybody", *own]


def work(vault: LmdbVault, thread: int, turns: int) -> None:
    """Make keys, and tell."""
    for turn in range(turns):
        made = vault.ensure(names_of(thread, turn))
        lines = [told_of(name, key) for name, key in made.items()]
        sys.stdout.write("\n".join(lines) + "\n")
        sys.stdout.flush()


def read(data: Path) -> None:
    """Begin a read transaction and keep it until killed."""
    vault = open_vault(data / "vault", root_of(data), read_only=True)
    with vault._map.reading():
        sys.stdout.write("reading\n")
        sys.stdout.flush()
        sys.stdin.read()


def main(data: Path, turns: int, threads: int) -> None:
    """Own the vault until all is made; end as a server does, with 5, on an error."""
    try:
        if not threads:
            read(data)
        vault = open_vault(data / "vault", root_of(data))
        if threads == 1:
            work(vault, 0, turns)
        else:
            workers = [
                threading.Thread(target=work, args=(vault, number, turns))
                for number in range(threads)
            ]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()
        vault.close()
    except StoreError as error:
        sys.stderr.write(f"tallystick vault program: {error}\n")
        sys.exit(5)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
