"""The file of dead letters: bounded, shared fairly, deleted for good."""

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


def stored(
    number: int,
    *,
    body: bytes = b"body",
    at_ms: int = NOW_MS,
    principal: str = "billing",
) -> Stored:
    return Stored(
        number,
        at_ms,
        principal,
        "application/json",
        "invalid-event",
        len(body),
        b"k" * 8,
        b"note",
        body,
    )


def letters(
    *bodies: bytes, at_ms: int = NOW_MS, of: str = "billing"
) -> list[Callable[[int], Stored]]:
    return [partial(stored, body=body, at_ms=at_ms, principal=of) for body in bodies]


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


def test_who_fills_the_file_pushes_out_his_own(tmp_path: Path) -> None:
    file = LetterFile(tmp_path / "letters", Bounds(4, 1_000_000, 30))
    file.add(letters(b"b1", b"b2", of="bob"), NOW_MS)

    went = file.add(letters(*(b"a%d" % n for n in range(9)), of="alice"), NOW_MS)

    assert went == 7
    assert bodies(file) == [b"a8", b"a7", b"b2", b"b1"]
    file.close()


def test_the_shares_of_all_are_there_after_a_restart(tmp_path: Path) -> None:
    bounds = Bounds(4, 1_000_000, 30)
    file = LetterFile(tmp_path / "letters", bounds)
    file.add(letters(b"b1", of="bob"), NOW_MS)
    file.add(letters(b"a1", b"a2", b"a3", of="alice"), NOW_MS)
    file.drop(2)
    file.close()

    again = LetterFile(tmp_path / "letters", bounds)
    again.add(letters(b"c1", b"c2", of="carol"), NOW_MS)

    assert bodies(again) == [b"c2", b"c1", b"a3", b"b1"]
    again.close()


def test_of_those_who_have_as_much_the_oldest_letter_goes(tmp_path: Path) -> None:
    file = LetterFile(tmp_path / "letters", Bounds(3, 1_000_000, 30))
    for name in ("zoe", "bob", "alice", "carol"):
        file.add(letters(name.encode(), of=name), NOW_MS)

    assert bodies(file) == [b"carol", b"alice", b"bob"]
    file.close()


def test_who_has_the_most_bytes_makes_room_for_bytes(tmp_path: Path) -> None:
    most = 3 * (ROW_BYTES + len(b"note")) + 700
    file = LetterFile(tmp_path / "letters", Bounds(100, most, 30))
    file.add(letters(b"1", b"2", of="bob"), NOW_MS)

    went = file.add(letters(b"x" * 600, b"y" * 600, of="alice"), NOW_MS)

    assert went == 1
    assert bodies(file) == [b"y" * 600, b"2", b"1"]
    assert file.total_bytes == 3 * (ROW_BYTES + len(b"note")) + 602
    file.close()


def test_a_reader_beside_the_owner_sees_what_is_there_and_changes_nothing(
    tmp_path: Path,
) -> None:
    path = tmp_path / "letters"
    file = LetterFile(path, BOUNDS)
    file.add(letters(b"1"), NOW_MS)
    reader = LetterFile(path, BOUNDS, is_read_only=True)
    file.add(letters(b"2"), NOW_MS)

    seen = bodies(reader)
    with pytest.raises(StoreError, match="readonly"):
        reader.drop(1)
    with pytest.raises(StoreError, match="readonly"):
        reader.add(letters(b"3"), NOW_MS)

    assert seen == [b"2", b"1"]
    assert (reader.count, reader.total_bytes) == (file.count, file.total_bytes)
    assert bodies(file) == [b"2", b"1"]
    reader.close()
    file.close()


def test_a_reader_makes_no_file(tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        LetterFile(tmp_path / "letters", BOUNDS, is_read_only=True)

    assert list(tmp_path.iterdir()) == []


def test_a_file_whose_owner_has_gone_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "a?b#c%20"
    file = LetterFile(path, BOUNDS)
    file.add(letters(b"1"), NOW_MS)
    file.close()

    reader = LetterFile(path, BOUNDS, is_read_only=True)

    assert bodies(reader) == [b"1"]
    reader.close()


def test_what_somebody_else_has_changed_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "letters"
    file = LetterFile(path, BOUNDS)
    other = LetterFile(path, BOUNDS)
    file.add(letters(b"1", b"2", b"3"), NOW_MS)
    other.newest(before=None, limit=1)
    counted = other.count

    file.purge()
    other.newest(before=None, limit=1)

    assert (counted, other.count, other.total_bytes) == (3, 0, 0)
    other.close()
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
