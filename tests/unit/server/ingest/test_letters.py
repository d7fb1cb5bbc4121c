"""What of a refused event stands in the clear, and what opens only where it belongs."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from tallystick_server.errors import EventError, EventReusedError
from tallystick_server.ingest.framing import CBOR, CBOR_SEQ, JSON, NDJSON
from tallystick_server.ingest.letters import (
    MAX_BODY,
    NewLetter,
    Stored,
    new_letter,
    open_body,
    open_letter,
    seal,
    seal_again,
)

ORIGIN = "example.com/log"
AEAD = AESGCM(b"d" * 32)
NEW = NewLetter(
    "billing", JSON, "invalid-event", "/details/ssn", "expected a text", b'{"ssn":1}'
)


def sealed(new: NewLetter = NEW) -> Stored:
    return seal(
        new,
        origin=ORIGIN,
        number=7,
        time_ms=1_800_000_000_000,
        kid=b"k" * 8,
        aead=AEAD,
        ivs=(b"1" * 12, b"2" * 12),
    )


def test_a_letter_opens_as_it_was_sealed() -> None:
    letter = open_letter(sealed(), origin=ORIGIN, aead=AEAD)

    assert (letter.id, letter.principal, letter.code) == (7, "billing", NEW.code)
    assert (letter.pointer, letter.detail) == (NEW.pointer, NEW.detail)
    assert (letter.size, letter.is_kept, letter.is_readable) == (9, True, True)
    assert open_body(sealed(), origin=ORIGIN, aead=AEAD) == NEW.body


@given(st.binary(max_size=200), st.text(max_size=50), st.text(max_size=50))
def test_whatever_came_opens_again(body: bytes, pointer: str, detail: str) -> None:
    stored = sealed(replace(NEW, body=body, pointer=pointer, detail=detail))

    letter = open_letter(stored, origin=ORIGIN, aead=AEAD)

    assert (letter.pointer, letter.detail) == (pointer, detail)
    assert open_body(stored, origin=ORIGIN, aead=AEAD) == body


def test_nothing_that_the_producer_worded_stands_in_the_clear() -> None:
    stored = sealed()

    for word in (b"ssn", b"details", b"expected"):
        assert word not in stored.note
        assert word not in stored.body


def test_a_body_that_is_too_long_is_not_kept_but_counted() -> None:
    longest = sealed(replace(NEW, body=b"x" * MAX_BODY))
    longer = sealed(replace(NEW, body=b"x" * (MAX_BODY + 1)))

    assert open_body(longest, origin=ORIGIN, aead=AEAD) == b"x" * MAX_BODY
    assert open_body(longer, origin=ORIGIN, aead=AEAD) is None
    letter = open_letter(longer, origin=ORIGIN, aead=AEAD)
    assert (letter.size, letter.is_kept, letter.is_readable) == (
        MAX_BODY + 1,
        False,
        True,
    )


@pytest.mark.parametrize(
    "change",
    [
        {"id": 8},
        {"received_ms": 1},
        {"principal": "shop"},
        {"content_type": CBOR},
        {"size": 10},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_letter_under_other_facts_does_not_open(change: dict[str, object]) -> None:
    moved = replace(sealed(), **change)  # type: ignore[arg-type]  # a field and its value

    assert not open_letter(moved, origin=ORIGIN, aead=AEAD).is_readable
    assert open_body(moved, origin=ORIGIN, aead=AEAD) is None


def test_a_letter_of_another_log_or_key_does_not_open() -> None:
    other = AESGCM(b"e" * 32)

    assert open_body(sealed(), origin="example.com/other", aead=AEAD) is None
    assert open_body(sealed(), origin=ORIGIN, aead=other) is None
    assert open_body(sealed(), origin=ORIGIN, aead=None) is None
    assert not open_letter(sealed(), origin=ORIGIN, aead=None).is_readable


def test_the_parts_cannot_be_exchanged_and_the_code_is_bound() -> None:
    stored = sealed()
    crossed = replace(stored, note=stored.body, body=stored.note)

    assert not open_letter(crossed, origin=ORIGIN, aead=AEAD).is_readable
    assert open_body(crossed, origin=ORIGIN, aead=AEAD) is None
    recoded = replace(stored, code="other")
    assert not open_letter(recoded, origin=ORIGIN, aead=AEAD).is_readable


def test_a_new_reason_leaves_the_body_as_it_is() -> None:
    again = seal_again(
        sealed(), EventReusedError(), origin=ORIGIN, aead=AEAD, iv=b"3" * 12
    )

    letter = open_letter(again, origin=ORIGIN, aead=AEAD)
    assert (letter.code, letter.pointer) == ("event-id-reused", "")
    assert "used before" in letter.detail
    assert open_body(again, origin=ORIGIN, aead=AEAD) == NEW.body


@pytest.mark.parametrize(
    ("media", "kept"), [(JSON, JSON), (NDJSON, JSON), (CBOR, CBOR), (CBOR_SEQ, CBOR)]
)
def test_an_item_of_a_batch_is_kept_as_one_event(media: str, kept: str) -> None:
    error = EventError("expected a text", pointer="/action")

    letter = new_letter("billing", media, b"{}", error)

    assert letter == NewLetter(
        "billing", kept, "invalid-event", "/action", "expected a text", b"{}"
    )


def test_words_are_cut_before_they_are_kept() -> None:
    error = EventError("d" * 5000, pointer="/" + "p" * 5000)

    letter = new_letter("billing", JSON, b"", error)

    assert (len(letter.pointer), len(letter.detail)) == (1000, 1000)
