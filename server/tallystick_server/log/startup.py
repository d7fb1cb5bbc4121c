"""The local checks of a start: what is stored is re-derived before anything is signed.

    load_state    key and origin, signed head, genesis, right edge, last bundle,
                  published checkpoint: each led back to the signed root
    check_clock   the clock is not behind the log (D12)
    check_anchor  the other disk remembers no other history (D8)

The store has no checksums, and a crash leaves its last step unproven (D10): so the
last bundle is hashed again from its entries, in a log of events its records and event
ids are checked against its leaves, and every unfinished row is compared with the row
below it.  What the witnesses say comes after (see `clearance`).
"""

from __future__ import annotations

from itertools import islice, pairwise

from tallystick_merkle.checkpoint import Checkpoint
from tallystick_merkle.cosignature import open_log_checkpoint
from tallystick_merkle.errors import KernelError, OriginError, UnverifiedNoteError
from tallystick_merkle.frontier import Edge, load_edge
from tallystick_merkle.genesis import EVENTS, Genesis, parse_genesis
from tallystick_merkle.hashing import HASH_SIZE, leaf_hash, leaf_hashes, pair_up
from tallystick_merkle.keys import VerifierKey
from tallystick_merkle.proof import check_inclusion
from tallystick_merkle.rangeproof import RangeTree, range_shape
from tallystick_merkle.tile import TILE_WIDTH
from tallystick_server.errors import ClockError, IntegrityError, WrongKeyError
from tallystick_server.log.anchor import Anchor
from tallystick_server.log.commit import LogState
from tallystick_server.log.eventcheck import check_id, check_records
from tallystick_server.log.reader import Reader
from tallystick_server.storage.base import Head, LogStore, Published

MAX_BEHIND_MS = 10_000
"""How far the clock may stand behind the last head; that far it is clamped (D12)."""


def load_state(store: LogStore, key: VerifierKey) -> tuple[LogState, Published | None]:
    """Read and check where a log stands.

    Raises WrongKeyError when the log was made with another key, and IntegrityError
    when what is stored does not lead to the signed root.  Errors of the store pass.
    """
    stored = store.load()
    head, published = stored.head, stored.published
    _check_head(head, key)
    reader = Reader(store, head)
    try:
        edge = load_edge(head.size, store.read_row)
        _check_edge(edge, head)
        _check_tail(store, reader, head)
        genesis = _check_genesis(store, reader, head, origin=key.name)
        if genesis.kind == EVENTS:
            _check_tail_events(store, head)
        if published is not None:
            _check_published(published, head, reader, key)
    except KernelError as error:
        raise IntegrityError(
            f"the stored log of {key.name!r} is corrupt at size {head.size}: {error}"
        ) from error
    return LogState(key.name, edge, head, stored.vault), published


def read_genesis(store: LogStore) -> Genesis:
    """Read what the log is: leaf 0. Requires a store that `load_state` has checked."""
    return parse_genesis(store.read_entries(0, 1)[0])


def check_clock(head: Head, *, now_ms: int) -> None:
    """Raise ClockError when the clock stands too far behind the last head (D12).

    Up to 10 s behind, the writer repeats the time of the head.
    """
    behind_ms = head.time_ms - now_ms
    if behind_ms > MAX_BEHIND_MS:
        raise ClockError(
            f"the clock is {behind_ms / 1000:.1f} s behind the log's last head; "
            "set it right and start again"
        )


def check_anchor(anchor: Anchor, store: LogStore, head: Head) -> bool:
    """Compare a log with its anchor.

    Gives whether the agreement proves that the log was not set back: it does when the
    anchor held the last head, or lacked only that one, which a crash can have kept
    from it; then it is recorded now.  An anchor that is new, or further behind, was
    not kept: nothing is recorded, or the next start would take it for proof.  Whoever
    clears the log by other means records its head then.

    Raises IntegrityError when the anchor is ahead of the log or remembers another
    root: the log was set back, or replaced.  Raises StoreError when it cannot record.
    """
    last = anchor.last()
    if last is None:
        return False
    size, root = last
    if size > head.size:
        raise IntegrityError(
            f"the anchor holds size {size}, the log has only {head.size}: it was set "
            "back; bring the newer data back"
        )
    found = Reader(store, head).root(size)
    if found != root:
        raise IntegrityError(
            f"the anchor holds root {root.hex()} at size {size}, the log has "
            f"{found.hex()} there: it is another history"
        )
    if size < head.size and _heads_after(store, size) > 1:
        return False
    anchor.record(head.size, head.root)
    return True


