"""Answers to events: what is written by hand is what the kernel writes."""

from __future__ import annotations

import json
from base64 import b64decode
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tallystick_merkle.hashing import leaf_hash
from tallystick_merkle.layout import MAX_GROUPS
from tallystick_merkle.opening import Opening, format_opening
from tallystick_server.errors import EventError, EventReusedError
from tallystick_server.ingest.results import Refused, Result, Taken
from tallystick_server.log.answers import BatchProof
from tallystick_server.web.eventanswers import many_answer, one_answer, problem_of
from tallystick_server.web.problems import MAX_DETAIL, TYPES

EVENT_ID = "0197f0c2-7a11-7abc-8def-000000000001"
TENANT = "74" * 16
LEAF = bytes(range(80))

OPENINGS = st.builds(
    Opening,
    seeds=st.lists(
        st.binary(min_size=16, max_size=16), min_size=2, max_size=MAX_GROUPS
    ).map(tuple),
    index_entry=st.binary(min_size=1, max_size=80),
    tenant=st.just(TENANT),
    service=st.just("billing"),
    schema=st.none() | st.tuples(st.just("user.created"), st.integers(1, 2**31)),
    places=st.dictionaries(st.text(max_size=8), st.integers(0, 9), max_size=3),
)
TAKEN = st.builds(
    Taken,
    event_id=st.just(EVENT_ID),
    index=st.integers(0, 2**53),
    time_ms=st.integers(0, 4_102_444_800_000),
    leaf=st.just(LEAF),
    is_repeat=st.booleans(),
    opening=st.none() | OPENINGS,
    warning=st.sampled_from(["", 'unknown "action"']),
)
REFUSED = st.builds(
    Refused,
    event_id=st.sampled_from(["", EVENT_ID]),
    error=st.builds(EventReusedError)
    | st.builds(EventError, st.text(), pointer=st.text()),
)


def written(results: list[Result], **more: Any) -> dict[str, Any]:  # noqa: ANN401 -- any
    body = many_answer(
        results,
        proof=BatchProof(9, b"note \xe2\x80\x94\n", (b"l" * 32,), (b"r" * 32,) * 2),
        first=3,
        count=2,
        time_ms=1_700_000_000_000,
        service="billing",
        tenant=TENANT,
        is_witnessed=False,
        **more,
    )
    answer: dict[str, Any] = json.loads(body)
    return answer


@given(st.lists(TAKEN | REFUSED, max_size=4))
def test_each_event_of_a_batch_has_its_result_in_its_place(
    results: list[Result],
) -> None:
    answer = written(results)

    assert len(answer["results"]) == len(results)
    for said, result in zip(answer["results"], results, strict=True):
        if isinstance(result, Refused):
            assert said["status"] == result.error.status
            assert said["type"] == TYPES + result.error.code
            assert said.get("event_id", "") == result.event_id
            assert ("errors" in said) == isinstance(result.error, EventError)
        else:
            assert said["status"] == (200 if result.is_repeat else 201)
            assert (said["index"], said["event_id"]) == (result.index, EVENT_ID)
            assert b64decode(said["leaf"]) == LEAF
            assert said.get("warnings", [""]) == [result.warning]
            assert ("received_at" in said) == result.is_repeat
            assert said.get("content") == (
                "erased" if result.is_repeat and result.is_erased else None
            )


@given(OPENINGS)
def test_an_opening_of_a_batch_lacks_only_what_stands_once(opening: Opening) -> None:
    taken = Taken(EVENT_ID, 1, 0, LEAF, False, opening)

    answer = written([taken])

    common = {"tenant": answer["tenant"], "service": answer["service"]}
    assert {**common, **answer["results"][0]["opening"]} == format_opening(opening)


def test_the_head_of_a_batch_is_that_of_its_proof() -> None:
    answer = written([])

    assert (answer["size"], answer["first_index"], answer["count"]) == (9, 3, 2)
    assert answer["checkpoint"] == "note —\n"
    assert [len(answer["proof"][side]) for side in ("left", "right")] == [1, 2]
    assert answer["received_at"] == "2023-11-14T22:13:20.000Z"


@given(TAKEN)
def test_one_event_is_answered_with_all_that_is_known_of_it(taken: Taken) -> None:
    answer = json.loads(
        one_answer(taken, receipt=b"receipt \xe2\x80\x94", size=7, is_witnessed=True)
    )

    opening = None if taken.opening is None else format_opening(taken.opening)
    assert answer["opening"] == opening
    assert answer["receipt"] == "receipt —"
    assert answer["leaf_hash"] == leaf_hash(LEAF).hex()
    assert (answer["status"], answer["witnessed"]) == ("witnessed", True)
    assert answer.get("warnings", [""]) == [taken.warning]
    assert ("content" in answer) == (taken.opening is None)


def test_a_detail_is_printable_and_no_longer_than_that_of_a_problem() -> None:
    body = problem_of(EventError("no\x1b[31m" + "x" * 1000, pointer="/a\n"))

    assert body["detail"] == body["errors"][0]["detail"]
    assert "\x1b" not in body["detail"]
    assert len(body["detail"]) == MAX_DETAIL + 1
    assert body["errors"][0]["pointer"] == "/a\n"
