"""`tallystick key`: make a signing key, and show the public half of one.

JSON of both: {"name", "type", "vkey", "file"}.
"""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from tallystick_client.cli.console import Shell, shell_of
from tallystick_client.errors import StateError, UsageError
from tallystick_client.files import read_given, sync_directory
from tallystick_merkle.errors import MalformedError
from tallystick_merkle.keys import (
    MAX_VKEY,
    SEED_SIZE,
    KeyType,
    SigningKey,
    format_skey,
    format_vkey,
    make_signing_key,
    parse_skey,
)

app = typer.Typer(no_args_is_help=True, help="Signing keys of logs and witnesses.")


class Kind(StrEnum):
    """The types of key, as people write them."""

    ED25519 = "ed25519"
    COSIGNATURE = "cosignature"
    MLDSA44 = "mldsa44"


_TYPES = {
    Kind.ED25519: KeyType.ED25519,
    Kind.COSIGNATURE: KeyType.COSIGNATURE,
    Kind.MLDSA44: KeyType.MLDSA44,
}


@app.command()
def generate(
    context: typer.Context,
    name: Annotated[
        str, typer.Argument(help="What the key signs as: an origin or a witness name.")
    ],
    out: Annotated[
        Path,
        typer.Option(
            metavar="FILE", help="Where to write the secret; never overwritten."
        ),
    ],
    kind: Annotated[
        Kind,
        typer.Option(
            "--type",
            help="ed25519 signs a log's heads and recovers a log; cosignature and "
            "mldsa44 (post-quantum) cosign as a witness.",
        ),
    ] = Kind.ED25519,
) -> None:
    """Make a key: the secret goes to a file that only you can read (mode 0600)."""
    try:
        key = make_signing_key(name=name, type=_TYPES[kind], seed=os.urandom(SEED_SIZE))
    except MalformedError as error:
        raise UsageError(str(error)) from error
    write_secret(out, format_skey(key).encode() + b"\n")
    _show(shell_of(context), key, out)


@app.command()
def show(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A secret key file.")],
) -> None:
    """Show the public half (vkey) of a secret key file."""
    data = read_given(file, limit=MAX_VKEY, what="key file")
    try:
        key = parse_skey(data.decode().removesuffix("\n"))
    except (MalformedError, UnicodeDecodeError) as error:
        # The cause is not shown: nothing of a secret file is ever repeated.
        raise UsageError(f"{file} does not hold a secret key") from error
    _show(shell_of(context), key, file)


def write_secret(path: Path, data: bytes) -> None:
    """Write a new file of mode 0600 durably; raise rather than overwrite."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        handle = os.open(path, flags, 0o600)
    except FileExistsError as error:
        raise UsageError(f"{path} exists already, and a key is not replaced") from error
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from error
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        sync_directory(path.parent)
    except OSError as error:
        raise StateError(f"cannot write {path}: {error.strerror}") from error


def _show(shell: Shell, key: SigningKey, file: Path) -> None:
    kind = next(kind for kind, value in _TYPES.items() if value is key.type)
    vkey = format_vkey(key.verifier)
    shell.result(
        {"name": key.name, "type": kind.value, "vkey": vkey, "file": str(file)}, vkey
    )