def _heads_after(store: LogStore, size: int) -> int:
    """Count the heads over `size`; at most two are looked for."""
    return sum(1 for _ in islice(store.heads(over=size), 2))


def _check_head(head: Head, key: VerifierKey) -> None:
    """Raise unless the last head is signed by `key` and says what is stored."""
    if head.size < 1:
        raise IntegrityError("the stored log has no entry; every log has a first one")
    try:
        opened = open_log_checkpoint(head.note, origin=key.name, log_keys=[key])
    except (OriginError, UnverifiedNoteError) as error:
        raise WrongKeyError(f"the log was not made with this key: {error}") from error
    except KernelError as error:
        raise IntegrityError(f"the stored head is corrupt: {error}") from error
    if opened.checkpoint != Checkpoint(key.name, head.size, head.root):
        raise IntegrityError(
            f"the stored head is of size {head.size} and root {head.root.hex()}, its "
            f"note of size {opened.checkpoint.size} and {opened.checkpoint.root.hex()}"
        )


def _check_edge(edge: Edge, head: Head) -> None:
    """Raise unless every hash of the edge leads to the root.

    The root pins the last, odd hash of each level; every other hash has its parent
    in the unfinished row of the level above, so that comparing pins the whole edge.
    """
    if edge.root() != head.root:
        raise IntegrityError(
            f"the rows of size {head.size} lead to root {edge.root().hex()}, signed "
            f"is {head.root.hex()}"
        )
    for level, (below, above) in enumerate(pairwise(edge.tails)):
        pairs = pair_up(_split(below[: len(below) // 64 * 64]))
        if not above.endswith(b"".join(pairs)):
            raise IntegrityError(
                f"the unfinished row of level {level + 1} at size {head.size} is not "
                "made of the row below it"
            )


def _check_tail(store: LogStore, reader: Reader, head: Head) -> None:
    """Raise unless the entries of the last bundle hash to its tile and to the root."""
    size = head.size
    start = (size - 1) // TILE_WIDTH * TILE_WIDTH
    leaves = leaf_hashes(store.read_entries(start, size))
    row = store.read_row(0, start // TILE_WIDTH)
    if b"".join(leaves) != row[: len(leaves) * HASH_SIZE]:
        raise IntegrityError(f"entries from {start} on do not hash to their leaves")
    left, right = reader.range_proof(start=start, stop=size, size=size)
    shape = range_shape(start=start, stop=size, size=size)
    RangeTree(shape, leaves=leaves, left=left, right=right, root=head.root)


def _check_tail_events(store: LogStore, head: Head) -> None:
    """Raise unless the events of the last bundle have their records and their ids."""
    start = (head.size - 1) // TILE_WIDTH * TILE_WIDTH
    entries = store.read_entries(start, head.size)
    found = store.read_records(start, head.size)
    records = check_records(start, entries, found)
    used = store.find_ids([record.event_id for record in records])
    for stored, record in zip(found, records, strict=True):
        check_id(stored.index, record, used.get(record.event_id))


def _check_genesis(
    store: LogStore, reader: Reader, head: Head, *, origin: str
) -> Genesis:
    """Give leaf 0; raise unless it is of this origin, and in the tree."""
    entry = store.read_entries(0, 1)[0]
    check_inclusion(
        index=0,
        size=head.size,
        leaf=leaf_hash(entry),
        path=reader.inclusion(index=0, size=head.size),
        root=head.root,
    )
    genesis = parse_genesis(entry)
    if genesis.origin != origin:
        raise OriginError(expected=origin, found=genesis.origin)
    return genesis


def _check_published(
    published: Published, head: Head, reader: Reader, key: VerifierKey
) -> None:
    """Raise unless the published checkpoint is ours and a prefix of the last head."""
    opened = open_log_checkpoint(published.note, origin=key.name, log_keys=[key])
    if not 1 <= published.size <= head.size:
        raise IntegrityError(
            f"published is size {published.size}, the log has {head.size}"
        )
    root = reader.root(published.size)
    if opened.checkpoint != Checkpoint(key.name, published.size, root):
        raise IntegrityError(
            f"the checkpoint published at size {published.size} says size "
            f"{opened.checkpoint.size} and root {opened.checkpoint.root.hex()}, the "
            f"log has {root.hex()}"
        )


def _split(hashes: bytes) -> list[bytes]:
    return [hashes[at : at + HASH_SIZE] for at in range(0, len(hashes), HASH_SIZE)]
