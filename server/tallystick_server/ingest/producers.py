"""What is known of every producer of a log, and what the log is to be told about them.

    observe   every event in the order of the log, live and when catching up
    refused   an event of a producer that was not taken
    due       what the log should hold events about now, and does not
    reported  one of these is durable

A producer is a principal; under it, numbers are followed by instance and epoch (D19).
What was found and not yet told follows from the log alone, the server's own events in
it included: after a crash, catching up leads to the same state, and nothing is told
twice or forgotten.  Only counts of refused events are in no log: up to a minute of them
is lost with the process; what they said lies with the dead letters.

Bounded: MAX_STREAMS starts of instances.  Beyond, the producer with the most of them
has the one that was heard longest ago folded into a count, and that is told too.

Pure: time comes in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tallystick_merkle.event import Event, Target, Value
from tallystick_server.ingest.findings import Finding, findings, number_of
from tallystick_server.ingest.ledger import Key, Ledger
from tallystick_server.ingest.own import SERVICE, OwnEvent
from tallystick_server.ingest.streams import Stream

GAP = "producer.gap"
"""The action of an event about missing, repeated or set back numbers, or silence."""

REFUSED = "producer.refused"
"""The action of an event about events that were refused."""

MAX_STREAMS = 10_000
"""Most starts of instances that are followed in a log."""

MAX_FINDINGS = 20
"""Most findings in one event: they fit a field of it, with the longest names."""

EVERY_MS = 60_000
"""How long after an event about a producer the next one may come, for each action."""


@dataclass(frozen=True, slots=True)
class ProducerState:
    """What is known of one start of an instance, at the time of the question.

    `open` are the numbers missing past the grace.
    """

    principal: str
    stream: Stream
    open: int
    is_silent: bool


class Producers:
    """Follows the producers of one log. Not for several threads."""

    def __init__(self, *, most: int = MAX_STREAMS) -> None:
        """Know of nobody; `most` bounds the starts of instances."""
        self._most = most
        self._ledgers: dict[str, Ledger] = {}
        self._count = 0
        self._stop = 0
        self._live_ms: int | None = None

    def observe(self, index: int, event: Event, received_ms: int) -> None:
        """Take in an event of the log; one that was taken in before is passed over.

        Requires ascending indexes and times.
        """
        if index < self._stop:
            return
        self._stop = index + 1
        producer = event.producer
        ledger = self._ledger(producer.service)
        if ledger.take(index, event, received_ms):
            self._count += 1
        if self._count > self._most:
            self._fold()
        if producer.service == SERVICE:
            self._hear(event.action, event.extra.get("details"), received_ms)

    def refused(self, principal: str, code: str, count: int = 1) -> None:
        """Note that events of a producer were refused, for a reason of ours."""
        self._ledger(principal).refusals.add(code, count)

    def due(self, now_ms: int, *, is_last: bool = False) -> list[OwnEvent]:
        """Give the events that should be written now.

        They are given again until they are observed or reported: do not ask while
        some are on their way.  `is_last` (before a stop) does not wait with refusals.
        """
        if self._live_ms is None:
            self._live_ms = now_ms
        events: list[OwnEvent] = []
        for principal in sorted(self._ledgers):
            ledger = self._ledgers[principal]
            counts = ledger.refusals.pending
            if counts and (is_last or now_ms - ledger.refused_ms >= EVERY_MS):
                details: dict[str, Value] = {
                    "principal": principal,
                    "counts": dict(counts),
                }
                events.append(OwnEvent(REFUSED, details, _about(principal)))
            if ledger.needs_look and now_ms - ledger.told_ms >= EVERY_MS:
                events.extend(_gap_events(principal, ledger, now_ms, self._live_ms))
        return events

    def reported(self, event: OwnEvent, received_ms: int) -> None:
        """Note that an event of `due` is durable, received at a time.

        Whether it was observed already makes no difference.
        """
        self._hear(event.action, event.details, received_ms)
        if event.action == REFUSED:
            ledger = self._ledgers[str(event.details["principal"])]
            counts = event.details["counts"]
            ledger.refusals.tell(counts if isinstance(counts, dict) else {})

    def states(self, now_ms: int) -> Iterator[ProducerState]:
        """Give the state of each start of an instance, in the order of their first."""
        live_ms = now_ms if self._live_ms is None else self._live_ms
        pairs = [
            (stream.first_index, principal, stream)
            for principal, ledger in self._ledgers.items()
            for stream in ledger.streams.values()
        ]
        for _, principal, stream in sorted(pairs, key=lambda pair: pair[0]):
            yield ProducerState(
                principal,
                stream,
                sum(one.count for one in stream.overdue(now_ms, live_ms)),
                stream.is_silent(now_ms, live_ms),
            )

    @property
    def folded(self) -> dict[str, tuple[int, int]]:
        """By principal: how many starts were folded, and the numbers they lacked."""
        return {
            principal: (ledger.folded, ledger.folded_missing)
            for principal, ledger in sorted(self._ledgers.items())
            if ledger.folded
        }

    def dump(self) -> Value:
        """Give the state as a value: what `load` takes."""
        rows: list[Value] = [
            [principal, ledger.dump()] for principal, ledger in self._ledgers.items()
        ]
        return [self._stop, rows]

    def load(self, value: Value) -> None:
        """Take a state over, all of it.

        Raises ValueError for what `dump` did not write; then nothing has changed.
        """
        match value:
            case [int(stop), [*rows]]:
                pass
            case _:
                raise ValueError("expected [index, producers]")
        ledgers: dict[str, Ledger] = {}
        for row in rows:
            match row:
                case [str(principal), held] if principal not in ledgers:
                    ledgers[principal] = Ledger.load(held)
                case _:
                    raise ValueError("expected [principal, state], each once")
        self._stop = stop
        self._ledgers = ledgers
        self._count = sum(len(ledger.streams) for ledger in ledgers.values())

    def _ledger(self, principal: str) -> Ledger:
        """Find what is known of a principal, or begin."""
        return self._ledgers.setdefault(principal, Ledger())

    def _fold(self) -> None:
        """Fold a start of the principal that has the most, the longest unheard."""
        fullest = max(self._ledgers.values(), key=lambda ledger: len(ledger.streams))
        fullest.fold_oldest()
        self._count -= 1

    def _hear(
        self, action: str, details: Value | Mapping[str, Value], received_ms: int
    ) -> None:
        """Mark what an event of our own says as told."""
        if not isinstance(details, Mapping):
            return
        ledger = self._ledgers.get(str(details.get("principal")))
        if ledger is None:
            return
        if action == REFUSED:
            ledger.refused_ms = max(ledger.refused_ms, received_ms)
        elif action == GAP:
            ledger.told_ms = max(ledger.told_ms, received_ms)
            said = details.get("findings")
            for finding in said if isinstance(said, list) else ():
                if isinstance(finding, dict):
                    ledger.tell(finding, _key_of(finding))


def _gap_events(
    principal: str, ledger: Ledger, now_ms: int, live_ms: int
) -> Iterator[OwnEvent]:
    """Give the one event about a principal that is due, if any."""
    found: list[Finding] = list(ledger.folding())
    for stream in ledger.watched():
        found += findings(stream, now_ms, live_ms)
        if len(found) >= MAX_FINDINGS:
            break
    if found:
        told = found[:MAX_FINDINGS]
        kinds: list[Value] = [*sorted({str(one["kind"]) for one in told})]
        listed: list[Value] = list(told)
        details: dict[str, Value] = {
            "principal": principal,
            "kinds": kinds,
            "findings": listed,
        }
        yield OwnEvent(GAP, details, _about(principal))


def _about(principal: str) -> tuple[Target]:
    """Name the producer that an event is about."""
    return (Target("producer", principal, person=False),)


def _key_of(finding: Finding) -> Key:
    return str(finding.get("instance")), number_of(finding, "epoch")
