"""A process of the demo that ends when the demo does, however that ends.

Its standard input is a pipe whose other end only the demo holds.  When the demo is
gone, even by SIGKILL, the pipe ends: then the process asks itself to stop, and after
a while does not ask any more.
"""

from __future__ import annotations

import os
import signal
import sys
import threading

from tallystick_client.cli.main import main

GRACE_S = 15.0
"""Seconds for an orderly stop."""


def watch_parent() -> None:
    """Wait for the end of standard input in a thread of its own."""
    threading.Thread(target=_wait_for_end, daemon=True).start()


def _wait_for_end() -> None:
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait(GRACE_S)
    os._exit(1)


if __name__ == "__main__":
    watch_parent()
    sys.exit(main())
