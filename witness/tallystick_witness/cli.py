"""`tallystick witness …`: make, feed, look at and serve a witness.

What a command prints with --json is one object, told in its docstring.  Errors are one
line on stderr, with an exit code (see `boundary`).  The extra's libraries are imported
when a command runs, so that a missing one gives one line.
"""

from __future__ import annotations

import json
import os
import sys
from base64 import b64encode
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from tallystick_merkle.keys import KeyType, format_vkey
from tallystick_witness.boundary import Commands, plain, plain_errors
from tallystick_witness.clock import SystemClock, format_time
from tallystick_witness.state import Evidence, FollowedLog

app = typer.Typer(
    cls=Commands,
    name="witness",
    help="Run an independent witness: cosign the checkpoints of logs you follow.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


class KeyChoice(StrEnum):
    """Which keys `init` makes."""

    ED25519 = "ed25519"
    MLDSA44 = "mldsa44"
    BOTH = "both"


_TYPES = {
    KeyChoice.ED25519: (KeyType.COSIGNATURE,),
    KeyChoice.MLDSA44: (KeyType.MLDSA44,),
    KeyChoice.BOTH: (KeyType.COSIGNATURE, KeyType.MLDSA44),
}

Data = Annotated[Path, typer.Option(help="Data directory of the witness.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.command()
def init(
    data: Data,
    name: Annotated[str, typer.Option(help="Key name, like witness.example/w1.")],
    type: Annotated[  # noqa: A002 -- the option's own name
        KeyChoice, typer.Option(help="Keys to make; both sign every answer.")
    ] = KeyChoice.ED25519,
    as_json: AsJson = False,
) -> None:
    """Make the keys and the store of a new witness. Never overwrites.

    JSON: {"name", "vkeys": [...]}.
    """
    with plain_errors():
        from tallystick_witness.operating import initialise

        identity = initialise(data, name=name, types=_TYPES[type])
    if as_json:
        _print_json({"name": identity.name, "vkeys": list(identity.vkeys)})
        return
    for vkey in identity.vkeys:
        typer.echo(vkey)
    typer.echo(
        f"next: tallystick witness add-log --data {data} --vkey LOG_VKEY", err=True
    )


@app.command("add-log")
def add_log(
    data: Data,
    vkey: Annotated[str, typer.Option(help="The log's own vkey, type 0x01 or 0x06.")],
    origin: Annotated[
        str | None, typer.Option(help="The log's origin; must be the key's name.")
    ] = None,
    reopen: Annotated[
        bool, typer.Option("--reopen", help="Follow a removed log from its last head.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Follow a log; a serving witness takes it up with the next request.

    JSON: one object as in `list`.
    """
    with plain_errors():
        from tallystick_witness import operating

        with operating.open_table(data) as store:
            log = operating.add_log(
                store, vkey=vkey, origin=origin, reopen=reopen, clock=SystemClock()
            )
    _print_log(log, as_json=as_json)


@app.command("remove-log")
def remove_log(
    data: Data,
    origin: Annotated[str, typer.Option(help="Origin of the log.")],
    as_json: AsJson = False,
) -> None:
    """Stop following a log; its last head is kept for good.

    JSON: one object as in `list`.
    """
    with plain_errors():
        from tallystick_witness import operating

        with operating.open_table(data) as store:
            log = operating.remove_log(store, origin=origin, clock=SystemClock())
    _print_log(log, as_json=as_json)


@app.command("list")
def list_logs(data: Data, as_json: AsJson = False) -> None:
    """Show the witness's keys and every log it ever followed.

    JSON: {"name", "vkeys": [...], "logs": [{"origin", "vkey", "state", "since",
    "size", "root" (base64), "cosigned_at"}]}; the last three are null before the first
    cosignature.
    """
    with plain_errors():
        from tallystick_witness.operating import open_table

        with open_table(data) as store:
            identity, logs = store.identity(), store.logs()
    if as_json:
        _print_json(
            {
                "name": identity.name,
                "vkeys": list(identity.vkeys),
                "logs": [_describe_log(log) for log in logs],
            }
        )
        return
    for vkey in identity.vkeys:
        typer.echo(f"witness {vkey}")
    for log in logs:
        _print_log(log, as_json=False)


@app.command()
def evidence(data: Data, as_json: AsJson = False) -> None:
    """Show signed checkpoints that were refused: what a log may have to answer for.

    JSON: {"evidence": [{"origin", "kind", "size", "root" (base64), "seen_at",
    "checkpoint", "held"}]}; held is the checkpoint cosigned before, or "".
    """
    with plain_errors():
        from tallystick_witness.operating import open_table

        with open_table(data) as store:
            found = store.evidence()
    if as_json:
        _print_json({"evidence": [_describe_evidence(one) for one in found]})
        return
    for one in found:
        seen = format_time(one.time_s)
        typer.echo(f"{one.kind} {plain(one.origin)} size {one.size} seen {seen}")
        typer.echo(one.note.decode(errors="replace"))


@app.command()
def serve(
    data: Annotated[
        Path | None, typer.Option(help="Data directory of the witness.")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="TOML file, [witness].")] = None,
    listen: Annotated[
        str | None, typer.Option(help="HOST:PORT; default 127.0.0.1:8441.")
    ] = None,
    anchor: Annotated[
        Path | None, typer.Option(help="File on another disk against rollback.")
    ] = None,
    new_anchor: Annotated[
        bool, typer.Option("--new-anchor", help="Make the anchor of a used witness.")
    ] = False,
    tls_cert: Annotated[Path | None, typer.Option(help="Certificate, PEM.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its key, PEM.")] = None,
    insecure_http: Annotated[
        bool, typer.Option("--insecure-http", help="No TLS beyond loopback.")
    ] = False,
) -> None:
    """Serve the witness. Prints "listening on URL" when ready; never creates one."""
    flags: dict[str, object] = {
        "data": data,
        "listen": listen,
        "anchor": anchor,
        "new_anchor": new_anchor or None,
        "tls_cert": tls_cert,
        "tls_key": tls_key,
        "insecure_http": insecure_http or None,
    }
    with plain_errors():
        from tallystick_witness import jsonlog
        from tallystick_witness import serve as serving
        from tallystick_witness.config import load_settings

        settings = load_settings(file=config, environment=os.environ, flags=flags)
        jsonlog.set_up(sys.stderr)
        serving.serve(settings)


def _describe_log(log: FollowedLog) -> dict[str, object]:
    head = log.head
    return {
        "origin": log.origin,
        "vkey": format_vkey(log.key),
        "state": str(log.state),
        "since": format_time(log.since_s),
        "size": head.size if head else None,
        "root": b64encode(head.root).decode() if head else None,
        "cosigned_at": format_time(head.time_s) if head else None,
    }


def _describe_evidence(one: Evidence) -> dict[str, object]:
    return {
        "origin": one.origin,
        "kind": str(one.kind),
        "size": one.size,
        "root": b64encode(one.root).decode(),
        "seen_at": format_time(one.time_s),
        "checkpoint": one.note.decode(errors="replace"),
        "held": one.held.decode(errors="replace"),
    }


def _print_log(log: FollowedLog, *, as_json: bool) -> None:
    fields = _describe_log(log)
    if as_json:
        _print_json(fields)
        return
    head = "never cosigned"
    if log.head:
        head = "size {size} root {root} cosigned {cosigned_at}".format(**fields)
    typer.echo(f"{log.state} {plain(format_vkey(log.key))} {head}")


def _print_json(value: object) -> None:
    typer.echo(json.dumps(value))
