"""The memory twin passes the suite of stores."""

from collections.abc import Callable

import pytest

from tallystick_server.storage.base import Commit, LogStore
from tallystick_server.storage.conformance import CASES, Steps, Workbench
from tallystick_server.storage.event_conformance import EVENT_CASES
from tallystick_server.storage.memory import MemoryStore


class MemoryBench:
    """Makes stores in memory."""

    def create(self, first: Commit) -> LogStore:
        return MemoryStore(first)

    def reopen(self, store: LogStore) -> LogStore:
        assert isinstance(store, MemoryStore)
        store.close()
        store.reopen()
        return store


@pytest.mark.parametrize("case", CASES + EVENT_CASES, ids=lambda case: case.__name__)
def test_the_memory_store_conforms(case: Callable[[Workbench], None]) -> None:
    case(MemoryBench())


def test_a_store_begins_with_a_commit_on_the_empty_tree() -> None:
    steps = Steps()
    steps.first()
    second = steps.next([b"second"])

    with pytest.raises(Exception, match="stands on size 1"):
        MemoryStore(second)
