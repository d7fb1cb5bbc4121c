"""What a witness may answer, and what each answer does: the matrix of D7 while serving.

Every witness here is the only one of a policy that asks for it, or one of two.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from tallystick_merkle.checkpoint import Checkpoint
from tallystick_merkle.cosignature import cosign
from tallystick_merkle.exchange.base import Reply, Request, Response
from tallystick_merkle.keys import KeyType, make_signing_key
from tallystick_merkle.note import format_signature, parse_note
from tallystick_merkle.shape import Node
from tallystick_merkle.witnessing import SIZE_TYPE, parse_add_checkpoint
from tallystick_server.errors import IntegrityError, ServerError, StoreError
from tallystick_server.log.asked import WitnessHealth
from tallystick_server.log.publishing import PublishSettings
from tallystick_server.storage.base import LogStore
from tests.fakes.faults import FaultyStore
from tests.fakes.logs import ORIGIN, check_log
from tests.fakes.publishing import Bench
from tests.fakes.witnesses import (
    DOWN,
    FakeWitness,
    Tell,
    always,
    never,
    status,
)

OTHER_ROOT = b"r" * 32


def conflict(size: int | None) -> Response:
    """A 409, with the witness's size or without one."""
    if size is None:
        return status(409)
    return status(409, b"%d\n" % size, content_type=SIZE_TYPE)


def changed(witness: FakeWitness, change: Callable[[bytes], bytes]) -> Tell:
    """Answer honestly, then change the body."""

    async def tell(request: Request) -> Reply:
        reply = witness.add(request)
        if isinstance(reply, Response) and reply.status == 200:
            return status(200, change(reply.body))
        return reply

    return tell


def the(bench: Bench) -> WitnessHealth:
    """Health of the first witness."""
    return bench.publisher.health().witnesses[0]


async def failing(tell: Tell, settings: PublishSettings | None = None) -> Bench:
    """Publish once with a witness that answers so; nothing may come of it."""
    bench = Bench("all", "a b", settings)
    bench["a"].tell = tell
    await bench.publisher.publish_once()
    check_log(bench.log.store)
    assert bench.sizes == []
    assert bench.log.stopped is None
    assert bench["b"].size == 1  # the other one was not disturbed
    assert not bench.publisher.health().quorum_met
    return bench


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (DOWN, "it is down"),
        (status(400), "refused with status 400"),
        (status(403, b"unknown key"), "unknown key"),
        (status(404), "status 404"),
        (status(500), "status 500"),
        (status(302), "status 302"),
        (status(200), "no signature line"),
        (status(200, b"nonsense\n"), "malformed"),
        (status(200, b"\xff"), "malformed"),
        (status(409, b"01\n", content_type=SIZE_TYPE), "malformed witness size"),
    ],
)
async def test_an_answer_that_is_no_cosignature_is_a_failure(
    reply: Reply, said: str
) -> None:
    bench = await failing(always(reply))

    assert said in (the(bench).last_error or "")
    assert (the(bench).conflicts, the(bench).last_ok_ms_ago) == (0, None)


async def test_a_witness_that_never_answers_is_given_up() -> None:
    bench = await failing(never(), PublishSettings(answer_s=0.001))

    assert the(bench).last_error == "no answer within 0.001 s"


async def test_a_witness_whose_size_keeps_changing_is_given_up() -> None:
    bench = await failing(always(conflict(0)))

    assert "kept changing" in (the(bench).last_error or "")


async def test_a_fault_of_this_program_is_logged_and_ends_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def explode(_: Request) -> Reply:
        raise ZeroDivisionError

    bench = await failing(explode)

    assert "internal error" in (the(bench).last_error or "")
    assert "ZeroDivisionError" in caplog.text


async def test_a_wish_to_be_left_alone_is_honoured() -> None:
    bench = await failing(always(status(429, retry_after="600")))

    bench.clock.advance(599_000)
    await bench.publisher.publish_once()
    assert len(bench["a"].requests) == 1
    bench.clock.advance(1_000)
    await bench.publisher.publish_once()

    assert len(bench["a"].requests) == 2


def forged(line: bytes) -> bytes:
    (found,) = parse_note(b"x\n\n" + line).signatures
    return format_signature(
        type(found)(found.name, found.key_id, found.blob[:-1] + b"?")
    )


@pytest.mark.parametrize(
    "change",
    [
        forged,
        lambda line: line + line,
        lambda line: line.replace(b"a.example", b"x.example"),
        lambda line: line * 101,
    ],
)
async def test_an_answer_with_a_line_that_fails_is_discarded(
    change: Callable[[bytes], bytes],
) -> None:
    bench = Bench("all", "a b")
    bench["a"].tell = changed(bench["a"], change)

    await bench.publisher.publish_once()

    assert bench.sizes == []
    assert the(bench).last_error is not None
    assert the(bench).last_ok_ms_ago is None


async def test_answers_whose_cosignatures_fail_are_counted() -> None:
    bench = Bench("all", "a b")
    bench["a"].tell = changed(bench["a"], forged)

    await bench.publisher.publish_once()

    assert the(bench).refused == 1
    assert "does not verify" in (the(bench).last_error or "")


