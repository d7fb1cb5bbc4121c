"""`tallystick demo`: the whole story on one machine, shown as it happens.

JSON: {"directory", "origin", "server", "witnesses", "policy", "added", "repeated",
"verified", "size", "root", "cosigners", "events": {"origin", "policy", "added",
"repeated", "size", "root", "evidence", "verdict", "shown"}}; it is printed when the
work is done.
"""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Annotated, Never

import typer

from tallystick_client.cli.console import shell_of
from tallystick_client.cli.network import extra
from tallystick_client.cli.screen import Screen
from tallystick_client.demo.children import ChildError, Family
from tallystick_client.demo.place import FIRST_PORT, Place, Ports
from tallystick_client.errors import UsageError

_LOOK_S = 0.5


def demo(
    context: typer.Context,
    directory: Annotated[
        Path,
        typer.Option("--dir", metavar="DIR", help="Where the demo keeps its data."),
    ] = Path("tallystick-demo"),
    port: Annotated[
        int | None,
        typer.Option(
            min=1024,
            max=65_000,
            help="Port of the log server; the next two are the witnesses'.",
            show_default=str(FIRST_PORT),
        ),
    ] = None,
    reset: Annotated[
        bool, typer.Option("--reset", help="Delete what an earlier demo left there.")
    ] = False,
    leave: Annotated[
        bool,
        typer.Option("--exit", "--no-wait", help="End after the work; do not stay up."),
    ] = False,
) -> None:
    """Start two logs and two witnesses on this machine and show the whole story.

    Run again, it goes on with the same logs. Ctrl-C stops all of it.
    """
    shell = shell_of(context)
    with extra("all", "demo"):
        from tallystick_client.demo import story as stories
    signal.signal(signal.SIGTERM, _interrupt)
    screen = Screen(shell, stays=not leave)
    place = Place(directory)
    setup = place.open(reset=reset)
    if setup is not None and port not in {None, setup.first_port}:
        raise UsageError(
            f"the demo in {directory} was made with port {setup.first_port}: "
            "leave --port out, or start over with --reset"
        )
    ports = Ports(setup.first_port if setup else port or FIRST_PORT)
    ports.require_free()
    screen.begin(place, is_new=setup is None)
    family = Family(place.logs)
    try:
        if setup is None:
            setup = stories.make_setup(place, ports, screen.step)
        story = stories.Story(place, setup)
        story.start(family, screen.step)
        screen.tell(story)
        while not leave:
            family.require_alive()
            time.sleep(_LOOK_S)
    except KeyboardInterrupt:
        screen.stopping()
    except ChildError as error:
        shell.note(error.last_lines)
        raise
    finally:
        family.stop()


def _interrupt(number: int, frame: object) -> Never:  # noqa: ARG001 -- a handler's shape
    """Take a request to stop as Ctrl-C."""
    raise KeyboardInterrupt
