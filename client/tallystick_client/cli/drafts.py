"""Records of files as events to be sent: mapped, numbered, and each only once.

Numbers count up by 1 from the first record of a producer's instance.  A record that
cannot be an event keeps its number, so that the log sees the gap; one that a mapping
skips, or that was in the files before, has none.  All of it follows from the files
alone: run again, the same events come out.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from io import BufferedReader
from pathlib import Path

from tallystick_client.cli.inputs import STDIN
from tallystick_client.errors import UsageError
from tallystick_client.files import read_given
from tallystick_client.mapping.catalogue import SHIPPED, shipped
from tallystick_client.mapping.engine import RecordMapping, digest_of
from tallystick_client.mapping.reading import MAX_FILE, load_mapping
from tallystick_client.mapping.records import RecordError, format_json
from tallystick_client.mapping.sources import Raw, read_records
from tallystick_merkle.errors import MalformedError
from tallystick_merkle.event import Event, Value
from tallystick_merkle.exchange.events import draft

EVENTS = "events"
"""The source whose records are events already."""

JSONL = "jsonl"
"""The source whose records only a mapping of the user's own understands."""

SOURCES = (*SHIPPED, JSONL, EVENTS)
"""All that `--from` may name."""


MOST_KNOWN = 1_000_000
"""How many events are remembered, to leave out what is there twice."""


@dataclass(frozen=True, slots=True)
class Drafted:
    """A record and its event, or why it is none. `number` counts records from 1."""

    file: str
    number: int
    line: int
    event: Event | None
    why: str = ""


@dataclass(slots=True)
class Drafts:
    """Reads files into events.

    `mapping` is None for records that are events already; `instance` None for one that
    is named after the mapping and the first record of each file.  `key` is the secret
    of what is derived from records (see `idkey`); events need none.
    """

    mapping: RecordMapping | None
    key: bytes = field(repr=False)
    instance: str | None = None
    epoch: int = 0
    read: int = 0
    skipped: int = 0
    duplicates: int = 0
    _numbers: dict[str, int] = field(default_factory=dict)
    _known: dict[str, bytes] = field(default_factory=dict)

    def of(self, name: str) -> Iterator[Drafted]:
        """Read one file; `-` is standard input. Raises UsageError where it breaks."""
        mapping = self.mapping
        with _opened(name) as file:
            records = read_records(
                file,
                name=name,
                lists=() if mapping is None else mapping.records,
                wrapping=None if mapping is None else mapping.unwrap,
            )
            instance = self.instance
            for raw in records:
                self.read += 1
                if mapping is not None and instance is None:
                    instance = _instance_of(mapping, raw, self.key)
                drafted = self._draft(name, raw, instance or "")
                if drafted is not None:
                    yield drafted

    def _draft(self, name: str, raw: Raw, instance: str) -> Drafted | None:
        """Make one event; None for a record that is to be left out."""
        try:
            if isinstance(raw.value, RecordError):
                raise raw.value
            data = self._mapped(raw.value, raw.number)
            if data is None:
                self.skipped += 1
                return None
            if self._is_known(data):
                self.duplicates += 1
                return None
            event = draft(self._numbered(data, instance))
        except RecordError as error:
            self._next(instance)
            return Drafted(name, raw.number, raw.line, None, str(error))
        except MalformedError as error:
            place = f"{error.where}: " if error.where else ""
            return Drafted(name, raw.number, raw.line, None, f"{place}{error.why}")
        return Drafted(name, raw.number, raw.line, event)

    def _mapped(self, value: Value, number: int) -> dict[str, Value] | None:
        if self.mapping is not None:
            return self.mapping.apply(value, line=number, key=self.key)
        if not isinstance(value, dict):
            raise RecordError("not a JSON object")
        return value

    def _is_known(self, data: dict[str, Value]) -> bool:
        """Whether the same event was in these files before."""
        event_id = data.get("event_id")
        if not isinstance(event_id, str):
            return False
        digest = sha256(format_json(data).encode()).digest()[:8]
        before = self._known.setdefault(event_id, digest)
        if len(self._known) > MOST_KNOWN:
            del self._known[next(iter(self._known))]
        return before is not digest and before == digest

    def _numbered(self, data: dict[str, Value], instance: str) -> dict[str, Value]:
        """Say who the producer is, unless the event does."""
        if self.mapping is None:
            return data
        producer: Value = {
            "instance": instance,
            "epoch": self.epoch,
            "sequence": self._next(instance),
        }
        return {**data, "producer": producer}

    def _next(self, instance: str) -> int:
        number = self._numbers.get(instance, 0) + 1
        self._numbers[instance] = number
        return number


def choose_mapping(source: str | None, own: Path | None) -> RecordMapping | None:
    """Choose the mapping that `--from` and `--mapping` name; None for events."""
    if own is not None:
        if source not in {None, JSONL}:
            raise UsageError(f"--mapping goes with --from {JSONL}, not {source!r}")
        data = read_given(own, limit=MAX_FILE, what="mapping")
        return load_mapping(data, file=str(own))
    if source is None or source not in SOURCES:
        raise UsageError(f"--from is one of {', '.join(SOURCES)}")
    if source == JSONL:
        raise UsageError(f"--from {JSONL} needs --mapping FILE: your own mapping")
    return None if source == EVENTS else shipped(source)


def _instance_of(mapping: RecordMapping, first: Raw, key: bytes) -> str:
    """Name an instance after the first record of a file, whatever the file is called.

    A file that grows, or is renamed when it is rotated, stays the same instance.
    """
    value = first.value
    text = str(value) if isinstance(value, RecordError) else format_json(value)
    digest = digest_of(key, "instance", mapping.name, text)
    return f"{mapping.name}-{digest.hex()[:12]}"


@contextmanager
def _opened(name: str) -> Iterator[BufferedReader]:
    """Open a file that the user named, or standard input for `-`."""
    path = sys.stdin.fileno() if name == STDIN else Path(name)
    try:
        file = open(path, "rb", closefd=name != STDIN)  # noqa: SIM115 -- a number has no Path; closed below
    except OSError as error:
        raise UsageError(f"cannot read {name}: {error.strerror}") from error
    with file:
        yield file
