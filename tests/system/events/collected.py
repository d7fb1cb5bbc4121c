"""All places of one log, and which needles are in them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from tests.system.events.needles import Needle
from tests.system.events.places import Place, kept_beside, served, stored
from tests.system.events.scan import Hit, Scanner
from tests.system.one_log import OneLog

_COUNTED = re.compile(rb'(HTTP/1\.1\\" \d{3} |"(?:response_size|pid)": )\d+')
"""Numbers that the server counts itself: they equal some value now and then."""


@dataclass(frozen=True)
class Found:
    """A needle in a place."""

    place: str
    hit: Hit

    def __str__(self) -> str:
        """Say what was found where."""
        return f"{self.place}: {self.hit}"


def collect(log: OneLog) -> list[Place]:
    """Take every place of a log that is served; it is stopped on the way."""
    places = list(served(log))
    daemon = log.daemon
    assert daemon is not None
    assert daemon.stop() == 0
    places += stored(log.data)
    places += kept_beside(log.data)
    lines = _COUNTED.sub(rb"\1", daemon.errors.read_bytes())
    places.append(("lines of the log", lines))
    return places


def search(
    places: Iterable[Place],
    needles: Sequence[Needle],
    *,
    but: Callable[[str], bool] = lambda _name: False,
) -> list[Found]:
    """Find all needles in all places whose name is not excepted."""
    scanner = Scanner(needles)
    return [
        Found(name, hit)
        for name, data in places
        if not but(name)
        for hit in scanner.find(data)
    ]
