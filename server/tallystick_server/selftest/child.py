"""A process of the drill that ends with the selftest, however that ends.

    python -m tallystick_server.selftest.child server|witness WORDS…

does what `tallystick server WORDS…` does.  Its standard input is a pipe whose other end
only the selftest holds.  When the selftest is gone, even by SIGKILL, the pipe ends, and
the process kills itself: it holds nothing that anybody will need.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from importlib.metadata import entry_points

GROUP = "tallystick.commands"
"""The entry points by which each house names its commands."""


def watch_parent() -> None:
    """Wait for the end of standard input in a thread of its own."""
    threading.Thread(target=_wait_for_end, daemon=True).start()


def main(words: list[str]) -> None:
    """Run a command of a house; it ends the process with its own exit code."""
    name, *rest = words
    (entry, *_) = entry_points(group=GROUP, name=name)
    entry.load()(args=rest, prog_name=f"tallystick {name}")


def _wait_for_end() -> None:
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    watch_parent()
    main(sys.argv[1:])
