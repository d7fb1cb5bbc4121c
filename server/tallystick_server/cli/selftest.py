"""`tallystick selftest`: try out on the operator's own disk what the log promises.

Exit codes: 0 nothing failed, 1 something did (it is named, and the scratch is kept),
2 wrong usage or a place where no log may be, 5 it could not be run, 143 it was told to
stop (130 by Ctrl-C).
"""

from __future__ import annotations

import asyncio
import secrets
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from tallystick_server.cli.boundary import EXIT_INTEGRITY, SingleCommand, bounded, show
from tallystick_server.cli.options import JsonOption

EXIT_TERMINATED = 128 + signal.SIGTERM
"""Exit code after SIGTERM or SIGHUP."""

DEFAULT_S = 45
"""Seconds that a run takes unless it is told otherwise."""

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

Progress = Callable[[str, float], None]
T = TypeVar("T")


@app.command("selftest", cls=SingleCommand)
@bounded
def selftest(
    data: Annotated[
        Path,
        typer.Option(
            "--data", metavar="DIR", help="Where to try: a folder on the disk in doubt."
        ),
    ] = Path(),
    seconds: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=10,
            max=86_400,
            help=f"About how long. Default: {DEFAULT_S}.",
            show_default=False,
        ),
    ] = None,
    rounds: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, max=100_000, help="How many kills, instead."),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(metavar="N", min=0, help="Repeat the choices of an earlier run."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Kill a log on this disk again and again, and check that nothing acked is lost.

    Works in a folder of its own below DIR, with a server and a witness of its own on
    loopback; no other log is touched. Takes 100 MB at most, and removes it again
    unless something failed.

    JSON: {"good", "suspicious", "directory", "seed", "seconds", "counts": {"rounds",
    "server_kills", "start_kills", "witness_kills", "restarts", "logs", "acked",
    "receipts", "repeated", "heads", "fscks"}, "checks": [{"check", "result", "figure",
    "why"}], "kept", "not_shown"}.
    """
    from tallystick_server.clock import SystemClock
    from tallystick_server.errors import UsageError
    from tallystick_server.selftest.children import installed
    from tallystick_server.selftest.drill import Orders, run_drill

    if seconds is not None and rounds is not None:
        raise UsageError("--seconds and --rounds: give one of them, or none")
    with _progress() as on_progress:
        orders = Orders(
            data.resolve(),
            secrets.randbelow(1_000_000) if seed is None else seed,
            seconds or DEFAULT_S,
            rounds,
            installed(),
            SystemClock(),
            on_progress,
        )
        report = asyncio.run(_until_told(lambda: run_drill(orders)))
    show(report.document(), list(report.lines()), as_json=as_json)
    if not report.is_good:
        raise typer.Exit(EXIT_INTEGRITY)


async def _until_told(run: Callable[[], Awaitable[T]]) -> T:
    """Run to the end; SIGTERM and SIGHUP clear up as Ctrl-C does, and end it."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    is_told = False

    def stop() -> None:
        nonlocal is_told
        is_told = True
        task.cancel()

    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, stop)
    try:
        return await run()
    except asyncio.CancelledError:
        if is_told:
            raise typer.Exit(EXIT_TERMINATED) from None
        raise


@contextmanager
def _progress() -> Iterator[Progress]:
    """Show a bar on stderr, if a person is looking at it."""
    if not sys.stderr.isatty():
        yield lambda _text, _share: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bar

    columns = (BarColumn(), TextColumn("{task.description}"))
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=1.0)
        yield lambda text, share: bar.update(task, completed=share, description=text)
