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
    parse_vkey,
)

app = typer.Typer(
    no_args_is_help=True, help="Make a signing key, or show its public half."
)


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

_NEXT = {
    Kind.ED25519: "as a recovery key it goes to: tallystick server init "
    "--recovery-vkey VKEY, and the file stays offline",
    Kind.COSIGNATURE: "it goes into policies: witness w VKEY URL",
    Kind.MLDSA44: "it goes into policies: witness w VKEY URL",
}


@app.command()
def generate(
    context: typer.Context,
    first: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="What the key signs as, like log.example/x; with --name, the FILE.",
            show_default=False,
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(
            "--name", metavar="NAME", help="The name, another way.", show_default=False
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Where to write the secret; never overwritten.",
            show_default=False,
        ),
    ] = None,
    kind: Annotated[
        Kind,
        typer.Option(
            "--type",
            help="ed25519 signs a log's heads and recovers a log; cosignature and "
            "mldsa44 (post-quantum) cosign as a witness.",
        ),
    ] = Kind.ED25519,
) -> None:
    """Make a key: `generate NAME --out FILE`, or `generate FILE --name NAME`.

    The secret goes to a new file that only you can read (mode 0600).
    The vkey, its public half, is printed.
    """
    named, file = _name_and_file(first, name, out)
    seed = os.urandom(SEED_SIZE)
    try:
        key = make_signing_key(name=named, type=_TYPES[kind], seed=seed)
    except MalformedError as error:
        raise UsageError(str(error)) from error
    write_secret(file, format_skey(key).encode() + b"\n")
    shell = shell_of(context)
    _show(shell, key, file)
    shell.note(f"the secret is in {file}, the line above is public; {_NEXT[kind]}")


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
        hint = "; it is a vkey already, the public half" if _is_public(data) else ""
        raise UsageError(f"{file} does not hold a secret key{hint}") from error
    shell = shell_of(context)
    _show(shell, key, file)
    if shell.is_verbose:
        shell.note(f"the public half of a key of {key.name} ({_kind_of(key)})")


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


def _name_and_file(
    first: str | None, name: str | None, out: Path | None
) -> tuple[str, Path]:
    """Tell name and file from the words that were given, in either way."""
    if name is None and first is not None and out is not None:
        return first, out
    if name is not None and first is None and out is not None:
        return name, out
    if name is not None and first is not None and out is None:
        return name, Path(first)
    if name is not None and first is not None:
        raise UsageError(f"two names, {first!r} and {name!r}: leave one out")
    missing = "no name: say what the key signs as, like log.example/x"
    if name is not None or first is not None:
        missing = "no file for the secret: name one with --out FILE"
    raise UsageError(f"{missing}. Try 'tallystick key generate --help'.")


def _is_public(data: bytes) -> bool:
    """Whether a file that holds no secret key begins with a public one."""
    try:
        parse_vkey(data.decode().partition("\n")[0])
    except (MalformedError, UnicodeDecodeError):
        return False
    return True


def _kind_of(key: SigningKey) -> Kind:
    return next(kind for kind, value in _TYPES.items() if value is key.type)


def _show(shell: Shell, key: SigningKey, file: Path) -> None:
    vkey = format_vkey(key.verifier)
    kind = _kind_of(key).value
    shell.result(
        {"name": key.name, "type": kind, "vkey": vkey, "file": str(file)}, vkey
    )
