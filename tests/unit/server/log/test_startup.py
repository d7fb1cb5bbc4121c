"""What a start re-derives before it signs: every stored thing, damaged one by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from tallystick_merkle.checkpoint import Checkpoint
from tallystick_merkle.frontier import EMPTY_EDGE, grow
from tallystick_merkle.genesis import Genesis, format_genesis
from tallystick_merkle.hashing import EMPTY_ROOT, leaf_hashes
from tallystick_merkle.keys import KeyType, make_signing_key
from tallystick_merkle.note import Note, format_note, sign_note
from tallystick_merkle.shape import Node
from tallystick_server.errors import (
    IntegrityError,
    StoreError,
    WrongKeyError,
)
from tallystick_server.log.startup import (
    load_state,
    read_genesis,
)
from tallystick_server.storage.base import (
    Commit,
    Head,
    LogStore,
    Published,
    StoredLog,
)
from tallystick_server.storage.memory import MemoryStore
from tests.fakes.faults import FaultyStore
from tests.fakes.grown import log_of, writer_of
from tests.fakes.logs import (
    ORIGIN,
    MemoryLog,
    check_log,
    log_key,
    memory_log,
    submission,
)

KEY = log_key().verifier
SIZES = [1, 2, 3, 7, 8, 255, 256, 257, 300, 511, 512, 513, 770]


class Damaged(FaultyStore):
    """A store that reads something else than what was written."""

    def __init__(self, inner: LogStore) -> None:
        super().__init__(inner)
        self.rows: dict[tuple[int, int], Callable[[bytes], bytes]] = {}
        self.entries: dict[int, bytes] = {}
        self.stored: StoredLog | None = None

    def load(self) -> StoredLog:
        return self.stored or self.inner.load()

    def read_row(self, level: int, block: int) -> bytes:
        row = self.inner.read_row(level, block)
        return self.rows.get((level, block), unchanged)(row)

    def read_nodes(self, nodes: Sequence[Node]) -> list[bytes]:
        hashes = []
        for level, position in nodes:
            at = (position & 255) * 32
            hashes.append(self.read_row(level, position >> 8)[at : at + 32])
        return hashes

    def read_entries(self, start: int, stop: int) -> list[bytes]:
        found = self.inner.read_entries(start, stop)
        return [self.entries.get(start + at, one) for at, one in enumerate(found)]


def unchanged(row: bytes) -> bytes:
    return row


def flip(at: int) -> Callable[[bytes], bytes]:
    """Flip one bit of the byte at `at`."""
    return lambda row: row[:at] + bytes([row[at] ^ 1]) + row[at + 1 :]


def with_head(
    store: LogStore,
    *,
    size: int | None = None,
    root: bytes | None = None,
    note: bytes | None = None,
) -> Damaged:
    """A store whose last head says something else."""
    damaged = Damaged(store)
    stored = store.load()
    old = stored.head
    head = Head(
        old.size if size is None else size,
        root or old.root,
        old.note if note is None else note,
        old.time_ms,
    )
    damaged.stored = StoredLog(head, stored.published)
    return damaged


@pytest.mark.parametrize("size", SIZES)
def test_a_whole_log_loads_as_it_was_left(size: int) -> None:
    log = log_of(size)

    state, published = load_state(log.store, KEY)

    assert state == log.state
    assert published is None
    assert len(check_log(log.store)) == size


@pytest.mark.parametrize("size", [2, 300, 770])
def test_the_published_checkpoint_is_loaded(size: int) -> None:
    log = log_of(size, published=size // 2)

    _, published = load_state(log.store, KEY)

    assert published == log.store.load().published
    assert published is not None
    assert published.size == size // 2


def test_a_loaded_log_goes_on() -> None:
    log = log_of(300)
    log.state, _ = load_state(log.store, KEY)

    writer_of(log).commit([submission("more", b"one more")])

    assert check_log(log.store)[-1] == b"one more"


def test_the_genesis_entry_is_read() -> None:
    genesis = read_genesis(log_of(5).store)

    assert (genesis.kind, genesis.origin) == ("raw", ORIGIN)


def test_another_key_of_the_same_origin_is_the_wrong_key() -> None:
    with pytest.raises(WrongKeyError, match="no known key signed"):
        load_state(log_of(5).store, log_key(2).verifier)


def test_a_key_of_another_origin_is_the_wrong_key() -> None:
    other = make_signing_key(
        name="example.com/other", type=KeyType.ED25519, seed=b"\1" * 32
    )

    with pytest.raises(WrongKeyError, match="not made with this key"):
        load_state(log_of(5).store, other.verifier)


def test_another_text_under_our_line_is_corrupt() -> None:
    log = log_of(5)
    note = log.store.load().head.note
    text, _, line = note.partition(b"\n\n")

    with pytest.raises(IntegrityError, match="stored head is corrupt"):
        load_state(with_head(log.store, note=text[:-2] + b"A=\n\n" + line), KEY)


@pytest.mark.parametrize("note", [b"", b"nonsense", b"\xff\n\n"])
def test_a_head_that_is_no_note_is_corrupt(note: bytes) -> None:
    with pytest.raises(IntegrityError, match="stored head is corrupt"):
        load_state(with_head(log_of(5).store, note=note), KEY)


def test_a_head_that_says_another_size_than_its_note_is_corrupt() -> None:
    with pytest.raises(IntegrityError, match="its note of size 5"):
        load_state(with_head(log_of(5).store, size=4), KEY)


def test_a_head_that_says_another_root_than_its_note_is_corrupt() -> None:
    with pytest.raises(IntegrityError, match="its note of size 5"):
        load_state(with_head(log_of(5).store, root=b"r" * 32), KEY)


def test_a_log_without_entries_is_corrupt() -> None:
    log = log_of(1)
    note = log.signer.sign(Checkpoint(ORIGIN, 0, EMPTY_ROOT))

    with pytest.raises(IntegrityError, match="no entry"):
        load_state(with_head(log.store, size=0, root=EMPTY_ROOT, note=note), KEY)


def test_a_head_with_extension_lines_is_not_ours() -> None:
    log = log_of(1)
    note = log.store.load().head.note
    text = note.partition(b"\n\n")[0] + b"\nextra\n"
    signed = format_note(Note(text, (sign_note(text, log_key()),)))

    with pytest.raises(IntegrityError, match="its note of size 1"):
        load_state(with_head(log.store, note=signed), KEY)


def test_a_head_of_another_tree_is_corrupt() -> None:
    log = log_of(5)
    note = log.signer.sign(Checkpoint(ORIGIN, 5, b"r" * 32))

    with pytest.raises(IntegrityError, match="lead to root"):
        load_state(with_head(log.store, root=b"r" * 32, note=note), KEY)


def test_a_head_ahead_of_the_rows_is_corrupt() -> None:
    log = log_of(5)
    note = log.signer.sign(Checkpoint(ORIGIN, 6, b"r" * 32))
    damaged = with_head(log.store, size=6, root=b"r" * 32, note=note)

    with pytest.raises(IntegrityError, match="corrupt at size 6"):
        load_state(damaged, KEY)


@pytest.mark.parametrize("size", [7, 300, 513, 770])
def test_a_flipped_bit_in_any_unfinished_row_is_found(size: int) -> None:
    log = log_of(size)
    places = [
        (level, size >> level >> 8, at)
        for level, tail in enumerate(log.state.edge.tails)
        for at in range(0, len(tail), 32)
    ]

    for level, block, at in places:
        damaged = Damaged(log.store)
        damaged.rows[level, block] = flip(at)
        with pytest.raises(IntegrityError):
            load_state(damaged, KEY)


@pytest.mark.parametrize("size", [256, 512])
def test_a_flipped_bit_in_the_last_full_tile_is_found(size: int) -> None:
    log = log_of(size)

    for at in range(0, 256 * 32, 32):
        damaged = Damaged(log.store)
        damaged.rows[0, size // 256 - 1] = flip(at)
        with pytest.raises(IntegrityError):
            load_state(damaged, KEY)


def test_a_row_cut_short_is_found() -> None:
    log = log_of(300)
    damaged = Damaged(log.store)
    damaged.rows[0, 1] = lambda row: row[:-1]

    with pytest.raises(IntegrityError, match="row of level 0"):
        load_state(damaged, KEY)


@pytest.mark.parametrize(("size", "first"), [(7, 0), (256, 0), (300, 256), (512, 256)])
def test_an_altered_entry_of_the_last_bundle_is_found(size: int, first: int) -> None:
    log = log_of(size)

    for index in range(first, size):
        damaged = Damaged(log.store)
        damaged.entries[index] = b"altered"
        with pytest.raises(IntegrityError, match="do not hash"):
            load_state(damaged, KEY)


def test_an_altered_entry_and_leaf_of_a_full_tile_are_found() -> None:
    log = log_of(512)
    damaged = Damaged(log.store)
    damaged.entries[300] = b"altered"
    altered = leaf_hashes([b"altered"])[0]
    damaged.rows[0, 1] = lambda row: row[: 44 * 32] + altered + row[45 * 32 :]

    with pytest.raises(IntegrityError, match="not in the tree"):
        load_state(damaged, KEY)


def test_an_altered_genesis_entry_far_from_the_tail_is_found() -> None:
    damaged = Damaged(log_of(770).store)
    damaged.entries[0] = format_genesis(Genesis("raw", ORIGIN, 5, b"n" * 32, b"r" * 32))

    with pytest.raises(IntegrityError, match="leaf 0 is not in the tree"):
        load_state(damaged, KEY)


def made_of(entry: bytes) -> MemoryStore:
    """A log that begins with `entry`, properly hashed and signed."""
    log = memory_log()
    growth = grow(EMPTY_EDGE, leaf_hashes([entry]))
    note = log.signer.sign(Checkpoint(ORIGIN, 1, growth.root))
    head = Head(1, growth.root, note, log.clock.now_ms())
    return MemoryStore(Commit(0, EMPTY_ROOT, (entry,), growth.rows, (), head))


def test_a_log_that_does_not_begin_with_a_genesis_entry_is_refused() -> None:
    with pytest.raises(IntegrityError, match="genesis"):
        load_state(made_of(b"hello"), KEY)


def test_a_genesis_entry_of_another_origin_is_refused() -> None:
    other = Genesis("raw", "example.com/other", 5, b"n" * 32, b"r" * 32)

    with pytest.raises(IntegrityError, match=r"found 'example.com/other'"):
        load_state(made_of(format_genesis(other)), KEY)


def publishing(log: MemoryLog, published: Published) -> Damaged:
    damaged = Damaged(log.store)
    damaged.stored = StoredLog(log.store.load().head, published)
    return damaged


def test_a_published_checkpoint_ahead_of_the_head_is_refused() -> None:
    log = log_of(5)
    note = log.signer.sign(Checkpoint(ORIGIN, 6, b"r" * 32))

    with pytest.raises(IntegrityError, match="published is size 6, the log has 5"):
        load_state(publishing(log, Published(6, note, 1)), KEY)


def test_a_published_checkpoint_of_size_0_is_refused() -> None:
    log = log_of(5)
    note = log.signer.sign(Checkpoint(ORIGIN, 0, EMPTY_ROOT))

    with pytest.raises(IntegrityError, match="published is size 0"):
        load_state(publishing(log, Published(0, note, 1)), KEY)


def test_a_published_checkpoint_with_another_root_is_refused() -> None:
    log = log_of(5)
    note = log.signer.sign(Checkpoint(ORIGIN, 3, b"r" * 32))

    with pytest.raises(IntegrityError, match="published at size 3"):
        load_state(publishing(log, Published(3, note, 1)), KEY)


def test_a_published_checkpoint_of_another_size_than_stored_is_refused() -> None:
    log = log_of(5)
    head = log.store.load().head

    with pytest.raises(IntegrityError, match="published at size 4 says size 5"):
        load_state(publishing(log, Published(4, head.note, 1)), KEY)


def test_a_published_checkpoint_of_another_key_is_refused() -> None:
    log = log_of(5)
    head = log.store.load().head
    text = head.note.partition(b"\n\n")[0] + b"\n"
    note = format_note(Note(text, (sign_note(text, log_key(2)),)))

    with pytest.raises(IntegrityError, match="no known key signed"):
        load_state(publishing(log, Published(5, note, 1)), KEY)


def test_an_error_of_the_store_passes() -> None:
    log = log_of(5)
    log.store.close()

    with pytest.raises(StoreError, match="closed"):
        load_state(log.store, KEY)
