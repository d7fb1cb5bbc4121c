"""One whole log for all tests of this folder, and what it answers while it is sound."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.rot.children import Died, in_child
from tests.rot.flips import Item, all_items
from tests.rot.looking import look_at
from tests.rot.place import Place, make_place

SIZE = 3_000


@dataclass(frozen=True)
class Sound:
    """A sound log: its place, its file, all of its records, and what it answers."""

    place: Place
    file: bytes
    items: dict[bytes, list[Item]]
    answers: dict[str, bytes]


@pytest.fixture(scope="session")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Sound:
    """Make a log, and look at it once."""
    folder = tmp_path_factory.mktemp("rot")
    place = make_place(folder / "sound", size=SIZE)
    asked = tuple(range(1, SIZE))
    seen = in_child(lambda: look_at(place.copy(folder / "c"), asked=asked))
    assert not isinstance(seen, Died)
    assert (seen.refused, seen.unclean, seen.wrong_signed) == ("", [], [])
    assert (seen.refusals, seen.again, seen.appended, seen.ended) == (0, [], 2, "")
    items = in_child(lambda: all_items(place.store))
    assert not isinstance(items, Died)
    return Sound(place, place.file.read_bytes(), items, seen.answers)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a copy of it may lie."""
    return tmp_path / "copy"
