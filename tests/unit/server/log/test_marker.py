"""What a restored log may do has one spelling, and what is damaged keeps it shut."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick_merkle.errors import MalformedError
from tallystick_merkle.promotion import Promotion
from tallystick_server.errors import IntegrityError, StoreError, UsageError
from tallystick_server.log.marker import (
    Marker,
    State,
    clear_marker,
    format_marker,
    parse_marker,
    read_marker,
    write_marker,
)
from tallystick_server.log.paths import log_directory, restored_path

ROOT = b"r" * 32
RESTORED = Marker(9, ROOT, 1_700_000_000_000)
PROMOTED = RESTORED.promoted(now_ms=1_700_000_000_001, unwitnessed=False)
ENTRY = Promotion("log.example/a", 7, 9, ROOT, b"i" * 16)
CONFIRMING = PROMOTED.confirming(ENTRY)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    log_directory(tmp_path, "audit").mkdir(parents=True)
    return tmp_path


@pytest.mark.parametrize(
    ("marker", "state"),
    [
        (RESTORED, State.RESTORED),
        (PROMOTED, State.PROMOTED),
        (CONFIRMING, State.CONFIRMING),
    ],
)
def test_a_marker_is_read_as_it_was_written(
    data: Path, marker: Marker, state: State
) -> None:
    write_marker(data, "audit", marker)

    assert read_marker(data, "audit") == marker
    assert marker.state is state
    assert restored_path(data, "audit").stat().st_mode & 0o777 == 0o600


def test_a_log_without_a_marker_is_an_ordinary_one(data: Path) -> None:
    write_marker(data, "audit", RESTORED)
    clear_marker(data, "audit")

    assert read_marker(data, "audit") is None
    with pytest.raises(StoreError, match="cannot remove"):
        clear_marker(data, "audit")


def test_a_marker_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot write"):
        write_marker(tmp_path, "audit", RESTORED)


@pytest.mark.parametrize(
    "change",
    [
        {"format": 0},
        {"format": True},
        {"state": "promoted"},
        {"state": "free"},
        {"size": "9"},
        {"size": True},
        {"size": None},
        {"root": "00"},
        {"root": 1},
        {"restored": None},
        {"restored": "yesterday"},
        {"restored": "2026-11-23T09:30:22Z"},
        {"promoted": 1},
        {"unwitnessed": None},
        {"entry": "00"},
        {"entry": ""},
        {"more": 1},
    ],
)
def test_a_marker_that_was_changed_keeps_the_log_shut(
    data: Path, change: dict[str, Any]
) -> None:
    body = json.loads(format_marker(RESTORED)) | change
    restored_path(data, "audit").write_bytes(f"{json.dumps(body, indent=1)}\n".encode())

    with pytest.raises(IntegrityError, match="is damaged"):
        read_marker(data, "audit")


@pytest.mark.parametrize(
    "marker",
    [
        RESTORED.confirming(ENTRY),  # of a log that was never promoted
        PROMOTED.confirming(Promotion("log.example/a", 7, 8, ROOT, b"i" * 16)),
        PROMOTED.confirming(Promotion("log.example/a", 7, 9, b"x" * 32, b"i" * 16)),
    ],
)
def test_an_entry_of_another_head_is_refused(marker: Marker) -> None:
    with pytest.raises(ValueError, match="another head"):
        parse_marker(format_marker(marker))


@given(st.data())
def test_a_damaged_marker_is_never_taken_for_another(draws: st.DataObject) -> None:
    data = bytearray(format_marker(CONFIRMING))
    at = draws.draw(st.integers(0, len(data) - 1))
    data[at] = draws.draw(st.integers(0, 255))
    try:
        found = parse_marker(bytes(data))
    except (ValueError, KeyError, TypeError, MalformedError):
        return
    assert format_marker(found) == bytes(data)


@pytest.mark.parametrize(
    "text", [b"", b"{}", b"[]", b"null", b"1", b"\xff", b"[" * 9999]
)
def test_what_is_no_marker_is_damaged(data: Path, text: bytes) -> None:
    restored_path(data, "audit").write_bytes(text)

    with pytest.raises(IntegrityError, match="is damaged"):
        read_marker(data, "audit")


def test_a_marker_of_a_newer_format_is_not_called_damaged(data: Path) -> None:
    body = json.loads(format_marker(RESTORED)) | {"format": 2}
    restored_path(data, "audit").write_text(json.dumps(body), encoding="utf-8")

    with pytest.raises(UsageError, match=r"has format 2 .* knows 1; run the newer"):
        read_marker(data, "audit")
