"""What one can do with a log, written once: generators that both clients drive.

Every method keeps the same promises.  A receipt is checked before it is seen, and kept
as promised until a witnessed head holds it.  A head is believed only after it was
shown to extend the one believed before.  And whatever proves that a log misbehaved is
on the disk before anybody is told (see `guard`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from tallystick_client.auditing import Progress, hash_to
from tallystick_client.errors import BeyondHeadError, StaleHeadError, StateError
from tallystick_client.guard import Reading, guarded, size_of
from tallystick_client.idempotency import new_key
from tallystick_client.results import Audited, Head, Proven, Upgrade
from tallystick_client.transport import ClientExchange, T, on_disk
from tallystick_client.trust import Trust
from tallystick_merkle.errors import InconsistentError
from tallystick_merkle.exchange.appending import (
    Appended,
    AppendedBatch,
    LogAddress,
    append_batch,
    append_entry,
)
from tallystick_merkle.exchange.base import Exchange, Pause, Retry
from tallystick_merkle.exchange.reading import TileReader
from tallystick_merkle.exchange.trusting import (
    Held,
    prove_entry,
    read_head,
    upgrade_receipts,
)
from tallystick_merkle.frontier import EMPTY_EDGE
from tallystick_merkle.hashing import leaf_hash
from tallystick_merkle.note import format_note, parse_note
from tallystick_merkle.policy import Policy
from tallystick_merkle.receipt import Receipt, Status
from tallystick_merkle.tile import ENTRIES, TILE_WIDTH, Tile, tile_width

Wait = Literal["durable", "witnessed"]
"""What an append waits for: the disk of the log, or the policy's witnesses."""

MOST_RACES = 8
"""How often a head is read again because another program advanced the trust."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for a head that is large enough: `attempts` reads, paused."""

    attempts: int = 1
    pause_s: float = 0.5


ONE_LOOK = Patience()
"""Look once, and do not wait."""


