"""Both stores keep the same promises; LMDB keeps some of its own."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import lmdb
import pytest

from tallystick_merkle.witnessing import origin_hash
from tallystick_witness.errors import (
    IntegrityError,
    NotInitialisedError,
    StaleHeadError,
    StoreError,
    UsageError,
)
from tallystick_witness.state import Evidence, EvidenceKind, Head
from tallystick_witness.store.base import WitnessStore
from tallystick_witness.store.conformance import CHECKS, IDENTITY, Check, make_log
from tallystick_witness.store.files import (
    check_files,
    check_structure,
    create_store,
    open_store,
)
from tallystick_witness.store.lmdb import LmdbStore, create_tables
from tallystick_witness.store.memory import MemoryStore
from tallystick_witness.store.records import (
    META_KEY,
    log_key,
    pack_log,
    seal,
    unpack_evidence,
    unpack_identity,
    unpack_log,
    unseal,
)

LOG = make_log("log.example/one")
HEAD = Head(5, b"\x05" * 32, 100, b"note")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    place = tmp_path / "store"
    create_store(place, IDENTITY)
    return place


@pytest.fixture
def store(path: Path) -> Iterator[LmdbStore]:
    opened = open_store(path)
    yield opened
    opened.close()


def name(check: Check) -> str:
    return check.__name__


@pytest.mark.parametrize("check", CHECKS, ids=name)
def test_memory_store_conforms(check: Check) -> None:
    check(MemoryStore(IDENTITY))


@pytest.mark.parametrize("check", CHECKS, ids=name)
def test_lmdb_store_conforms(check: Check, store: LmdbStore) -> None:
    check(store)


def test_the_suite_catches_a_store_without_compare_and_swap() -> None:
    class Careless(MemoryStore):
        def advance(
            self, origin: str, expected_old: Head | None, new_head: Head
        ) -> None:
            log = self.find(origin_hash(origin))
            super().advance(origin, log.head if log else None, new_head)

    def passes(check: Check) -> bool:
        try:
            check(Careless(IDENTITY))
        except AssertionError:
            return False
        return True

    assert not all(map(passes, CHECKS))


def test_what_is_stored_outlives_the_store(path: Path) -> None:
    first = open_store(path)
    first.follow(LOG)
    first.advance(LOG.origin, None, HEAD)
    first.close()

    again = open_store(path)

    assert again.logs() == [replace(LOG, head=HEAD)]
    again.close()


def test_of_many_threads_one_wins_each_step(store: LmdbStore) -> None:
    store.follow(LOG)
    wins: list[int] = []
    barrier = threading.Barrier(8)

    def run(number: int) -> None:
        barrier.wait()
        try:
            store.advance(LOG.origin, None, replace(HEAD, root=bytes([number]) * 32))
            wins.append(number)
        except StaleHeadError:
            pass

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(wins) == 1
    log = store.find(origin_hash(LOG.origin))
    assert log is not None
    assert log.head is not None
    assert log.head.root == bytes([wins[0]]) * 32


def test_a_full_map_grows_while_others_read(path: Path) -> None:
    store = LmdbStore(path, map_size=64 * 1024)
    store.follow(LOG)
    stop = threading.Event()
    failures: list[BaseException] = []

    def read() -> None:
        try:
            while not stop.is_set():
                assert store.logs() == [LOG]
        except BaseException as error:
            failures.append(error)
            raise

    reader = threading.Thread(target=read)
    reader.start()
    kept = [
        store.keep_evidence(
            Evidence(
                LOG.origin, kind, size, b"\1" * 32, 1, b"n" * 20_000, b"h" * 20_000
            )
        )
        for kind in EvidenceKind
        for size in range(5)
    ]
    stop.set()
    reader.join()

    assert all(kept)
    assert failures == []
    assert len(store.evidence()) == 15
    store.close()


GROW = """
import sys
from pathlib import Path
from tallystick_witness.state import Evidence, EvidenceKind
from tallystick_witness.store.lmdb import LmdbStore, create_tables

store = LmdbStore(Path(sys.argv[1]))
for size in range(64):
    note = b"n" * 20_000
    place = ("log.example/one", EvidenceKind.UNPROVEN, size, b"1" * 32)
    store.keep_evidence(Evidence(*place, 1, note, b""))
