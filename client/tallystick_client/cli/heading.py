"""`tallystick head`: the newest head of a log that can be believed, and who says so.

The head that is shown was checked to extend the one believed before, and is believed
from now on if it meets the policy's quorum.

JSON: {"origin", "size", "root", "served_size", "quorum_met", "cosigners": [{"name",
"time_s"}]}; served_size is smaller than size where the log serves an older head.
"""

from __future__ import annotations

import typer

from tallystick_client.cli.console import shell_of
from tallystick_client.cli.network import Choice, Target, choose_target, extra
from tallystick_client.cli.options import Log, Origin, PolicyFile, Server, TokenFile
from tallystick_client.cli.outcome import NOT_YET, STALE
from tallystick_client.cli.verifying import cosigners_of, say_cosigners
from tallystick_client.errors import StaleHeadError
from tallystick_client.results import Head


def head(
    context: typer.Context,
    server: Server = None,
    log: Log = None,
    policy: PolicyFile = None,
    origin: Origin = None,
    token_file: TokenFile = None,
) -> int:
    """Show the log's newest head, and whether the quorum cosigned it.

    Exit code 3 means that the quorum is not met; 4 that the log serves an
    older head than before; 1 that it forked.
    """
    shell = shell_of(context)
    target = choose_target(shell, Choice(server, log, policy, origin, token_file))
    with extra("client", "head"):
        from tallystick_client.blocking import Tallystick
    with Tallystick(target.log, target.policy, state=target.state) as client:
        found = client.head()
    shell.result(
        {
            "origin": target.log.origin,
            "size": found.size,
            "root": found.root.hex(),
            "served_size": found.served_size,
            "quorum_met": found.judged.is_met,
            "cosigners": cosigners_of(found.judged),
        },
        _text(target, found),
    )
    if found.is_stale:
        error = StaleHeadError(served=found.served_size, believed=found.size)
        shell.complain(f"tallystick: {error}")
        return STALE
    return 0 if found.judged.is_met else NOT_YET


def _text(target: Target, found: Head) -> str:
    """Say it for people."""
    if not target.policy.asks_for_witnesses:
        quorum = "the policy asks no witness"
    elif found.judged.is_met:
        quorum = "the policy's quorum is met"
    else:
        quorum = "the policy's quorum is not met: this head is not believed yet"
    lines = [
        f"{target.log.origin}: head of size {found.size}, root {found.root.hex()}",
        *say_cosigners(found.judged),
        quorum,
    ]
    return "\n".join(lines)
