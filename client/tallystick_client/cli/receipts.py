"""`tallystick receipts`: those kept on this machine, and how to make them witnessed.

JSON of list: {"origin", "receipts": [{"index", "size", "status", "file"}]}.
JSON of upgrade: {"origin", "size", "upgraded": [index], "waiting": [index]}.
"""

from __future__ import annotations

from typing import Annotated

import typer

from tallystick_client.address import origin_of
from tallystick_client.cli.console import shell_of
from tallystick_client.cli.network import (
    Choice,
    choose_policy,
    choose_state,
    choose_target,
    extra,
    settings_of,
)
from tallystick_client.cli.options import Log, Origin, PolicyFile, Server, TokenFile
from tallystick_client.cli.outcome import NOT_YET
from tallystick_client.guard import size_of
from tallystick_client.session import Patience
from tallystick_client.trust_directory import DirectoryTrust

app = typer.Typer(no_args_is_help=True, help="Receipts kept on this machine.")


@app.command("list")
def list_receipts(
    context: typer.Context, policy: PolicyFile = None, origin: Origin = None
) -> None:
    """List the receipts of a log, witnessed and promised, with their files."""
    shell = shell_of(context)
    settings = settings_of(shell)
    name = origin_of(choose_policy(policy, settings), origin or settings.origin)
    trust = DirectoryTrust(choose_state(shell, settings), name)
    rows = sorted(
        (held.receipt.index, size_of(held.receipt.checkpoint), status, str(path))
        for status, stored in (
            ("witnessed", trust.witnessed_files()),
            ("promised", trust.promised_files()),
        )
        for path, held in stored
    )
    keys = ("index", "size", "status", "file")
    shell.result(
        {
            "origin": name,
            "receipts": [dict(zip(keys, row, strict=True)) for row in rows],
        },
        "\n".join(f"{row[0]:>8}  {row[2]:<9}  {row[3]}" for row in rows)
        or f"no receipt of {name} is kept below {trust.path}",
    )


@app.command()
def upgrade(
    context: typer.Context,
    wait_s: Annotated[
        int,
        typer.Option(
            "--wait", min=0, max=3600, help="Seconds to wait for the witnesses."
        ),
    ] = 0,
    server: Server = None,
    log: Log = None,
    policy: PolicyFile = None,
    origin: Origin = None,
    token_file: TokenFile = None,
) -> int:
    """Turn promised receipts into witnessed ones (exit code 3 if any has to wait)."""
    shell = shell_of(context)
    target = choose_target(shell, Choice(server, log, policy, origin, token_file))
    with extra("client", "receipts upgrade"):
        from tallystick_client.blocking import Tallystick
    with Tallystick(target.log, target.policy, state=target.state) as client:
        done = client.upgrade(patience=Patience(attempts=2 * wait_s + 1))
    upgraded = [receipt.index for receipt in done.upgraded]
    waiting = [receipt.index for receipt in done.waiting]
    text = f"{len(upgraded)} upgraded at size {done.head.size}"
    if waiting and not target.policy.asks_for_witnesses:
        text += f", {len(waiting)} stay promised: the policy asks no witness"
    elif waiting:
        text += f", {len(waiting)} waiting for a witnessed head"
    shell.result(
        {
            "origin": target.log.origin,
            "size": done.head.size,
            "upgraded": upgraded,
            "waiting": waiting,
        },
        text,
    )
    return NOT_YET if waiting else 0
