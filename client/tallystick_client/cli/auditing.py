"""`tallystick audit`: hash a log again from its tiles, and stay with it.

JSON: {"origin", "size", "root", "checked", "cosigners"}; with --follow one object a
line, one for each time that the log has grown.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Annotated, Protocol

import typer

from tallystick_client.auditing import Progress
from tallystick_client.cli.console import Shell, shell_of
from tallystick_client.cli.network import Choice, Target, choose_target, extra
from tallystick_client.cli.options import Log, Origin, PolicyFile, Server, TokenFile
from tallystick_client.cli.outcome import (
    NOT_YET,
    SERVICE,
    STALE,
    exit_code_of,
    message_of,
)
from tallystick_client.errors import ClientError
from tallystick_client.results import Audited
from tallystick_merkle.errors import KernelError

Look = Callable[[Progress], Audited]
"""One round of an audit."""


class Auditor(Protocol):
    """The part of a client that audits."""

    def audit(
        self, progress: Progress | None = None, *, from_start: bool = False
    ) -> Audited:
        """Hash what is new, or the whole log."""
        ...


_PASSING = frozenset({NOT_YET, STALE, SERVICE})


def audit(  # noqa: PLR0913 -- typer reads the options from the signature
    context: typer.Context,
    *,
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on as the log grows, until Ctrl-C.")
    ] = False,
    interval_s: Annotated[
        float,
        typer.Option(
            "--interval", min=0.1, max=86_400.0, help="Seconds between two looks."
        ),
    ] = 10.0,
    from_start: Annotated[
        bool,
        typer.Option(
            "--from-start",
            help="Hash everything anew, also what earlier audits have hashed.",
        ),
    ] = False,
    server: Server = None,
    log: Log = None,
    policy: PolicyFile = None,
    origin: Origin = None,
    token_file: TokenFile = None,
) -> None:
    """Check every entry, tile and root of a log, from where the last audit ended.

    Exit code 1 means that the log forked, shrank, or rewrote an entry
    (which is named); 4 that it served an older head than before.
    """
    shell = shell_of(context)
    target = choose_target(shell, Choice(server, log, policy, origin, token_file))
    with extra("client", "audit"):
        from tallystick_client.cli.driven import DrivenClient
    with DrivenClient(target) as client:
        if not follow:
            look = partial(client.audit, from_start=from_start)
            _show(shell, target, _look(shell, look))
            return
        try:
            _follow(shell, target, client, interval_s, from_start)
        except KeyboardInterrupt:
            shell.note("stopped; the next audit goes on from here")


def _follow(
    shell: Shell, target: Target, client: Auditor, interval_s: float, from_start: bool
) -> None:
    """Look again and again; a service that is away or stale is waited for."""
    size = -1
    while True:
        try:
            done = _look(shell, partial(client.audit, from_start=from_start))
            from_start = False
            if done.head.size != size:
                _show(shell, target, done)
            size = done.head.size
        except (ClientError, KernelError) as error:
            if exit_code_of(error) not in _PASSING:
                raise
            shell.note(f"waiting: {message_of(error)}")
        time.sleep(interval_s)


def _look(shell: Shell, look: Look) -> Audited:
    with shell.meter("audited") as meter:
        return look(meter.show)


def _show(shell: Shell, target: Target, done: Audited) -> None:
    head = done.head
    by = ", ".join(head.cosigners) or "nobody"
    shell.result(
        {
            "origin": target.log.origin,
            "size": head.size,
            "root": head.root.hex(),
            "checked": done.checked,
            "cosigners": list(head.cosigners),
        },
        f"{target.log.origin} is sound: {head.size} entries ({done.checked} hashed "
        f"now), root {head.root.hex()}, cosigned by {by}",
    )