@dataclass(slots=True)
class Session:
    """One log under one policy, with what is remembered of it."""

    log: LogAddress
    policy: Policy
    trust: Trust
    retry: Retry | None = None
    draw_key: Callable[[], str] = field(default=new_key, repr=False)

    def append(
        self, entry: bytes, *, key: str | None, wait: Wait, timeout_s: float
    ) -> ClientExchange[Appended]:
        """Append one entry; keep and return its checked receipt."""
        return self._guard(self._append(entry, key, wait, timeout_s), self._reader())

    def append_batch(
        self, entries: Sequence[bytes], *, key: str | None, wait: Wait, timeout_s: float
    ) -> ClientExchange[AppendedBatch]:
        """Append many entries; keep their checked receipts."""
        return self._guard(
            self._append_batch(entries, key, wait, timeout_s), self._reader()
        )

    def head(self) -> ClientExchange[Head]:
        """Read the newest head and believe it, if it extends the one before."""
        reader = self._reader()
        return self._guard(self._head(reader), reader)

    def upgrade(
        self, held: Sequence[Held] | None, *, patience: Patience
    ) -> ClientExchange[Upgrade]:
        """Turn promised receipts into witnessed ones; None means all that are kept."""
        reader = self._reader()
        return self._guard(self._upgrade(reader, held, patience), reader)

    def prove(self, index: int, entry: bytes | None) -> ClientExchange[Proven]:
        """Make a receipt for an entry from tiles; None fetches the entry too."""
        reader = self._reader()
        return self._guard(self._prove(reader, index, entry), reader)

    def audit(
        self, progress: Progress | None, *, from_start: bool
    ) -> ClientExchange[Audited]:
        """Hash the log, all of it or from where the last audit stopped."""
        reader = self._reader()
        return self._guard(self._audit(reader, progress, from_start), reader)

    def _reader(self) -> Reading:
        """Make the tile reader of one operation."""
        log = self.log
        return Reading(log.read_url, token=log.read_token, retry=self.retry)

    def _guard(self, exchange: ClientExchange[T], reader: Reading) -> ClientExchange[T]:
        """Have the evidence kept if the exchange finds any."""
        return guarded(exchange, self.trust, origin=self.log.origin, reader=reader)

    def _append(
        self, entry: bytes, key: str | None, wait: Wait, timeout_s: float
    ) -> ClientExchange[Appended]:
        appended = yield from append_entry(
            self.log,
            entry,
            policy=self.policy,
            key=self.draw_key() if key is None else key,
            wait=wait,
            timeout_s=timeout_s,
            retry=self.retry,
        )
        held = [Held(appended.receipt, appended.leaf)]
        yield from self._keep(held, appended.status)
        return appended

    def _append_batch(
        self, entries: Sequence[bytes], key: str | None, wait: Wait, timeout_s: float
    ) -> ClientExchange[AppendedBatch]:
        batch = yield from append_batch(
            self.log,
            entries,
            policy=self.policy,
            key=self.draw_key() if key is None else key,
            wait=wait,
            timeout_s=timeout_s,
            retry=self.retry,
        )
        yield from self._keep(held_of(batch), batch.status)
        return batch

    def _keep(self, held: list[Held], status: Status) -> ClientExchange[None]:
        """Keep receipts as what they are, without signatures of strangers."""
        if not held or not self.trust.keeps_receipts:
            return
        held = without_strangers(held, self.policy)
        if status is Status.WITNESSED:
            yield from on_disk(lambda: self.trust.keep_witnessed(held))
            return
        conflict = yield from on_disk(lambda: self.trust.keep_promised(held))
        if conflict is not None:
            raise InconsistentError(
                f"fork of {self.log.origin!r}: two heads of one size were promised "
                "with different roots",
                first=conflict,
                second=held[0].receipt.checkpoint,
            )

    def _head(self, reader: Reading) -> ClientExchange[Head]:
        """Read the head; advance the trust to it when it meets the policy."""
        for _ in range(MOST_RACES):
            reader.believed = believed = yield from on_disk(self.trust.believed)
            judged = yield from read_head(
                reader, policy=self.policy, origin=self.log.origin, trusted=believed
            )
            head = Head(judged, size_of(reader.served or b""))
            new = judged.opened.raw
            if not judged.is_met or new == believed:
                return head
            if (yield from self._advance(believed, new)):
                return head
        raise StateError("other programs keep advancing the believed head: try again")

    def _advance(self, old: bytes | None, new: bytes) -> ClientExchange[bool]:
        return (yield from on_disk(lambda: self.trust.advance(old=old, new=new)))

    def _upgrade(
        self, reader: Reading, given: Sequence[Held] | None, patience: Patience
    ) -> ClientExchange[Upgrade]:
        held = list(given) if given is not None else None
        if held is None:
            held = yield from on_disk(self.trust.promised)
        done: list[Receipt] = []
        for attempt in range(1, patience.attempts + 1):
            head = yield from self._head(reader)
            if head.judged.is_witnessed:
                ready, held = yield from self._upgrade_to(reader, held, head)
                done += [item.receipt for item in ready]
            if not held or attempt == patience.attempts:
                waiting = tuple(item.receipt for item in held)
                return Upgrade(head, tuple(done), waiting)
            yield Pause(patience.pause_s, 0.0)
        raise ValueError("an upgrade of no attempts")

    def _upgrade_to(
        self, reader: Reading, held: list[Held], head: Head
    ) -> ClientExchange[tuple[list[Held], list[Held]]]:
        """Upgrade what the head holds, keep it, and say what has to wait."""
        receipts = yield from upgrade_receipts(
            reader, held, head=head.judged, policy=self.policy
        )
        pairs = list(zip(held, receipts, strict=True))
        ready = [replace(old, receipt=new) for old, new in pairs if new is not None]
        done = [old for old, new in pairs if new is not None]
        if ready and self.trust.keeps_receipts:
            yield from on_disk(
                lambda: self.trust.keep_witnessed(ready, discharged=done)
            )
        return ready, [old for old, new in pairs if new is None]

    def _prove(
        self, reader: Reading, index: int, entry: bytes | None
    ) -> ClientExchange[Proven]:
        head = yield from self._head(reader)
        if index >= head.size:
            raise BeyondHeadError(index=index, size=head.size)
        if entry is None:
            entry = yield from read_entry(reader, index, head.size)
        leaf = leaf_hash(entry)
        receipt = yield from prove_entry(
            reader, index=index, leaf=leaf, head=head.judged, policy=self.policy
        )
        is_witnessed = head.judged.is_witnessed
        status = Status.WITNESSED if is_witnessed else Status.PROMISED
        yield from self._keep([Held(receipt, leaf)], status)
        return Proven(entry, leaf, receipt, status)

    def _audit(
        self, reader: Reading, progress: Progress | None, from_start: bool
    ) -> ClientExchange[Audited]:
        head = yield from self._head(reader)
        if head.is_stale:
            raise StaleHeadError(served=head.served_size, believed=head.size)
        head.judged.require_met()
        edge = yield from on_disk(self.trust.edge)
        # Beyond the head: the believed one was removed by hand.
        if from_start or edge.size > head.size:
            edge = EMPTY_EDGE
        yield from hash_to(reader, edge, head=head, trust=self.trust, progress=progress)
        return Audited(head, edge.size)


def held_of(given: Appended | AppendedBatch | Held) -> list[Held]:
    """Give the receipts of an append, or of a batch, with their leaves."""
    if isinstance(given, Held):
        return [given]
    if isinstance(given, Appended):
        return [Held(given.receipt, given.leaf)]
    return [
        Held(given.receipt(position), given.leaves[position])
        for position in given.positions
    ]


def without_strangers(held: Sequence[Held], policy: Policy) -> list[Held]:
    """Drop the signature lines of keys that the policy does not know.

    They prove nothing, and a log could have megabytes of them kept with each receipt.
    """
    keys = {(log.key.name, log.key.key_id) for log in policy.logs}
    keys |= {(entry.key.name, entry.key.key_id) for entry in policy.witnesses}
    notes: dict[bytes, bytes] = {}
    kept = []
    for item in held:
        whole = item.receipt.checkpoint
        if whole not in notes:
            note = parse_note(whole)
            known = [one for one in note.signatures if (one.name, one.key_id) in keys]
            notes[whole] = format_note(replace(note, signatures=tuple(known)))
        receipt = replace(item.receipt, checkpoint=notes[whole])
        kept.append(replace(item, receipt=receipt))
    return kept


def read_entry(reader: TileReader, index: int, size: int) -> Exchange[bytes]:
    """Fetch one entry from its bundle. Requires index < size."""
    block = index // TILE_WIDTH
    bundle = Tile(ENTRIES, block, tile_width(ENTRIES, block, size))
    (entries,) = yield from reader.entries([bundle])
    return entries[index % TILE_WIDTH]
