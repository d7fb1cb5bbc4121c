"""The real server without its start-up check: a planted bug for the rollback drill.

python -m tests.system.rollback.unchecked_server CONFIG
"""

from __future__ import annotations

import sys
from pathlib import Path

import uvloop

from tallystick_server.cli.options import load_settings
from tallystick_server.clock import SystemClock
from tallystick_server.log.clearance import Decision
from tallystick_server.wiring.keeping import Keeper
from tallystick_server.wiring.running import Permissions
from tallystick_server.wiring.serving import Start, serve


async def skipped(_keeper: Keeper) -> Decision:
    """Let every log sign, whatever its witnesses have seen."""
    return Decision(True, "nobody was asked")


def announce(url: str) -> None:
    """Say that it listens, as the real one does."""
    sys.stdout.write(f"listening on {url}\n")
    sys.stdout.flush()


def main() -> None:
    """Serve on a free port without looking."""
    setattr(Keeper, "_check", skipped)  # noqa: B010 -- a method of the real class
    loaded = load_settings(Path(sys.argv[1]), None, listen="127.0.0.1:0")
    start = Start(loaded, SystemClock(), Permissions(), announce, lambda: None)
    uvloop.run(serve(start))


if __name__ == "__main__":
    main()