async def test_a_good_line_beside_a_forged_one_of_a_known_key_is_not_used() -> None:
    bench = Bench("1", "a b")
    bench["b"].tell = always(DOWN)
    key = bench["b"].keys[0]
    head = Checkpoint(ORIGIN, 1, bench.log.head.root)
    other = format_signature(cosign(head, key, time_s=1_700_000_000))

    bench["a"].tell = changed(bench["a"], lambda line: line + forged(other))
    await bench.publisher.publish_once()

    assert bench.sizes == []


async def test_lines_of_unknown_keys_are_dropped() -> None:
    bench = Bench("all", "a b")
    stranger = make_signing_key(
        name="x.example", type=KeyType.COSIGNATURE, seed=b"x" * 32
    )
    head = Checkpoint(ORIGIN, 1, bench.log.head.root)
    line = format_signature(cosign(head, stranger, time_s=1_700_000_000))
    bench["a"].tell = changed(bench["a"], lambda own: line + own)

    await bench.publisher.publish_once()

    assert bench.sizes == [1]
    assert bench.log.published is not None
    assert b"x.example" not in bench.log.published.note


@pytest.mark.parametrize(("ahead_s", "is_taken"), [(60, True), (61, False)])
async def test_a_cosignature_from_the_far_future_is_discarded(
    ahead_s: int, is_taken: bool
) -> None:
    bench = Bench("all", "a")
    head = Checkpoint(ORIGIN, 1, bench.log.head.root)
    time_s = bench.clock.now_ms() // 1000 + ahead_s
    line = format_signature(cosign(head, bench["a"].keys[0], time_s=time_s))
    bench["a"].tell = always(status(200, line))

    await bench.publisher.publish_once()

    assert bench.sizes == ([1] if is_taken else [])
    assert the(bench).refused == (0 if is_taken else 1)


async def test_a_cosignature_of_another_head_is_discarded() -> None:
    bench = Bench("all", "a")
    head = Checkpoint(ORIGIN, 1, OTHER_ROOT)
    line = format_signature(cosign(head, bench["a"].keys[0], time_s=1_700_000_000))
    bench["a"].tell = always(status(200, line))

    await bench.publisher.publish_once()

    assert bench.sizes == []
    assert the(bench).refused == 1


async def test_only_our_own_line_is_sent_even_after_others_have_cosigned() -> None:
    bench = Bench("1", "a b", PublishSettings(republish_s=5))
    await bench.publisher.publish_once()
    bench.clock.advance(5_000)

    await bench.publisher.publish_once()

    asked = parse_add_checkpoint(bench["a"].requests[-1].body)
    assert asked.checkpoint == bench.log.head.note


async def test_a_witness_that_has_seen_a_later_head_of_ours_is_no_conflict() -> None:
    bench = Bench("all", "a")

    async def grow(request: Request) -> Reply:
        size = bench.log.append()
        bench["a"].saw(size, bench.log.head.root)
        return bench["a"].add(request)

    bench["a"].tell = grow
    await bench.publisher.publish_once()
    assert (the(bench).conflicts, bench.sizes) == (0, [])
    assert "size 2 already" in (the(bench).last_error or "")

    bench["a"].tell = None
    bench.clock.advance(1_000)
    await bench.publisher.publish_once()

    assert bench.sizes == [2]
    assert bench["a"].submitted[-1] == (2, 2)


class Lost(FaultyStore):
    """A store whose nodes cannot be read."""

    def __init__(self, inner: LogStore, error: ServerError) -> None:
        super().__init__(inner)
        self._error = error

    def read_nodes(self, nodes: Sequence[Node]) -> list[bytes]:
        raise self._error


async def test_a_store_that_fails_while_proving_ends_the_loop() -> None:
    bench = Bench("all", "a")
    bench.log.append(3)
    bench["a"].saw(1, bench.log.reader.root(1))
    bench.log.store = Lost(bench.log.store, StoreError("the disk said no"))

    with pytest.raises(StoreError, match="said no"):
        await bench.publisher.publish_once()

    assert bench.sizes == []


async def test_a_proof_that_is_wrong_goes_to_no_witness_and_stops_the_signing() -> None:
    bench = Bench("all", "a")
    bench.log.append(3)
    bench["a"].saw(1, bench.log.reader.root(1))
    bench.log.store = Lost(bench.log.store, IntegrityError("node 0/1 is not stored"))

    await bench.publisher.publish_once()

    assert bench.sizes == []
    assert bench.log.stopped == "node 0/1 is not stored"
    (witness,) = bench.publisher.health().witnesses
    assert "what is stored is wrong" in str(witness.last_error)


async def test_the_facts_about_a_witness_are_told() -> None:
    bench = Bench("1", "a b")

    async def slow(request: Request) -> Reply:
        bench.clock.advance(30)
        return bench["a"].add(request)

    bench["a"].tell = slow
    await bench.publisher.publish_once()
    bench.clock.advance(500)

    assert the(bench) == WitnessHealth(
        "a0", "https://a.example", 500, None, 30, conflicts=0, refused=0
    )
