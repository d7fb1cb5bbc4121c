"""`init`: make a log, its keys and its first write token."""

from __future__ import annotations

import secrets
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


@bounded
def init(
    log: LogOption,
    origin: Annotated[
        str,
        typer.Option(help="The log's name in its checkpoints: a URL without scheme."),
    ],
    data: DataOption = None,
    config: ConfigOption = None,
    recovery_vkey: Annotated[
        str | None,
        typer.Option(help="Public recovery key, made offline. Default: make a pair."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make a log: its keys, its genesis entry, and one write token, shown once."""
    from tallystick_merkle.errors import MalformedError
    from tallystick_merkle.keys import SEED_SIZE, format_vkey, parse_vkey
    from tallystick_server.clock import SystemClock
    from tallystick_server.errors import UsageError
    from tallystick_server.log.create import create_log
    from tallystick_server.log.tokenfile import add_token

    folder = load_settings(config, data).settings.server.data
    try:
        recovery = None if recovery_vkey is None else parse_vkey(recovery_vkey)
    except MalformedError as error:
        raise UsageError(f"--recovery-vkey: {error}") from error
    clock = SystemClock()
    made = create_log(
        folder,
        name=log,
        origin=origin,
        recovery=recovery,
        clock=clock,
        draw_seed=lambda: secrets.token_bytes(SEED_SIZE),
    )
    new = add_token(
        folder, log=log, clock=clock, draw=secrets.token_bytes, principal="init"
    )
    file = None if made.recovery_file is None else str(made.recovery_file)
    answer = {
        "log": log,
        "origin": made.origin,
        "vkey": format_vkey(made.key),
        "next_vkey": format_vkey(made.next_key),
        "recovery_vkey": format_vkey(made.recovery_key),
        "recovery_key_file": file,
        "read_path": f"/t/{log}",
        "api_path": f"/v1/logs/{log}",
        "token": new.text,
    }
    lines = [
        f"log        {log}",
        f"origin     {made.origin}",
        f"vkey       {answer['vkey']}",
        f"read path  /t/{log}",
        f"token      {new.text}",
        "",
        f"The token is shown this once. Next: tallystick server serve --data {folder}",
    ]
    if file is not None:
        lines.append(f"Move the recovery key offline and delete it here: {file}")
    show(answer, lines, as_json=as_json)