store.close()
"""


def test_a_map_that_another_process_grew_is_taken_over(path: Path) -> None:
    store = LmdbStore(path, map_size=64 * 1024)
    store.follow(LOG)
    command = [sys.executable, "-c", GROW, str(path)]

    subprocess.run(command, check=True)
    kept = store.evidence()
    subprocess.run(command, check=True)
    store.advance(LOG.origin, None, HEAD)

    assert len(kept) == 64
    assert store.logs() == [replace(LOG, head=HEAD)]
    store.close()


def test_a_write_after_another_process_grew_the_map_goes_through(path: Path) -> None:
    store = LmdbStore(path, map_size=64 * 1024)
    subprocess.run([sys.executable, "-c", GROW, str(path)], check=True)

    store.follow(LOG)

    assert store.logs() == [LOG]
    store.close()


def test_a_failed_engine_is_a_store_error_on_every_way_in(path: Path) -> None:
    store = open_store(path)
    store.close()
    steps: list[Callable[[], object]] = [
        store.identity,
        store.logs,
        store.evidence,
        store.sweep,
        lambda: store.find(origin_hash(LOG.origin)),
        lambda: store.follow(LOG),
        lambda: store.advance(LOG.origin, None, HEAD),
    ]

    for step in steps:
        with pytest.raises(StoreError):
            step()


def test_a_store_is_not_there_before_init(tmp_path: Path) -> None:
    with pytest.raises(NotInitialisedError, match="not initialised"):
        open_store(tmp_path / "store")


def test_an_empty_file_is_not_a_new_store(path: Path) -> None:
    (path / "data.mdb").write_bytes(b"")

    with pytest.raises(NotInitialisedError, match="never starts from scratch"):
        check_files(path)


def test_an_unfinished_creation_is_begun_anew(tmp_path: Path) -> None:
    left = tmp_path / ".store.unfinished"
    left.mkdir()
    (left / "data.mdb").write_bytes(b"half")

    create_store(tmp_path / "store", IDENTITY)

    store = open_store(tmp_path / "store")
    assert store.identity() == IDENTITY
    assert not left.exists()
    store.close()


def test_a_whole_store_passes_the_walk(path: Path) -> None:
    check_structure(path)


@pytest.mark.parametrize("keep", [10, 4096, 3 * 4096 + 5])
def test_a_truncated_store_is_refused_by_the_walk(path: Path, keep: int) -> None:
    data = (path / "data.mdb").read_bytes()
    (path / "data.mdb").write_bytes(data[:keep])

    with pytest.raises(IntegrityError, match="corrupt"):
        check_structure(path)


def test_a_foreign_file_is_refused(path: Path) -> None:
    (path / "data.mdb").write_bytes(b"not a store at all" * 1000)

    with pytest.raises(IntegrityError, match="cannot open"):
        open_store(path)


def test_a_store_without_our_tables_is_refused(tmp_path: Path) -> None:
    lmdb.open(str(tmp_path), max_dbs=1, lib_version=0).close()

    with pytest.raises(IntegrityError, match="cannot open"):
        LmdbStore(tmp_path)


def test_a_store_without_an_identity_is_refused(path: Path) -> None:
    with lmdb.open(str(path), max_dbs=3, lib_version=0) as env:
        meta = env.open_db(b"meta")
        with env.begin(write=True) as txn:
            txn.delete(META_KEY, db=meta)
    store = open_store(path)

    with pytest.raises(IntegrityError, match="whose"):
        store.identity()
    store.close()


def stored_log(store: WitnessStore, path: Path) -> bytes:
    store.follow(LOG)
    store.advance(LOG.origin, None, HEAD)
    store.close()
    with lmdb.open(str(path), max_dbs=3, lib_version=0) as env:
        logs = env.open_db(b"logs")
        with env.begin() as txn:
            value = txn.get(log_key(LOG.origin), db=logs)
    assert value is not None
    return value


def test_every_flipped_bit_of_a_record_is_noticed(path: Path) -> None:
    key = log_key(LOG.origin)
    value = stored_log(open_store(path), path)

    for place in range(len(value) * 8):
        flipped = bytearray(value)
        flipped[place // 8] ^= 1 << place % 8
        with pytest.raises(IntegrityError):
            unpack_log(key, bytes(flipped))


def test_a_record_under_another_key_is_noticed(path: Path) -> None:
    value = stored_log(open_store(path), path)

    with pytest.raises(IntegrityError, match="damaged"):
        unpack_log(log_key("log.example/two"), value)


@pytest.mark.parametrize("body", [{}, [], 1, {"vkey": "x", "state": "active"}])
def test_a_record_of_another_shape_is_refused(body: object) -> None:
    key = b"k"

    with pytest.raises(IntegrityError):
        unpack_log(key, seal(key, body))
    with pytest.raises(IntegrityError):
        unpack_evidence(key, seal(key, body))


def test_a_record_that_is_not_cbor_is_refused() -> None:
    sealed = sha256(b"k" + b"\xff").digest()[:16] + b"\xff"

    with pytest.raises(IntegrityError, match="not ours"):
        unpack_log(b"k", sealed)


@pytest.mark.parametrize(("found", "advice"), [(2, "run the newer"), (0, "not read")])
def test_another_format_is_refused_and_both_are_named(found: int, advice: str) -> None:
    body = {"format": found, "name": "w", "vkeys": []}

    with pytest.raises(UsageError, match=f"format {found} .* knows 1; .*{advice}"):
        unpack_identity(seal(META_KEY, body))


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        {"format": True, "name": "w", "vkeys": []},
        {"format": 1, "vkeys": []},
        {"format": 1, "name": 5, "vkeys": []},
        {"format": 1, "name": "w", "vkeys": [5]},
        {"format": 1, "name": "w", "vkeys": [], "more": 1},
    ],
)
def test_an_identity_of_another_shape_is_refused(body: object) -> None:
    with pytest.raises(IntegrityError):
        unpack_identity(seal(META_KEY, body))


@pytest.mark.parametrize(
    "change",
    [
        {"since_s": -1},
        {"since_s": True},
        {"head": [5, b"", -1, b""]},
        {"head": ["5", b"", 1, b""]},
        {"head": [5, b"", 1]},
        {"vkey": b"bytes"},
        {"more": 1},
    ],
)
def test_a_log_of_another_shape_is_refused(change: dict[str, object]) -> None:
    key = log_key(LOG.origin)
    body = unseal(key, pack_log(replace(LOG, head=HEAD)))

    assert unpack_log(key, seal(key, body)).head == HEAD
    with pytest.raises(IntegrityError):
        unpack_log(key, seal(key, body | change))


def test_a_store_that_the_system_does_not_open_is_not_called_corrupt(
    path: Path,
) -> None:
    (path / "lock.mdb").unlink()
    (path / "lock.mdb").mkdir()  # a healthy store, and nothing that LMDB could lock

    with pytest.raises(StoreError, match="cannot open the store"):
        open_store(path)


def test_tables_that_cannot_be_made_are_our_own_error(tmp_path: Path) -> None:
    (tmp_path / "data.mdb").mkdir()

    with pytest.raises(StoreError, match="cannot make the store"):
        create_tables(tmp_path, IDENTITY)
