"""A log that has taken the real events, for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.system.events.real import SOURCES, User, with_service
from tests.system.one_log import OneLog

PRINCIPAL = "init"
"""Whose token `server init` makes."""


@dataclass
class Grown:
    """What was emitted into a log, and what was said of it.

    `events` are all real events as they are to be read, in their order, `emitted` and
    `again` what the commands said, `sizes` the size of the log after each.
    """

    log: OneLog
    user: User
    events: list[dict[str, Any]] = field(default_factory=list)
    emitted: list[dict[str, Any]] = field(default_factory=list)
    again: list[dict[str, Any]] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)


@pytest.fixture(scope="session")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grown]:
    """A server that logs all it can, and every real event emitted into it, twice."""
    place = tmp_path_factory.mktemp("grown")
    words = ('log_level = "debug"', "access_log = true")
    with OneLog(place, *words, kind="events") as log:
        log.start()
        grown = Grown(log, User(log))
        for source in SOURCES:
            grown.events += [
                with_service(one, PRINCIPAL) for one in grown.user.mapped(source)
            ]
            grown.emitted.append(grown.user.emit(source))
            grown.sizes.append(log.size())
        for source in SOURCES:
            grown.again.append(grown.user.emit(source))
            grown.sizes.append(log.size())
        yield grown
