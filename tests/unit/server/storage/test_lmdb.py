"""The LMDB store passes the suite of stores, and keeps rules of its own."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tallystick_server.storage.base import Commit, LogStore
from tallystick_server.storage.conformance import CASES, Workbench
from tallystick_server.storage.lmdb import create_store, open_store


class LmdbBench:
    """Makes stores in directories below one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.places: dict[int, Path] = {}

    def create(self, first: Commit) -> LogStore:
        place = self.folder / str(len(self.places))
        place.mkdir()
        create_store(place, first)
        return self.open(place)

    def reopen(self, store: LogStore) -> LogStore:
        store.close()
        return self.open(self.places[id(store)])

    def open(self, place: Path) -> LogStore:
        store = open_store(place)
        self.places[id(store)] = place
        return store


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_the_lmdb_store_conforms(
    case: Callable[[Workbench], None], tmp_path: Path
) -> None:
    case(LmdbBench(tmp_path))
