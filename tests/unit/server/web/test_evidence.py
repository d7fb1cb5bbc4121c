"""Evidence over HTTP: what was asked for is proven, and nothing else is shown."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tallystick_merkle.evidence import check_evidence, parse_evidence
from tests.fakes.cosigned import policy
from tests.fakes.web import Reply
from tests.unit.server.web.answered import (
    fits,
    lose,
    path_of,
    submit,
)
from tests.unit.server.web.keeping import KeptLog


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[KeptLog]:
    async with KeptLog(tmp_path, policy=policy()) as log:
        yield log


def prove(reply: Reply) -> dict[str, Any]:
    """Check evidence as whoever is given it does; give the fields it shows."""
    answer = reply.json()
    assert fits(reply, "EvidenceAnswer")
    evidence = parse_evidence(b64decode(answer["evidence"]))
    found = check_evidence(evidence, policy=policy())
    assert found.index == answer["index"]
    assert found.disclosed.fields == answer["fields"]
    assert found.disclosed.is_single == answer["is_single"]
    assert found.verdict.status.value == answer["status"]
    return found.disclosed.fields


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("action", {"action": "user.role.updated"}),
        ("request/ip,outcome", {"request/ip": "203.0.113.77", "outcome": [
            "success", "200"]}),
        ("details", {"details/ticket/id": "OPS-4711", "details/ticket/urgent": True}),
        ("actor", {"actor": ["user", "alice@example.com"]}),
        ("targets", {
            "targets": [["user", 2], ["project", 0]],
            "target:2": ["user", "bob@example.com"],
            "targets/1": "apollo",
        }),
        ("targets/1", {
            "targets": [["user", 2], ["project", 0]], "targets/1": "apollo"}),
    ],
)  # fmt: skip
async def test_evidence_shows_the_fields_that_were_asked_for(
    log: KeptLog, query: str, expected: dict[str, Any]
) -> None:
    await submit(log, 1)

    for names in ("shown", "all", "hidden"):
        reply = await log.show(f"{path_of(1)}?fields={query}&names={names}")

        assert prove(reply) == expected


async def test_evidence_says_when_no_second_value_can_be_there(log: KeptLog) -> None:
    await log.submit_event(1, targets=[])
    path = path_of(1)

    shown = (await log.show(f"{path}?fields=reason")).json()
    hidden = (await log.show(f"{path}?fields=reason&names=hidden")).json()

    assert (shown["is_single"], hidden["is_single"]) == (True, False)


async def test_evidence_about_one_person_is_single_with_the_names_of_all(
    log: KeptLog,
) -> None:
    await submit(log, 1)
    path = f"{path_of(1)}?fields=after/role"

    usual = (await log.show(path)).json()
    every = (await log.show(f"{path}&names=all")).json()

    assert usual["fields"] == every["fields"]
    assert (usual["is_single"], every["is_single"]) == (False, True)


async def test_a_name_with_a_comma_is_asked_for_with_an_escape(log: KeptLog) -> None:
    await log.submit_event(1, details={"a,b & c": 1, "ü": 2})

    reply = await log.show(
        f"{path_of(1)}?fields=details/a%2Cb%20%26%20c,details/%C3%BC"
    )

    assert prove(reply) == {"details/a,b & c": 1, "details/ü": 2}


async def test_evidence_of_a_published_entry_is_witnessed(log: KeptLog) -> None:
    await submit(log, 1)
    await log.publish()

    reply = await log.show(f"{path_of(1)}?fields=action")

    assert reply.json()["status"] == "witnessed"
    prove(reply)


@pytest.mark.parametrize("name", ["x", "names", "details/none", "reas", "targets/0"])
async def test_a_field_that_is_not_there_cannot_be_shown(
    log: KeptLog, name: str
) -> None:
    await submit(log, 1)

    reply = await log.show(f"{path_of(1)}?fields=action,{name}")

    assert reply.is_problem(422, "unprocessable")
    assert name in reply.json()["detail"]


@pytest.mark.parametrize(
    ("group", "fields"),
    [(0, "action"), (0, "targets"), (0, "target"), (0, "targets/1"), (1, "actor"),
     (1, "reason"), (1, "targets/1"), (2, "target")],
)  # fmt: skip
async def test_a_field_that_was_erased_cannot_be_shown(
    log: KeptLog, group: int, fields: str
) -> None:
    await submit(log, 1)
    await lose(log, 1, group)

    reply = await log.show(f"{path_of(1)}?fields={fields}")

    assert reply.is_problem(422, "unprocessable")


async def test_what_was_not_erased_can_still_be_proven(log: KeptLog) -> None:
    await submit(log, 1)
    await lose(log, 1, 1, 2)

    reply = await log.show(f"{path_of(1)}?fields=action,occurred_at,targets")

    assert set(prove(reply)) == {"action", "occurred_at", "targets"}


@pytest.mark.parametrize(
    "query",
    [
        "?fields=", "?fields=a,,b", "?fields=a,a", "?fields=%ff", "?fields=%C3", "?x=1",
        "?names=shown", "?fields=a&names=no", "?fields=a&sensitive=shown", "?sensitive",
        "?fields=a&fields=b", "?fields=" + ",".join(f"f{n}" for n in range(65)),
        "?fields=" + "a" * 8192,
    ],
)  # fmt: skip
async def test_a_query_for_an_event_that_cannot_be_is_refused(
    log: KeptLog, query: str
) -> None:
    await submit(log, 1)

    assert (await log.show(path_of(1) + query)).is_problem(400, "bad-request")
