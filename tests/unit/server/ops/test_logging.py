"""Log lines: one JSON object each, whatever a stranger sent."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp.http_exceptions import BadHttpMessage
from hypothesis import given
from hypothesis import strategies as st

from tallystick_server.ops.logging import (
    MAX_TEXT,
    JsonFormatter,
    clean,
    set_level,
    set_up_logging,
)


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    """Send log lines to a text, and put everything back."""
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    stream = io.StringIO()
    set_up_logging("info", stream=stream)
    yield stream
    root.handlers[:], root.level = before[0], before[1]
    logging.getLogger("tallystick_server").setLevel(logging.NOTSET)
    logging.getLogger("aiohttp.server").filters.clear()


def lines(out: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_an_event_has_a_time_a_level_a_name_and_its_fields(out: io.StringIO) -> None:
    logging.getLogger("tallystick_server.x").info(
        "serving", extra={"size": 12, "ok": True, "logs": ["a", "b"], "why": None}
    )

    (line,) = lines(out)
    time = line.pop("time")
    assert (time[10], time[-1], len(time)) == ("T", "Z", 24)
    assert line == {
        "level": "info",
        "event": "serving",
        "source": "tallystick_server.x",
        "size": 12,
        "ok": True,
        "logs": ["a", "b"],
        "why": None,
    }


def test_a_field_cannot_pose_as_one_of_ours(out: io.StringIO) -> None:
    logging.getLogger("tallystick_server").info("real", extra={"event": "forged"})

    (line,) = lines(out)
    assert (line["event"], line["event_"]) == ("real", "forged")


def test_control_characters_and_surrogates_never_reach_the_line(
    out: io.StringIO,
) -> None:
    logging.getLogger("tallystick_server").info(
        "odd\nevent", extra={"path": "/a\r\n{}\x1b[2J\x00\udcff\u2028\u202e"}
    )

    (line,) = lines(out)
    assert line["event"] == "odd?event"
    assert line["path"] == "/a??{}?[2J????"
    assert out.getvalue().isascii()


def test_long_text_is_cut(out: io.StringIO) -> None:
    logging.getLogger("tallystick_server").info("x", extra={"path": "a" * 9_999})

    assert lines(out)[0]["path"] == "a" * MAX_TEXT + "…"


def test_a_traceback_stays_in_its_line(out: io.StringIO) -> None:
    error = ValueError("inside")

    logging.getLogger("tallystick_server").error("failed", exc_info=error)

    (line,) = lines(out)
    assert line["error"].endswith("ValueError: inside")


def test_a_malformed_request_is_told_without_its_bytes(out: io.StringIO) -> None:
    server = logging.getLogger("aiohttp.server")
    server.setLevel(logging.INFO)
    error = BadHttpMessage("Authorization: Bearer tally_secret")

    server.error("Error handling request from %s", "127.0.0.1", exc_info=error)

    (line,) = lines(out)
    assert (line["event"], line["level"]) == ("malformed request", "info")
    assert "tally_secret" not in out.getvalue()


def test_another_error_of_the_library_is_told_whole(out: io.StringIO) -> None:
    server = logging.getLogger("aiohttp.server")

    server.error("Error handling request", exc_info=ValueError("a bug"))

    assert "a bug" in lines(out)[0]["error"]


def test_the_level_can_change_while_it_runs(out: io.StringIO) -> None:
    log = logging.getLogger("tallystick_server")
    log.debug("no")
    set_level("debug")
    log.debug("yes")
    set_level("error")
    log.warning("no more")

    assert [line["event"] for line in lines(out)] == ["yes"]


@given(st.text())
def test_clean_text_is_printable(text: str) -> None:
    assert all(mark.isprintable() for mark in clean(text))


@given(st.text(), st.dictionaries(st.text("abc", min_size=1), st.text() | st.binary()))
def test_every_record_is_one_line_of_json(
    event: str, fields: dict[str, object]
) -> None:
    record = logging.makeLogRecord({"msg": event, "args": (), **fields})

    line = JsonFormatter().format(record)

    assert "\n" not in line
    assert isinstance(json.loads(line), dict)


def test_stderr_is_where_lines_go_by_default() -> None:
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    set_up_logging("info")
    (handler,) = root.handlers
    root.handlers[:], root.level = before[0], before[1]

    assert isinstance(handler, logging.StreamHandler)
    assert handler.stream is sys.stderr
