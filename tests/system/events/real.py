"""The recorded events of other systems, and the commands that bring them into a log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tallystick_merkle.exchange.eventreading import ReadEvent, list_events
from tallystick_merkle.policy import format_policy
from tests.system.drive import drive
from tests.system.one_log import OneLog
from tests.system.stack import LOG, run_json

TREE = Path(__file__).resolve().parents[3]
RECORDS = TREE / "tests" / "vectors" / "events"
SAMPLES = TREE / "client" / "tallystick_client" / "samples"


@dataclass(frozen=True, slots=True)
class Source:
    """A file of records: the mapping that fits, and how many events it comes to."""

    mapping: str
    file: Path
    count: int


SOURCES = (
    Source("cloudtrail", SAMPLES / "cloudtrail-103.ndjson", 103),
    Source("windows", RECORDS / "windows-1749.ndjson.gz", 1749),
    Source("kubernetes", RECORDS / "eks-audit.json", 1),
)


class User:
    """Somebody who emits into a log, by commands."""

    def __init__(self, log: OneLog) -> None:
        """Write the files that the commands need."""
        self._log = log
        self._place = log.directory / "user"
        self._place.mkdir()
        (self._place / "policy").write_bytes(format_policy(log.policy))
        (self._place / "token").write_text(log.token, encoding="utf-8")

    def run(self, *words: str) -> dict[str, Any]:
        """Run a command about the log; give its JSON object."""
        place = self._place
        return run_json(
            *words, "--server", self._log.url, "--log", LOG,
            "--policy", str(place / "policy"), "--token-file", str(place / "token"),
            "--state", str(place / "state"),
        )  # fmt: skip

    def mapped(self, source: Source) -> list[dict[str, Any]]:
        """Give the events that the records of a file come to, as they would be sent."""
        words = ["emit", "--from", source.mapping, "--dry-run", str(source.file)]
        made = run_json(*words, "--state", str(self._place / "state"))
        assert made["refused"] == []
        events: list[dict[str, Any]] = made["events"]
        return events

    def emit(self, source: Source) -> dict[str, Any]:
        """Emit a file of records."""
        return self.run("emit", "--from", source.mapping, str(source.file))


def read_events(log: OneLog, *, limit: int) -> Iterator[ReadEvent]:
    """Read all events of a log, page after page."""
    after: int | None = None
    while True:
        page = drive(list_events(log.address, after=after, limit=limit))
        assert len(page.events) <= limit
        yield from page.events
        if not page.has_more:
            return
        after = page.next_after


def with_service(event: Mapping[str, Any], service: str) -> dict[str, Any]:
    """Give an event as it is read: with the service that the token stands for."""
    return {**event, "producer": {"service": service, **event["producer"]}}
