"""`tallystick prove`: a fresh receipt for any entry, made from the log's tiles.

JSON: {"origin", "index", "leaf_hash", "size", "status", "receipt", "file"}; `file` is
null unless one was written with --out.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tallystick_client.cli.console import shell_of
from tallystick_client.cli.inputs import read_entry
from tallystick_client.cli.network import Choice, choose_target, extra
from tallystick_client.cli.options import Log, Origin, PolicyFile, Server, TokenFile
from tallystick_client.cli.outcome import NOT_YET
from tallystick_client.errors import StateError, UsageError
from tallystick_client.files import write_files
from tallystick_client.guard import size_of
from tallystick_merkle.receipt import Status, format_receipt


def prove(  # noqa: PLR0913 -- typer reads the options from the signature
    context: typer.Context,
    index: Annotated[int, typer.Argument(min=0, help="Index of the entry, from 0.")],
    *,
    entry: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|-",
            help="The entry you hold; without it, the log is asked for the entry.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write the receipt here instead of to standard output.",
            show_default=False,
        ),
    ] = None,
    server: Server = None,
    log: Log = None,
    policy: PolicyFile = None,
    origin: Origin = None,
    token_file: TokenFile = None,
) -> int:
    """Make a receipt for an entry (exit code 3 if it is only promised)."""
    shell = shell_of(context)
    target = choose_target(shell, Choice(server, log, policy, origin, token_file))
    held = None if entry is None else read_entry(entry)
    with extra("client", "prove"):
        from tallystick_client.blocking import Tallystick
    with Tallystick(target.log, target.policy, state=target.state) as client:
        proven = client.prove(index, held)
    data = format_receipt(proven.receipt)
    if out is not None:
        _write(out, data)
    document = {
        "origin": target.log.origin,
        "index": index,
        "leaf_hash": proven.leaf.hex(),
        "size": size_of(proven.receipt.checkpoint),
        "status": proven.status.value,
        "receipt": data.decode(),
        "file": None if out is None else str(out),
    }
    shell.raw(document, b"" if out is not None else data)
    return 0 if proven.status is Status.WITNESSED else NOT_YET


def _write(path: Path, data: bytes) -> None:
    try:
        write_files(path.parent, {path.name: data})
    except StateError as error:
        raise UsageError(f"--out: {error}") from error
