"""Asking for producers: every page, and nothing that is not an answer."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick_merkle.errors import ExchangeError, KernelError, MalformedError
from tallystick_merkle.exchange.appending import LogAddress
from tallystick_merkle.exchange.base import Request, Response
from tallystick_merkle.exchange.producers import Gap, list_producers
from tests.fakes.driving import Driver, drive

LOG = LogAddress("", "https://log.example/v1/logs/audit", "", "token")
ROW: dict[str, Any] = {
    "principal": "billing",
    "instance": "web-1",
    "epoch": 7,
    "is_over": False,
    "events": 3,
    "first_sequence": 0,
    "last_sequence": 4,
    "missing": 2,
    "overdue": 1,
    "gaps": [{"start": 1, "stop": 3, "missing": 2}],
    "lost": 0,
    "filled": 0,
    "duplicates": 0,
    "resets": 0,
    "late": 0,
    "max_late_ms": 0,
    "ahead": 0,
    "max_ahead_ms": 0,
    "heartbeat_s": 30,
    "is_silent": True,
    "first_index": 1,
    "last_index": 9,
    "last_occurred_at": "2026-11-23T12:00:00.000Z",
    "last_received_at": "2026-11-23T12:00:00.000Z",
}


def page(*rows: dict[str, Any], after: object = None) -> dict[str, Any]:
    folded = [{"principal": "shop", "count": 2, "missing": 5}]
    return {
        "log": "audit",
        "as_of": "2026-11-23T12:00:00.000Z",
        "producers": list(rows),
        "folded": folded,
        "next_after": after,
    }


def answered(*pages: object) -> Driver:
    """Answer with these pages, one after the other; the last one again and again."""
    waiting = list(pages)

    def answer(request: Request) -> Response:
        assert request.headers["Authorization"] == "Bearer token"
        body = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        return Response(200, {}, json.dumps(body).encode())

    return Driver(answer)


def test_every_page_is_asked_for() -> None:
    driver = answered(page(ROW, after=1), page({**ROW, "instance": "web-2"}))

    report = driver.run(list_producers(LOG))

    assert [row.instance for row in report.rows] == ["web-1", "web-2"]
    assert report.rows[0].gaps == (Gap(1, 3, 2),)
    assert report.folded[0].count == 2
    assert driver.urls == [
        ["https://log.example/v1/logs/audit/producers?limit=1000"],
        ["https://log.example/v1/logs/audit/producers?limit=1000&after=1"],
    ]


def test_pages_that_do_not_go_on_are_refused() -> None:
    driver = answered(page(after=5), page(after=5))

    with pytest.raises(MalformedError, match="do not end"):
        driver.run(list_producers(LOG))


@pytest.mark.parametrize("name", [*ROW, "start", "as_of", "producers", "folded"])
def test_an_answer_that_lacks_a_member_is_refused(name: str) -> None:
    whole = json.dumps(page(ROW))
    assert f'"{name}"' in whole

    with pytest.raises(MalformedError):
        answered(json.loads(whole.replace(f'"{name}"', '"other"'))).run(
            list_producers(LOG)
        )


@pytest.mark.parametrize(
    ("name", "value"),
    [("epoch", -1), ("epoch", True), ("epoch", 2**63), ("is_over", 1), ("gaps", [1])],
)
def test_a_member_of_another_kind_is_refused(name: str, value: object) -> None:
    with pytest.raises(MalformedError):
        answered(page({**ROW, name: value})).run(list_producers(LOG))


def test_what_a_log_says_cannot_steer_a_terminal() -> None:
    report = answered(page({**ROW, "instance": "\x1b[2Jweb"})).run(list_producers(LOG))

    assert report.rows[0].instance == "[2Jweb"


@given(st.binary(max_size=200))
def test_any_bytes_are_an_answer_or_our_own_error(body: bytes) -> None:
    with pytest.raises(KernelError):
        drive(list_producers(LOG), lambda _: Response(200, {}, body))


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(ExchangeError):
        drive(list_producers(LOG), lambda _: Response(200, {}, b"[]"))
