"""`tallystick append`: entries into a log, from files or standard input.

JSON: {"origin", "added", "repeated", "promised", "witnessed", "first_index",
"last_index", "refused": [{"line", "status", "code", "detail"}]}; the indexes are null
if nothing is in the log.
"""

from __future__ import annotations

import asyncio
from pathlib import PurePath
from typing import Annotated

import typer

from tallystick_client.cli.console import Shell, shell_of
from tallystick_client.cli.inputs import STDIN, opened, read_entry, read_lines
from tallystick_client.cli.network import Choice, Target, choose_target, extra
from tallystick_client.cli.options import Log, Origin, PolicyFile, Server, TokenFile
from tallystick_client.cli.outcome import NOT_YET, USAGE
from tallystick_client.cli.tally import Tally
from tallystick_client.errors import ClientError, UsageError
from tallystick_client.session import Wait
from tallystick_merkle.errors import KernelError

LINE_SUFFIXES = frozenset({".ndjson", ".jsonl", ".log", ".txt"})
"""Files whose lines are entries unless `--whole` is given."""


def append(  # noqa: PLR0913 -- typer reads the options from the signature
    context: typer.Context,
    file: Annotated[
        str, typer.Argument(metavar="FILE|-", help="What to log; - is standard input.")
    ],
    *,
    lines: Annotated[
        bool | None,
        typer.Option(
            "--lines/--whole",
            help="One entry a line (the default for -, .ndjson, .jsonl, .log and "
            ".txt), or the whole file as one entry (the default for all others).",
            show_default=False,
        ),
    ] = None,
    once: Annotated[
        bool,
        typer.Option(
            "--once",
            help="Log each line of this file once, however often this is run: a line "
            "is known by its content and number. Lines are sent at the same time, so "
            "their order in the log may differ.",
        ),
    ] = False,
    wait: Annotated[
        str,
        typer.Option(
            metavar="durable|witnessed",
            help="Wait until the log has stored the entries, or until the witnesses "
            "have cosigned them (exit code 3 if they do not in time).",
        ),
    ] = "durable",
    server: Server = None,
    log: Log = None,
    policy: PolicyFile = None,
    origin: Origin = None,
    token_file: TokenFile = None,
) -> int:
    """Append entries to a log and keep their checked receipts."""
    shell = shell_of(context)
    target = choose_target(shell, Choice(server, log, policy, origin, token_file))
    by_line = _is_by_line(file) if lines is None else lines
    if once and not by_line:
        raise UsageError("--once works line by line: give --lines, or leave it out")
    if wait == "witnessed" and not target.policy.asks_for_witnesses:
        raise UsageError("--wait witnessed: the policy asks no witness to wait for")
    tally = Tally()
    try:
        _send(shell, target, file, tally, wait_of(wait), by_line, once)
    except (ClientError, KernelError):
        if tally.logged:
            shell.complain(f"before the error: {tally.summary(target.policy)}")
        raise
    tally.show(shell, target)
    if tally.refused:
        return USAGE
    return NOT_YET if wait == "witnessed" and tally.promised else 0


def _send(
    shell: Shell,
    target: Target,
    file: str,
    tally: Tally,
    wait: Wait,
    by_line: bool,
    once: bool,
) -> None:
    """Send what the file holds, in the way that was asked for."""
    with extra("client", "append"):
        from tallystick_client.cli import sending
    if not by_line:
        sending.send_whole(target, read_entry(file), wait, tally)
        return
    with opened(file) as stream, shell.meter("logged") as meter:
        entries = read_lines(stream, file)
        if once:
            asyncio.run(sending.send_once(target, entries, wait, tally, meter))
        else:
            sending.send_batches(target, entries, wait, tally, meter)


def _is_by_line(file: str) -> bool:
    return file == STDIN or PurePath(file).suffix.lower() in LINE_SUFFIXES


def wait_of(text: str) -> Wait:
    """Read what --wait says."""
    if text == "durable":
        return "durable"
    if text == "witnessed":
        return "witnessed"
    raise UsageError(f"--wait is durable or witnessed, not {text!r}")
