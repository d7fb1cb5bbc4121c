"""One store and several processes: killed, read from outside, forked, left behind."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tallystick_merkle.hashing import leaf_hashes
from tallystick_merkle.proof import plan_root
from tallystick_merkle.shape import Node
from tallystick_server.log.findings import Findings
from tallystick_server.log.treecheck import TreeCheck
from tallystick_server.storage.conformance import Steps
from tallystick_server.storage.lmdb import LmdbStore, create_store, open_store
from tests.system.store_program import SMALL_MAP, entry_of, steps_after

pytestmark = [pytest.mark.system, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]

KILLS = 12
COMMITS = 120
READS = 25


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A store with its first commit, which nobody has open."""
    create_store(tmp_path, Steps().first(), map_bytes=SMALL_MAP)
    return tmp_path


@contextmanager
def program(job: str, place: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run the program; it is killed when the block ends."""
    command = [sys.executable, "-m", "tests.system.store_program", job, str(place)]
    process = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def line_of(process: subprocess.Popen[bytes]) -> str:
    """Wait for the next line that a program prints."""
    assert process.stdout is not None
    line = process.stdout.readline().decode().strip()
    assert line, "the program ended"
    return line


def rest_of(process: subprocess.Popen[bytes]) -> list[str]:
    """Everything that a program that was killed had still printed, whole lines only."""
    assert process.stdout is not None
    text = process.stdout.read().decode()
    return text.splitlines()[: text.count("\n")]


def check_whole(store: LmdbStore) -> int:
    """Re-derive the whole tree and every key; give the size."""
    stored = store.load()
    size = stored.head.size
    findings = Findings()
    check = TreeCheck(store, size, findings, latest=lambda: size)
    heads = store.heads()
    head = next(heads, None)
    for prefix in check.run():
        while head is not None and head.size <= prefix.size:
            assert prefix.root(head.size) == head.root
            head = next(heads, None)
    assert findings.problems == []
    assert store.read_entries(1, size) == [entry_of(index) for index in range(1, size)]
    keys = dict(store.keys())
    assert sum(used.count for used in keys.values()) == size - 1
    assert stored.published is None or stored.published.size <= size
    return size


def test_whatever_was_reported_as_committed_outlives_kill_9(place: Path) -> None:
    chance = random.Random(3)
    reported = 1
    for _ in range(KILLS):
        with program("write", place) as writer:
            for _ in range(chance.randint(1, COMMITS)):
                reported = int(line_of(writer))
            writer.kill()
            reported = int((rest_of(writer) or [str(reported)])[-1])

        store = open_store(place, map_bytes=SMALL_MAP)

        assert check_whole(store) >= reported
        store.close()

    assert reported > KILLS


def test_after_kill_9_the_log_goes_on_where_it_was(place: Path) -> None:
    with program("write", place) as writer:
        for _ in range(20):
            line_of(writer)

    store = open_store(place)
    steps = steps_after(store)
    size = steps.edge.size
    store.commit(steps.next([entry_of(size)], keys=[b"key"]))

    assert check_whole(store) == size + 1
    store.close()


def test_a_reader_in_another_process_sees_whole_commits_while_the_map_grows(
    place: Path,
) -> None:
    with program("write", place) as writer:
        reported = int(line_of(writer))
        store = open_store(place, read_only=True, map_bytes=SMALL_MAP)
        at_first = store._env.info()["map_size"]
        for _ in range(READS):
            head = store.load().head
            assert head.size >= reported
            plan = plan_root(head.size)
            assert plan.assemble(store.read_nodes(plan.nodes)) == (head.root,)
            leaves = store.read_nodes([Node(0, at) for at in range(1, head.size)])
            assert leaves == leaf_hashes(store.read_entries(1, head.size))
            reported = int(line_of(writer))
        adopted = store._env.info()["map_size"]
        store.close()

    assert adopted > at_first


def test_the_slot_of_a_reader_that_was_killed_is_freed(place: Path) -> None:
    store = open_store(place)
    with program("read", place) as reader:
        assert line_of(reader) == "reading"
        assert store.maintain() == 0

    assert store.maintain() == 1
    assert store.maintain() == 0
    store.close()


def test_a_process_that_was_forked_off_cannot_use_the_store(place: Path) -> None:
    with program("fork", place) as parent:
        assert parent.wait(timeout=60) == 0
