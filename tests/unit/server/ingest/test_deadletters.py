"""The desk of dead letters: it keeps what it can, and never costs a request."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from hashlib import sha256
from itertools import count
from pathlib import Path

import pytest

from tallystick_server.clock import SetClock
from tallystick_server.errors import EventError, StoreError, UnavailableError
from tallystick_server.ingest.deadletters import (
    EXPIRE_EVERY_MS,
    MOST_ALIKE,
    SAY_EVERY_MS,
    DeadLetters,
)
from tallystick_server.ingest.letterfile import DAY_MS, Bounds
from tallystick_server.ingest.letters import NewLetter, new_letter
from tallystick_server.vault.base import VaultKey

ERROR = EventError("expected a text", pointer="/action")


class SetKeys:
    """Keys as they were set; a vault that may fail, and forget."""

    def __init__(self) -> None:
        self.key = VaultKey(b"k" * 8, b"d" * 32, b"s" * 32)
        self.is_broken = False
        self.is_gone = False

    def current(self) -> VaultKey:
        if self.is_broken:
            raise StoreError("the vault failed")
        return self.key

    def find(self, kid: bytes) -> VaultKey | None:
        is_there = kid == self.key.kid and not self.is_gone
        return self.key if is_there else None


class Desk:
    """Dead letters with a clock and keys that are set."""

    def __init__(
        self, folder: Path, bounds: Bounds, keys: SetKeys | None = None
    ) -> None:
        self.clock = SetClock()
        self.keys = keys or SetKeys()
        self.refusal: str | None = None
        self.path = folder / "letters"
        numbers = count()
        self.letters = DeadLetters(
            self.path,
            origin="example.com/log",
            bounds=bounds,
            keys=self.keys,
            clock=self.clock,
            draw=lambda size: sha256(b"%d" % next(numbers)).digest()[:size],
            refusal=lambda: self.refusal,
        )

    async def add(self, *bodies: bytes) -> None:
        await self.letters.add([letter(body) for body in bodies])


def letter(body: bytes = b"{}") -> NewLetter:
    return new_letter("billing", "application/json", body, ERROR)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    desk = Desk(tmp_path, Bounds(most=3, most_bytes=1_000_000, days=30))
    yield desk
    await desk.letters.close()


async def test_a_letter_is_listed_and_shown_with_its_body(desk: Desk) -> None:
    await desk.add(b"{1}", b"{2}")

    page = await desk.letters.newest(before=None, limit=10)
    shown = await desk.letters.find(1)

    assert [one.id for one in page.letters] == [2, 1]
    assert (page.count, page.after) == (2, None)
    assert page.letters[0].detail == "expected a text"
    assert shown is not None
    assert (shown[0].pointer, shown[1]) == ("/action", b"{1}")


async def test_pages_follow_one_another(desk: Desk) -> None:
    await desk.add(b"1", b"2", b"3")

    first = await desk.letters.newest(before=None, limit=2)
    second = await desk.letters.newest(before=first.after, limit=2)

    assert [one.id for one in first.letters] == [3, 2]
    assert [one.id for one in second.letters] == [1]
    assert second.after is None


async def test_what_goes_to_make_room_is_counted_and_logged(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    await desk.add(b"1", b"2", b"3", b"4")
    await desk.add(b"5")
    page = await desk.letters.newest(before=None, limit=10)
    desk.clock.advance(SAY_EVERY_MS)
    await desk.add(b"6")

    assert (page.count, page.pushed_out) == (3, 2)
    said = [one for one in caplog.records if one.message == "dead letters pushed out"]
    assert [vars(one)["letters"] for one in said] == [1, 2]


async def test_a_vault_that_fails_costs_no_request_and_is_counted(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    desk.keys.is_broken = True

    await desk.add(b"secret-1", b"secret-2")
    await desk.add(b"secret-3")

    page = await desk.letters.newest(before=None, limit=10)
    assert (page.count, page.not_kept) == (0, 3)
    said = [one for one in caplog.records if one.message == "dead letters not kept"]
    assert [vars(one)["letters"] for one in said] == [2]
    assert "secret" not in caplog.text


async def test_a_file_that_cannot_be_used_costs_no_request_but_reading(
    desk: Desk,
) -> None:
    desk.path.mkdir()

    await desk.add(b"1")

    with pytest.raises(UnavailableError):
        await desk.letters.newest(before=None, limit=1)


async def test_a_letter_whose_key_is_gone_is_listed_without_its_words(
    desk: Desk,
) -> None:
    await desk.add(b"1")
    desk.keys.is_gone = True

    found = await desk.letters.find(1)

    assert found is not None
    assert (found[0].is_readable, found[0].detail, found[1]) == (False, "", None)


async def test_none_is_kept_where_none_may_be(tmp_path: Path) -> None:
    desk = Desk(tmp_path, Bounds(most=0, most_bytes=1000, days=1))

    await desk.add(b"1")
    await desk.letters.close()

    assert not desk.path.exists()


async def test_a_letter_is_dropped_once(desk: Desk) -> None:
    await desk.add(b"1")

    assert await desk.letters.drop(1)
    assert not await desk.letters.drop(1)
    assert await desk.letters.find(1) is None


async def test_all_are_purged_at_once(desk: Desk) -> None:
    await desk.add(b"1", b"2")

    assert await desk.letters.purge_all() == 2
    assert (await desk.letters.newest(before=None, limit=9)).letters == ()


async def test_a_second_refusal_is_the_reason_from_then_on(desk: Desk) -> None:
    await desk.add(b"1")

    await desk.letters.refused_again(1, EventError("no such schema", pointer="/schema"))
    await desk.letters.refused_again(2, ERROR)

    found = await desk.letters.find(1)
    assert found is not None
    assert (found[0].pointer, found[0].detail, found[1]) == (
        "/schema",
        "no such schema",
        b"1",
    )


async def test_old_letters_are_forgotten_though_no_new_ones_come(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    await desk.add(b"1")
    desk.clock.advance(30 * DAY_MS)
    await desk.letters.expire()
    early = await desk.letters.newest(before=None, limit=9)
    desk.clock.advance(EXPIRE_EVERY_MS)
    await desk.letters.expire()

    assert early.count == 1
    assert (await desk.letters.newest(before=None, limit=9)).count == 0
    assert "dead letters pushed out" in caplog.text


async def test_looking_for_old_ones_makes_no_file_and_fails_nothing(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    desk.clock.advance(EXPIRE_EVERY_MS)
    await desk.letters.expire()
    was_there = desk.path.exists()
    desk.path.mkdir()
    await desk.letters.expire()

    assert not was_there
    assert "dead letters not forgotten" in caplog.text


READ_ONLY = "the log is read-only"


async def test_where_the_log_is_read_only_letters_are_shown_and_stay_as_they_are(
    desk: Desk,
) -> None:
    await desk.add(b"1", b"2")
    beside = Desk(desk.path.parent, Bounds(most=3, most_bytes=1_000_000, days=30))
    beside.refusal = READ_ONLY
    await desk.add(b"3")

    await beside.add(b"4")
    for change in (
        beside.letters.drop(1),
        beside.letters.purge_all(),
        beside.letters.refused_again(1, ERROR),
    ):
        with pytest.raises(UnavailableError, match=READ_ONLY):
            await change
    beside.clock.advance(40 * DAY_MS)
    await beside.letters.expire()

    page = await beside.letters.newest(before=None, limit=9)
    assert [one.id for one in page.letters] == [3, 2, 1]
    assert (page.count, page.not_kept) == (3, 1)
    assert (await desk.letters.newest(before=None, limit=9)).count == 3
    found = await beside.letters.find(3)
    assert found is not None
    assert found[1] == b"3"
    await beside.letters.close()


async def test_counts_beside_the_owner_are_those_of_the_moment(desk: Desk) -> None:
    beside = Desk(desk.path.parent, Bounds(most=3, most_bytes=1_000_000, days=30))
    beside.refusal = READ_ONLY
    await desk.add(b"1", b"2")
    first = await beside.letters.newest(before=None, limit=9)
    await desk.letters.purge_all()

    second = await beside.letters.newest(before=None, limit=9)

    assert (first.count, second.count, second.bytes) == (2, 0, 0)
    await beside.letters.close()


async def test_a_reader_of_no_letters_finds_none_and_makes_no_file(
    desk: Desk,
) -> None:
    desk.refusal = READ_ONLY

    page = await desk.letters.newest(before=None, limit=9)

    assert (page.letters, page.count, page.bytes) == ((), 0, 0)
    assert await desk.letters.find(1) is None
    assert not desk.path.exists()


async def test_a_log_that_takes_entries_again_keeps_letters_again(desk: Desk) -> None:
    await desk.add(b"1")
    desk.refusal = READ_ONLY
    await desk.add(b"2")
    await desk.letters.newest(before=None, limit=9)
    desk.refusal = None

    await desk.add(b"3")

    page = await desk.letters.newest(before=None, limit=9)
    assert (page.count, page.not_kept) == (2, 1)


async def test_of_one_request_so_many_of_a_code_are_kept_and_the_rest_is_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    desk = Desk(tmp_path, Bounds(most=1000, most_bytes=1_000_000, days=30))
    other = NewLetter("billing", "application/json", "other", "", "", b"other")

    await desk.letters.add([letter(b"%d" % n) for n in range(10_000)] + [other])

    page = await desk.letters.newest(before=None, limit=1000)
    assert page.count == MOST_ALIKE + 1
    assert (page.not_kept, page.pushed_out) == (10_000 - MOST_ALIKE, 0)
    assert [one.code for one in page.letters[:2]] == ["other", "invalid-event"]
    found = await desk.letters.find(MOST_ALIKE)
    assert found is not None
    assert found[1] == b"%d" % (MOST_ALIKE - 1)
    (said,) = [one for one in caplog.records if one.message == "dead letters left out"]
    assert vars(said)["letters"] == 10_000 - MOST_ALIKE
    await desk.letters.close()
