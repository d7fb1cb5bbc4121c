"""What a log shows to the world: the bytes that must never change for one history."""

from __future__ import annotations

from hashlib import sha256

from tallystick_merkle.hashing import leaf_hash
from tallystick_merkle.tile import Tile, format_tile_path, tiles_of
from tallystick_server.clock import SetClock
from tallystick_server.log import answers
from tallystick_server.log.log import Identity, Log, LogLimits
from tallystick_server.log.sequencer import Ack
from tallystick_server.web.answering import batch_answer, entry_answer
from tests.golden.deployment import LOG, LOG_KEY, ORIGIN, POLICY, OpenLog
from tests.golden.story import (
    BATCH_KEY,
    PROMISED_INDEX,
    SINGLE_KEY,
    WITNESSED_INDEXES,
    steps,
)

_SMALL = 10_000


def outputs(log: OpenLog) -> dict[str, bytes]:
    """Give the answers of the log by name: heads, receipts, tiles, append answers."""
    assert log.published is not None
    head, reader = log.writer.state.head, log.reader
    published, size = log.published.note, log.published.size
    made = {"checkpoint": published, "promised-head": head.note}
    for index in WITNESSED_INDEXES:
        made[f"receipt-{index}-witnessed.tlog-proof"] = reader.receipt(
            index=index, size=size, root=reader.root(size), note=published
        )
    made[f"receipt-{PROMISED_INDEX}-promised.tlog-proof"] = reader.receipt(
        index=PROMISED_INDEX, size=head.size, root=head.root, note=head.note
    )
    for tile in tiles_of(head.size):
        made[_name(tile)] = reader.tile(tile)
    made["bundle-1.p-46"] = reader.bundle(Tile(-1, 1, head.size - 256))
    made["answer-entry.json"] = _entry_answer(log)
    made["answer-batch.json"] = _batch_answer(log)
    made["answer-batch-promised.json"] = _batch_answer(log, is_witnessed=False)
    return {name: data for name, data in made.items() if len(data) <= _SMALL}


def digests(log: OpenLog) -> dict[str, str]:
    """Give the SHA-256 of what is too large to keep: each bundle, and all rows."""
    head, reader = log.writer.state.head, log.reader
    rows = sha256()
    for level in range(head.size.bit_length()):
        for block in range((head.size >> level) + 255 >> 8):
            rows.update(log.store.read_row(level, block))
    return {
        "bundle-0": sha256(reader.bundle(Tile(-1, 0))).hexdigest(),
        "rows": rows.hexdigest(),
        "genesis": sha256(log.store.read_entries(0, 1)[0]).hexdigest(),
        "proofs": _proofs(log, head.size),
    }


def _proofs(log: OpenLog, size: int) -> str:
    """Hash every inclusion path at the newest head, and consistency to each size."""
    found = sha256()
    for index in range(size):
        found.update(b"".join(log.reader.inclusion(index=index, size=size)))
    for old in range(1, size):
        found.update(b"".join(log.reader.consistency(old=old, new=size)))
    return found.hexdigest()


def _entry_answer(log: OpenLog) -> bytes:
    """The answer to a repeat of an append, witnessed by now."""
    entries = dict(steps())[SINGLE_KEY]
    placed, _ = log.append(SINGLE_KEY, *entries)
    leaf = leaf_hash(entries[0])
    assert placed.is_repeat
    assert log.published is not None
    receipt = answers.witnessed(_shown(log), log.published, placed.first, leaf)
    return entry_answer(
        placed, leaf=leaf, receipt=receipt, size=log.published.size, is_witnessed=True
    )


def _batch_answer(log: OpenLog, *, is_witnessed: bool = True) -> bytes:
    """The answer to a repeat of a batch."""
    entries = dict(steps())[BATCH_KEY]
    placed, released = log.append(BATCH_KEY, *entries)
    leaves = [leaf_hash(entry) for entry in entries]
    assert placed.is_repeat
    assert log.published is not None
    shown = _shown(log)
    if is_witnessed:
        proof = answers.witnessed_batch(shown, log.published, placed.first, leaves)
    else:
        proof = answers.batch(shown, Ack(placed, released.head, None), leaves)
    return batch_answer(
        placed,
        entries=entries,
        leaves=leaves,
        proof=proof,
        time_ms=placed.time_ms,
        is_witnessed=is_witnessed,
    )


def _shown(log: OpenLog) -> Log:
    """The log as handlers see it."""
    return Log(
        Identity(LOG, ORIGIN, "raw", LOG_KEY.verifier),
        reader=log.reader,
        head=log.writer.state.head,
        published=log.published,
        policy=POLICY,
        clock=SetClock(),
        limits=LogLimits(),
        free_bytes=lambda: 1 << 40,
    )


def _name(tile: Tile) -> str:
    return format_tile_path(tile).replace("/", "-")
