"""`init`: make a log, its keys and its first token.

What a log of events needs beside itself is made, and durable, before the log is (D16).
"""

from __future__ import annotations

import secrets
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from tallystick_server.cli.boundary import bounded, show
from tallystick_server.cli.options import (
    ConfigOption,
    DataOption,
    JsonOption,
    LogOption,
    load_settings,
)
from tallystick_server.config.model import ServerSettings


class Kind(StrEnum):
    """What a log takes."""

    RAW = "raw"
    EVENTS = "events"


@bounded
def init(
    log: LogOption,
    origin: Annotated[
        str,
        typer.Option(help="The log's name in its checkpoints: a URL without scheme."),
    ],
    data: DataOption = None,
    config: ConfigOption = None,
    kind: Annotated[
        Kind, typer.Option(help="What it takes: bytes as they are, or events.")
    ] = Kind.RAW,
    recovery_vkey: Annotated[
        str | None,
        typer.Option(help="Public recovery key, made offline. Default: make a pair."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make a log: its keys, its genesis entry, and one token, shown once."""
    settings = load_settings(config, data).settings.server
    root = _make_vault(settings) if kind is Kind.EVENTS else None
    answer = _make(settings.data, log, origin, recovery_vkey, kind.value)
    answer["vault_root_file"] = None if root is None else str(root)
    show(answer, _describe(answer, settings.data), as_json=as_json)


def _make_vault(settings: ServerSettings) -> Path | None:
    """Make the vault where there is none; give the file of its root key, if new."""
    from tallystick_server.wiring.vaulting import make_vault

    return make_vault(settings)


def _make(
    data: Path, name: str, origin: str, recovery_vkey: str | None, kind: str
) -> dict[str, object]:
    """Make the log and its token; give what there is to know about them."""
    from tallystick_merkle.errors import MalformedError
    from tallystick_merkle.keys import SEED_SIZE, format_vkey, parse_vkey
    from tallystick_server.clock import SystemClock
    from tallystick_server.errors import UsageError
    from tallystick_server.log.create import create_log
    from tallystick_server.log.tokenfile import add_token
    from tallystick_server.log.tokens import SCOPES_OF

    try:
        recovery = None if recovery_vkey is None else parse_vkey(recovery_vkey)
    except MalformedError as error:
        raise UsageError(f"--recovery-vkey: {error}") from error
    clock = SystemClock()
    made = create_log(
        data,
        name=name,
        origin=origin,
        recovery=recovery,
        clock=clock,
        draw_seed=lambda: secrets.token_bytes(SEED_SIZE),
        kind=kind,
    )
    new = add_token(
        data,
        log=name,
        clock=clock,
        draw=secrets.token_bytes,
        principal="init",
        scopes=SCOPES_OF[kind],  # all that there is to do with it
    )
    file = made.recovery_file
    return {
        "log": name,
        "kind": kind,
        "origin": made.origin,
        "vkey": format_vkey(made.key),
        "next_vkey": format_vkey(made.next_key),
        "recovery_vkey": format_vkey(made.recovery_key),
        "recovery_key_file": None if file is None else str(file),
        "read_path": f"/t/{name}",
        "api_path": f"/v1/logs/{name}",
        "token": new.text,
        "scopes": list(new.token.scopes),
    }


def _describe(answer: dict[str, object], data: Path) -> list[str]:
    """Say it for people, with the next step."""
    lines = [
        f"log        {answer['log']}",
        f"kind       {answer['kind']}",
        f"origin     {answer['origin']}",
        f"vkey       {answer['vkey']}",
        f"read path  {answer['read_path']}",
        f"token      {answer['token']}",
        "",
        f"The token is shown this once. Next: tallystick server serve --data {data}",
    ]
    if answer["kind"] == "events":
        lines.append(
            "It may emit, read and administer. Make each service one that may do less: "
            f"tallystick server token add --data {data} --log {answer['log']} "
            "--scope emit"
        )
    if answer["vault_root_file"] is not None:
        lines.append(
            "Copy the vault's root key to a safe place, without it nobody reads an "
            f"event ever again: {answer['vault_root_file']}"
        )
    if answer["recovery_key_file"] is not None:
        file = answer["recovery_key_file"]
        lines.append(f"Move the recovery key offline and delete it here: {file}")
    return lines
