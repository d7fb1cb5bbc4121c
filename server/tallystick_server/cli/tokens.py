"""`token add`, `token list`, `token revoke`: who may do what with a log.

A running server takes a change up within a second or two.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import timedelta
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

app = typer.Typer(help="Manage tokens.", no_args_is_help=True, add_completion=False)


class Scope(StrEnum):
    """What a token may do."""

    APPEND = "append"
    EMIT = "emit"
    READ = "read"
    AUDIT = "audit"
    ADMIN = "admin"


@app.command("add")
@bounded
def add(
    log: LogOption,
    data: DataOption = None,
    config: ConfigOption = None,
    principal: Annotated[
        str,
        typer.Option(
            help="Who the token is for; tokens of one principal share their"
            " idempotency keys, so one can replace the other. Default: its id."
        ),
    ] = "",
    scope: Annotated[
        list[Scope] | None,
        typer.Option(
            help="What it may do; may be repeated. Default: append, or emit for a log"
            " of events."
        ),
    ] = None,
    days: Annotated[
        int | None,
        typer.Option(min=1, max=36_500, help="Days until it expires. Default: never."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make a token; it is shown this once."""
    from tallystick_server.clock import SystemClock
    from tallystick_server.log.tokenfile import add_token
    from tallystick_server.ops.times import format_time

    folder, clock = load_settings(config, data).settings.server.data, SystemClock()
    life_ms = (
        None if days is None else timedelta(days=days) // timedelta(milliseconds=1)
    )
    new = add_token(
        folder,
        log=log,
        clock=clock,
        draw=secrets.token_bytes,
        principal=principal,
        scopes=_choose_scopes(folder, log, scope or ()),
        expires_ms=None if life_ms is None else clock.now_ms() + life_ms,
    )
    expires_ms = new.token.expires_ms
    answer = {
        "log": log,
        "id": new.token.id,
        "principal": new.token.principal,
        "scopes": list(new.token.scopes),
        "expires": None if expires_ms is None else format_time(expires_ms),
        "token": new.text,
    }
    show(answer, [new.text], as_json=as_json)


def _choose_scopes(data: Path, log: str, wanted: Sequence[str]) -> Sequence[str]:
    """Give the scopes that were asked for, or the usual one of the log's kind.

    Raises UsageError for one that means nothing for this log.
    """
    from tallystick_server.errors import UsageError
    from tallystick_server.log.create import read_kind
    from tallystick_server.log.tokens import SCOPES_OF

    kind = read_kind(data, log)
    known = SCOPES_OF[kind]
    for scope in wanted:
        if scope not in known:
            raise UsageError(
                f"--scope {scope}: the log {log} is of kind {kind} and knows "
                f"{', '.join(known)}"
            )
    return wanted or known[:1]


@app.command("list")
@bounded
def list_tokens(
    log: LogOption,
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the tokens of a log; their secrets are not stored anywhere."""
    from tallystick_server.log.tokenfile import list_tokens as read
    from tallystick_server.ops.times import format_time

    def spell(time_ms: int | None) -> str | None:
        return None if time_ms is None else format_time(time_ms)

    tokens = read(load_settings(config, data).settings.server.data, log=log)
    rows: list[dict[str, object]] = [
        {
            "id": token.id,
            "principal": token.principal,
            "scopes": list(token.scopes),
            "created": format_time(token.created_ms),
            "expires": spell(token.expires_ms),
            "revoked": spell(token.revoked_ms),
        }
        for token in tokens
    ]
    lines = [
        f"{row['id']}  {row['principal']}  {'+'.join(token.scopes)}"
        f"  created {row['created']}"
        + (f"  expires {row['expires']}" if row["expires"] else "")
        + (f"  revoked {row['revoked']}" if row["revoked"] else "")
        for row, token in zip(rows, tokens, strict=True)
    ]
    show({"log": log, "tokens": rows}, lines or ["no token"], as_json=as_json)


@app.command("revoke")
@bounded
def revoke(
    log: LogOption,
    token_id: Annotated[str, typer.Argument(metavar="ID", help="Id of the token.")],
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Revoke a token for good."""
    from tallystick_server.clock import SystemClock
    from tallystick_server.log.tokenfile import revoke_token

    folder = load_settings(config, data).settings.server.data
    revoke_token(folder, log=log, token_id=token_id, clock=SystemClock())
    show({"log": log, "id": token_id}, [f"revoked {token_id}"], as_json=as_json)
