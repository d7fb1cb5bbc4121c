"""A second process that tries to take a lock which the selftest holds.

    python -m tallystick_server.selftest.second flock|fcntl FILE

Ends with EXCLUDED where the lock kept it out, with 0 where it did not.
"""

from __future__ import annotations

import fcntl
import sys
from pathlib import Path

EXCLUDED = 3
"""Exit code of a process that the lock kept out."""


def main(kind: str, file: Path) -> int:
    """Try to take the lock; give the exit code."""
    take = fcntl.flock if kind == "flock" else fcntl.lockf
    with file.open("r+b") as held:
        try:
            take(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return EXCLUDED
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
