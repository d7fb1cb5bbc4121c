"""Keep the inputs that lead where no kept one does: `python -m tests.fuzz.merge DIR`.

DIR holds a folder of inputs for each target, such as the corpora of a long run.  What
is compared are the steps from line to line in our own packages; the shortest inputs
are looked at first, and few of a target are kept.
"""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from types import FrameType
from typing import Any

from tests.fuzz.folders import CORPUS, kept
from tests.fuzz.registry import GROUPS, target
from tests.fuzz.target import Target

LONGEST = 2048
"""Longest input that is taken, in bytes."""

MOST = 24
"""Most inputs that one merge adds to a target."""

Step = tuple[str, int, int]


def main(source: Path) -> None:
    """Merge the inputs of every target."""
    logging.disable()
    for name in GROUPS:
        feed = target(name)
        known: set[Step] = set()
        for _, data in kept(name):
            known |= steps(feed, data)
        found = (path.read_bytes() for path in (source / name).glob("*"))
        added = 0
        for data in sorted(found, key=len):
            if len(data) > LONGEST or added == MOST:
                break
            fresh = steps(feed, data) - known
            if fresh:
                known |= fresh
                added += 1
                (CORPUS / name / sha256(data).hexdigest()[:16]).write_bytes(data)
        sys.stdout.write(f"{name}: {added} added, {len(known)} steps\n")


def steps(feed: Target, data: bytes) -> set[Step]:
    """Run an input and give the steps that it took."""
    found: set[Step] = set()

    def trace(frame: FrameType, event: str, argument: object) -> Any:  # noqa: ANN401 -- what the interpreter asks for
        name = frame.f_code.co_filename
        if "tallystick_" not in name:
            return None
        last = 0

        def line(frame: FrameType, event: str, argument: object) -> Any:  # noqa: ANN401 -- as above
            nonlocal last
            found.add((name, last, frame.f_lineno))
            last = frame.f_lineno
            return line

        return line

    sys.settrace(trace)
    try:
        with suppress(Exception):
            feed(data)
    finally:
        sys.settrace(None)
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1]))
