"""Which URLs are asked, and how the port speaks to them."""

from __future__ import annotations

import pytest

from tallystick_merkle.errors import RefusedError, UnreachableError
from tallystick_merkle.exchange.base import Exchange, Pause, Request
from tallystick_merkle.exchange.witness import Conflict, Cosigned
from tallystick_merkle.keys import KeyType, format_vkey
from tallystick_merkle.policy import Policy, parse_policy
from tallystick_server.clock import SetClock
from tallystick_server.errors import UsageError
from tallystick_server.log.witnesses import MemoryWitnesses, targets_of
from tests.fakes.logs import ORIGIN
from tests.fakes.publishing import WrittenLog
from tests.fakes.witnesses import (
    DOWN,
    FakeWitness,
    always,
    policy_of,
    ring_of,
    status,
)

CLOCK = SetClock()
A, B = FakeWitness("a", CLOCK), FakeWitness("b", CLOCK)
TWO = FakeWitness("two", CLOCK, types=[KeyType.COSIGNATURE, KeyType.MLDSA44])


def policy(*lines: str) -> Policy:
    return parse_policy("\n".join([*lines, ""]).encode())


def vkey(witness: FakeWitness, number: int = 0) -> str:
    return format_vkey(witness.verifiers[number])


def test_without_a_policy_nobody_is_asked() -> None:
    assert targets_of(None, {}) == ()


def test_a_url_is_asked_once_for_all_its_keys() -> None:
    first, second = targets_of(policy_of("all", TWO, A), {})

    assert (first.url, first.names, first.keys) == (
        TWO.url,
        ("two0", "two1"),
        TWO.verifiers,
    )
    assert (first.name, second.name) == ("two0+two1", "a0")


def test_a_slash_at_the_end_makes_no_other_url() -> None:
    found = targets_of(
        policy(
            f"witness a {vkey(TWO)} https://w.example/x/",
            f"witness b {vkey(TWO, 1)} https://w.example/x",
            "quorum a",
        ),
        {},
    )

    assert [(one.url, one.names) for one in found] == [
        ("https://w.example/x", ("a", "b"))
    ]


def test_the_monitoring_address_is_the_submission_address_unless_told() -> None:
    found = targets_of(policy_of("all", A, B), {"b0": "https://monitor.example/"})

    assert [one.monitoring for one in found] == [A.url, "https://monitor.example"]


def test_the_keys_of_one_url_have_one_monitoring_address() -> None:
    same = dict.fromkeys(("two0", "two1"), "https://monitor.example")

    assert targets_of(policy_of("all", TWO), same)[0].monitoring == same["two0"]
    with pytest.raises(UsageError, match="two0 and two1 share"):
        targets_of(policy_of("all", TWO), {**same, "two1": "https://other.example"})


def test_a_monitoring_address_for_nobody_is_refused() -> None:
    with pytest.raises(UsageError, match="monitoring names 'x'"):
        targets_of(policy_of("all", A), {"x": "https://monitor.example"})
    with pytest.raises(UsageError, match="monitoring names 'x'"):
        targets_of(None, {"x": "https://monitor.example"})


def test_a_witness_without_a_url_is_skipped_with_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    found = targets_of(
        policy(
            f"witness a {vkey(A)} {A.url}",
            f"witness b {vkey(B)}",
            "group any any a b",
            "quorum any",
        ),
        {},
    )

    assert [one.names for one in found] == [("a",)]
    assert [record.getMessage() for record in caplog.records] == [
        "a witness has no url"
    ]


def test_a_quorum_that_nobody_could_meet_is_refused() -> None:
    with pytest.raises(UsageError, match="cannot be met"):
        targets_of(
            policy(
                f"witness a {vkey(A)} {A.url}",
                f"witness b {vkey(B)}",
                "group both all a b",
                "quorum both",
            ),
            {},
        )


def log_of(size: int) -> WrittenLog:
    log = WrittenLog(policy_of("none"))
    if size > 1:
        log.append(size - 1)
    return log


async def submit(
    log: WrittenLog, witness: FakeWitness, *, old: int = 0
) -> Cosigned | Conflict:
    size = log.head.size
    return await ring_of(witness).submit(
        witness.url,
        checkpoint=log.head.note,
        size=size,
        old=old,
        prove=lambda seen: log.reader.consistency(old=seen, new=size),
    )


async def test_a_witness_cosigns_what_it_is_sent() -> None:
    log = log_of(5)
    witness = FakeWitness("a", log.clock)

    answer = await submit(log, witness)

    assert isinstance(answer, Cosigned)
    assert len(answer.lines) == 1
    assert witness.size == 5


async def test_a_wrong_memory_is_put_right_by_a_409() -> None:
    log = log_of(5)
    witness = FakeWitness("a", log.clock)
    witness.saw(3, log.reader.root(3))

    answer = await submit(log, witness, old=2)

    assert isinstance(answer, Cosigned)
    assert witness.submitted == [(2, 5), (3, 5)]


async def test_a_size_beyond_ours_is_a_conflict() -> None:
    log = log_of(5)
    witness = FakeWitness("a", log.clock)
    witness.saw(9, b"r" * 32)

    assert await submit(log, witness) == Conflict(9)


async def test_the_last_head_is_read_or_there_is_none() -> None:
    log = log_of(5)
    witness = FakeWitness("a", log.clock)
    ring = ring_of(witness)

    assert await ring.last_head(witness.url, ORIGIN) is None
    witness.saw(5, log.head.root)
    assert await ring.last_head(witness.url, ORIGIN) == witness.note


async def test_the_last_head_is_asked_for_once() -> None:
    witness = FakeWitness("a", CLOCK)
    witness.tell_head = always(status(503))

    with pytest.raises(RefusedError, match="503"):
        await ring_of(witness).last_head(witness.url, ORIGIN)

    assert len(witness.requests) == 1


@pytest.mark.parametrize("url", ["https://a.example", "https://nobody.example"])
async def test_a_witness_that_is_not_there_is_unreachable(url: str) -> None:
    witness = FakeWitness("a", CLOCK)
    witness.tell_head = always(DOWN)

    with pytest.raises(UnreachableError):
        await ring_of(witness).last_head(url, ORIGIN)


async def test_the_twin_never_pauses() -> None:
    def patient() -> Exchange[str]:
        yield Pause(3600.0, 0.0)
        (reply,) = yield (Request("GET", "https://nobody.example/"),)
        return type(reply).__name__

    assert await MemoryWitnesses({}).drive(patient()) == "Failure"
