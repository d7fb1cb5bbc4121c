"""What is known of one principal: the starts of its instances, and what was folded.

Starts stand in the order in which they were last heard.
"""

from __future__ import annotations

from bisect import insort
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tallystick_merkle.event import Event, Value
from tallystick_server.ingest import remembering
from tallystick_server.ingest.findings import Finding, number_of, tell
from tallystick_server.ingest.refusals import Refusals
from tallystick_server.ingest.streams import Stream, open_stream

Key = tuple[str, int]
"""An instance and its epoch."""


@dataclass(slots=True)
class Ledger:
    """What is known of one principal.

    `told_ms` and `refused_ms` are when the last events about it were received; `folded`
    starts are not followed any more, and lacked `folded_missing` numbers.
    """

    streams: OrderedDict[Key, Stream] = field(default_factory=OrderedDict)
    refusals: Refusals = field(default_factory=Refusals)
    told_ms: int = 0
    refused_ms: int = 0
    folded: int = 0
    folded_missing: int = 0
    folded_told: int = 0
    _epochs: dict[str, list[int]] = field(default_factory=dict)
    _watched: set[Key] = field(default_factory=set)

    def take(self, index: int, event: Event, received_ms: int) -> bool:
        """Take in an event; say whether one more start is followed for it."""
        key = event.producer.instance, event.producer.epoch
        stream = self.streams.get(key)
        is_new = stream is None
        if stream is None:
            stream = open_stream(index, event, received_ms)
            self._add(key, stream)
        else:
            stream.take(index, event, received_ms)
            self.streams.move_to_end(key)
        if stream.needs_watching():
            self._watched.add(key)
        return is_new

    @property
    def needs_look(self) -> bool:
        """Whether there may be something to tell."""
        return bool(self._watched) or self.folded > self.folded_told

    def watched(self) -> Iterator[Stream]:
        """Give the starts about which there may be something to tell, by name."""
        for key in sorted(self._watched):
            stream = self.streams[key]
            if stream.needs_watching():
                yield stream
            else:
                self._watched.discard(key)

    def folding(self) -> Iterator[Finding]:
        """Say what was folded, if that was not told."""
        if self.folded > self.folded_told:
            yield {
                "kind": "folded",
                "count": self.folded,
                "missing": self.folded_missing,
            }

    def tell(self, finding: Mapping[str, Value], key: Key) -> None:
        """Mark what a finding says as told; it may be about a start that is folded."""
        stream = self.streams.get(key)
        if finding.get("kind") == "folded":
            told = min(self.folded, number_of(finding, "count"))
            self.folded_told = max(self.folded_told, told)
        elif stream is not None:
            tell(stream, finding)

    def fold_oldest(self) -> None:
        """Give up the start that was heard longest ago. Requires that there is one."""
        key, stream = self.streams.popitem(last=False)
        self._watched.discard(key)
        epochs = self._epochs[key[0]]
        epochs.remove(key[1])
        if not epochs:
            del self._epochs[key[0]]
        self.folded += 1
        self.folded_missing += stream.sequence.missing + stream.sequence.lost

    def dump(self) -> Value:
        """Give all but the refusals as a value."""
        told: list[Value] = [self.told_ms, self.refused_ms]
        folded: list[Value] = [self.folded, self.folded_missing, self.folded_told]
        streams = [remembering.dump(stream) for stream in self.streams.values()]
        return [told, folded, streams]

    @classmethod
    def load(cls, value: Value) -> Ledger:
        """Read what `dump` wrote; raise ValueError for another thing."""
        match value:
            case [
                [int(told_ms), int(refused_ms)],
                [int(folded), int(missing), int(told)],
                [*rows],
            ]:
                ledger = cls(
                    told_ms=told_ms,
                    refused_ms=refused_ms,
                    folded=folded,
                    folded_missing=missing,
                    folded_told=told,
                )
            case _:
                raise ValueError("expected what is known of a producer")
        for row in rows:
            stream = remembering.load(row)
            key = stream.instance, stream.epoch
            if key in ledger.streams:
                raise ValueError("the same start of an instance twice")
            ledger._add(key, stream)
            if stream.needs_watching():
                ledger._watched.add(key)
        return ledger

    def _add(self, key: Key, stream: Stream) -> None:
        """Follow one more start; only the newest of an instance goes on."""
        instance, epoch = key
        epochs = self._epochs.setdefault(instance, [])
        if epochs and epoch < epochs[-1]:
            stream.is_over = True
        elif epochs:
            self.streams[instance, epochs[-1]].is_over = True
        insort(epochs, epoch)
        self.streams[key] = stream
