"""The file of dead letters: bounded, oldest out first, deleted for good."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tallystick_server.errors import StoreError
from tallystick_server.ingest.letterfile import DAY_MS, ROW_BYTES, Bounds, LetterFile
from tallystick_server.ingest.letters import Stored

NOW_MS = 1_800_000_000_000
BOUNDS = Bounds(most=100, most_bytes=1_000_000, days=30)


def stored(number: int, *, body: bytes = b"body", at_ms: int = NOW_MS) -> Stored:
    return Stored(
        number,
        at_ms,
        "billing",
        "application/json",
        "invalid-event",
        len(body),
        b"k" * 8,
        b"note",
        body,
    )


def letters(*bodies: bytes, at_ms: int = NOW_MS) -> list[Callable[[int], Stored]]:
    return [partial(stored, body=body, at_ms=at_ms) for body in bodies]


def bodies(file: LetterFile) -> list[bytes]:
    numbers = [one.id for one in file.newest(before=None, limit=1000)]
    found = [file.find(number) for number in numbers]
    return [one.body for one in found if one is not None]


def test_letters_come_back_newest_first_and_page_by_page(tmp_path: Path) -> None:
    file = LetterFile(tmp_path / "letters", BOUNDS)
    file.add(letters(b"1", b"2", b"3"), NOW_MS)

    first = file.newest(before=None, limit=2)
    second = file.newest(before=first[-1].id, limit=2)

    assert [one.id for one in first + second] == [3, 2, 1]
    assert {one.body for one in first + second} == {b""}
    assert bodies(file) == [b"3", b"2", b"1"]
    file.close()


def test_letters_are_there_after_a_restart_and_numbers_go_on(tmp_path: Path) -> None:
    file = LetterFile(tmp_path / "letters", BOUNDS)
    file.add(letters(b"1", b"2"), NOW_MS)
    file.drop(2)
    file.close()

    again = LetterFile(tmp_path / "letters", BOUNDS)
    again.add(letters(b"3"), NOW_MS)

    assert [one.id for one in again.newest(before=None, limit=9)] == [3, 1]
    assert again.count == 2
    again.close()


def test_the_oldest_goes_when_there_is_one_too_many(tmp_path: Path) -> None:
    file = LetterFile(tmp_path / "letters", Bounds(2, 1_000_000, 30))

    went = file.add(letters(b"1", b"2", b"3", b"4"), NOW_MS)

    assert went == 2
    assert bodies(file) == [b"4", b"3"]
    file.close()


def test_the_oldest_go_when_there_are_too_many_bytes(tmp_path: Path) -> None:
    most = 2 * (ROW_BYTES + len(b"note") + 100)
    file = LetterFile(tmp_path / "letters", Bounds(100, most, 30))

    went = file.add(letters(*(bytes([n]) * 100 for n in range(5))), NOW_MS)

    assert went == 3
    assert file.count == 2
    assert file.total_bytes == most
    file.close()


def test_a_letter_larger_than_all_room_leaves_none(tmp_path: Path) -> None:
    file = LetterFile(tmp_path / "letters", Bounds(100, 500, 30))

    went = file.add(letters(b"1", b"x" * 1000), NOW_MS)

    assert went == 2
    assert (file.count, file.total_bytes) == (0, 0)
    file.close()


def test_letters_that_are_too_old_are_forgotten(tmp_path: Path) -> None:
    file = LetterFile(tmp_path / "letters", BOUNDS)
    file.add(letters(b"old"), NOW_MS)
    later_ms = NOW_MS + 30 * DAY_MS

    kept = file.expire(later_ms)
    went = file.expire(later_ms + 1)

    assert (kept, went, file.count) == (0, 1, 0)
    file.close()


def test_a_letter_that_cannot_be_made_leaves_none_of_its_batch(tmp_path: Path) -> None:
    file = LetterFile(tmp_path / "letters", BOUNDS)

    def fail(number: int) -> Stored:
        raise StoreError(f"no letter {number}")

    with pytest.raises(StoreError):
        file.add([*letters(b"1"), fail], NOW_MS)

    assert (file.count, file.total_bytes) == (0, 0)
    file.add(letters(b"2"), NOW_MS)
    assert bodies(file) == [b"2"]
    file.close()


def test_what_was_deleted_is_in_no_byte_of_the_folder(tmp_path: Path) -> None:
    file = LetterFile(tmp_path / "letters", BOUNDS)
    file.add(letters(b"needle" * 40, b"other"), NOW_MS)
    held = any(b"needle" in one.read_bytes() for one in tmp_path.iterdir())

    gone = file.purge()

    assert held
    assert gone == 2
    assert [
        one.name for one in tmp_path.iterdir() if b"needle" in one.read_bytes()
    ] == []
    file.close()


def test_a_letter_that_was_dropped_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "letters"
    file = LetterFile(path, BOUNDS)
    file.add(letters(b"needle" * 5_000, b"other"), NOW_MS)
    file.drop(1)
    file.close()

    assert [
        one.name for one in tmp_path.iterdir() if b"needle" in one.read_bytes()
    ] == []
    assert path.stat().st_size > 5_000  # the room is still there


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "derived" / "letters"
    file = LetterFile(path, BOUNDS)
    file.add(letters(b"1"), NOW_MS)

    assert {one.stat().st_mode & 0o077 for one in path.parent.iterdir()} == {0}
    file.close()


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "letters"
    path.write_bytes(b"not a database, and long enough to be looked at" * 40)

    with pytest.raises(StoreError, match="cannot be used"):
        LetterFile(path, BOUNDS)


def test_a_file_of_another_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "letters"
    base = sqlite3.connect(path)
    base.execute("PRAGMA user_version = 2")
    base.close()

    with pytest.raises(StoreError, match="version 2, expected 1"):
        LetterFile(path, BOUNDS)


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(StoreError):
        LetterFile(tmp_path / "file" / "letters", BOUNDS)


def test_a_reason_is_written_anew(tmp_path: Path) -> None:
    file = LetterFile(tmp_path / "letters", BOUNDS)
    file.add(letters(b"1"), NOW_MS)
    changed = Stored(1, 0, "", "", "event-id-reused", 1, b"", b"longer note")

    file.replace_note(changed)

    found = file.find(1)
    assert found is not None
    assert (found.code, found.note, found.body) == (
        "event-id-reused",
        b"longer note",
        b"1",
    )
    assert file.total_bytes == ROW_BYTES + len(b"longer note") + 1
    file.close()


@pytest.mark.parametrize(
    "work",
    [
        lambda file: file.add(letters(b"1"), NOW_MS),
        lambda file: file.newest(before=None, limit=1),
        lambda file: file.replace_note(stored(1)),
        lambda file: file.drop(1),
        lambda file: file.purge(),
    ],
    ids=["add", "newest", "replace_note", "drop", "purge"],
)
def test_a_file_that_fails_is_told_as_what_it_is(
    tmp_path: Path, work: Callable[[LetterFile], object]
) -> None:
    file = LetterFile(tmp_path / "letters", BOUNDS)
    file.close()

    with pytest.raises(StoreError, match="cannot be used"):
        work(file)
