"""How a process may end whose disk fails."""

from __future__ import annotations

import json
import re

from tests.system.crash.calls import Fault
from tests.system.crash.process import Traced

CODES = frozenset({0, 5, -15})
"""It does without, or says that the disk failed: no failure of integrity or usage.

The SIGTERM that ends a run may come when a process that failed is ending already, and
takes signals no more.
"""

_TRACE = re.compile(r"^Traceback ", re.MULTILINE)


def judge_end(process: Traced) -> list[str]:
    """Say what is wrong with the end of a process that was hit.

    One that was killed has nothing to say.  One whose disk failed goes on without, or
    ends with the exit code of a disk and a word for people, never a bare traceback; but
    for what the library for log lines says when the log itself cannot be written.
    """
    point, code, said = process.point, process.process.returncode, process.said()
    assert point is not None
    if point.fault is Fault.KILL:
        return [] if code in (-9, 0) else [f"killed, it ended with {code}: {said}"]
    wrong = []
    if code not in CODES:
        wrong.append(f"ended with {code}: {said}")
    if _TRACE.search(said) and point.call.path != process.errors.name:
        wrong.append(f"a bare traceback: {said}")
    if code > 0 and not tells(said):
        wrong.append(f"ended with {code} without a word: {said!r}")
    return wrong


def tells(said: str) -> bool:
    """Whether somebody is told why: a line, or a critical record of the log."""
    for line in said.splitlines():
        if line.startswith("tallystick "):
            return True
        try:
            if json.loads(line)["level"] == "critical":
                return True
        except (ValueError, KeyError, TypeError):
            continue
    return False
