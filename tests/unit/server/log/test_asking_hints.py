"""A witness that hints at another history: what is proof, and what is not (D7, D9).

A hint is a 409 beyond our size or without one, or a 422; then the witness's last head
is read.  Signing stops for a head under our own key that is not ours, and for no other.
"""

from __future__ import annotations

import pytest

from tallystick_merkle.checkpoint import Checkpoint
from tallystick_merkle.exchange.base import Reply, Response
from tallystick_merkle.witnessing import SIZE_TYPE
from tallystick_server.errors import StoreError
from tallystick_server.log.asked import WitnessHealth
from tallystick_server.log.evidence import FileEvidence
from tallystick_server.log.publishing import PublishSettings
from tests.fakes.logs import ORIGIN, check_log
from tests.fakes.publishing import Bench
from tests.fakes.witnesses import DOWN, always, never, status

OTHER_ROOT = b"r" * 32


def conflict(size: int | None) -> Response:
    """A 409, with the witness's size or without one."""
    if size is None:
        return status(409)
    return status(409, b"%d\n" % size, content_type=SIZE_TYPE)


def the(bench: Bench) -> WitnessHealth:
    """Health of the first witness."""
    return bench.publisher.health().witnesses[0]


HINTS = [conflict(9), conflict(None), status(422)]


@pytest.mark.parametrize("hint", HINTS)
@pytest.mark.parametrize(
    "shows",
    [status(404), status(500), DOWN, status(200, b"nonsense"), status(200, b"\n\n")],
)
async def test_a_hint_without_proof_stops_nothing(hint: Response, shows: Reply) -> None:
    bench = Bench("1", "a b")
    bench["a"].tell, bench["a"].tell_head = always(hint), always(shows)

    await bench.publisher.publish_once()

    assert bench.log.stopped is None
    assert bench.log.cosigners() == {"b"}
    assert bench.evidence.kept == []
    assert the(bench).conflicts == 1
    assert the(bench).last_error is not None
    assert bench.publisher.health().is_degraded


async def test_a_witness_that_never_shows_its_head_stops_nothing() -> None:
    bench = Bench("all", "a", PublishSettings(answer_s=0.001))
    bench["a"].tell, bench["a"].tell_head = always(conflict(9)), never()

    await bench.publisher.publish_once()

    assert bench.log.stopped is None
    assert "does not show it" in (the(bench).last_error or "")


@pytest.mark.parametrize("hint", HINTS)
async def test_a_hint_whose_witness_shows_a_head_of_ours_stops_nothing(
    hint: Response,
) -> None:
    bench = Bench("all", "a b")
    bench["a"].saw(1, bench.log.head.root)
    bench["a"].tell = always(hint)
    bench.log.append(3)

    await bench.publisher.publish_once()

    assert bench.log.stopped is None
    assert "not proven" in (the(bench).last_error or "")


@pytest.mark.parametrize("hint", HINTS)
@pytest.mark.parametrize("seed", [2, 3])
async def test_a_head_under_another_key_stops_nothing(
    hint: Response, seed: int
) -> None:
    bench = Bench("all", "a b")
    bench["a"].saw(9, OTHER_ROOT, seed=seed)
    bench["a"].tell = always(hint)

    await bench.publisher.publish_once()

    assert bench.log.stopped is None
    assert "proves nothing" in (the(bench).last_error or "")


async def test_a_doubt_ends_when_the_witness_cosigns_again() -> None:
    bench = Bench("all", "a")
    bench["a"].tell = always(status(422))
    await bench.publisher.publish_once()
    assert bench.publisher.health().is_degraded

    bench["a"].tell = None
    bench.clock.advance(1_000)
    await bench.publisher.publish_once()

    health = bench.publisher.health()
    assert (health.is_degraded, the(bench).conflicts) == (False, 1)
    assert the(bench).last_error is None


@pytest.mark.parametrize("hint", HINTS)
@pytest.mark.parametrize(("size", "said"), [(9, "we hold only 4"), (3, "our root")])
async def test_a_head_under_our_key_that_is_not_ours_stops_signing(
    hint: Response, size: int, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench("1", "a b")
    bench.log.append(3)
    bench["a"].saw(size, OTHER_ROOT)
    bench["a"].tell = always(hint)
    shown = bench["a"].note
    assert shown is not None

    await bench.publisher.publish_once()

    assert bench.log.stopped is not None
    assert said in bench.log.stopped
    assert "evidence kept" in caplog.messages
    assert "witness a0" in bench.log.stopped
    ((reason, ours, theirs),) = bench.evidence.kept
    assert (reason, ours, theirs) == (bench.log.stopped, bench.log.head.note, shown)
    assert bench.publisher.health().is_degraded
    asked = len(bench["a"].requests)
    bench.clock.advance(60_000)
    await bench.publisher.publish_once()
    assert len(bench["a"].requests) == asked
    check_log(bench.log.store)


async def test_a_rolled_back_log_is_found_by_an_honest_witness() -> None:
    newer = Bench("all", "a")
    newer.log.append(5)
    await newer.publisher.publish_once()
    older = Bench("all", "a")
    older.witnesses[0].cosign(
        Checkpoint(ORIGIN, 6, newer.log.head.root), newer.log.head.note
    )

    await older.publisher.publish_once()

    assert older.log.stopped is not None
    assert "size 6 under our key, we hold only 1" in older.log.stopped


async def test_a_forked_log_is_found_by_an_honest_witness_and_another_is_down() -> None:
    bench = Bench("2", "a b c")
    bench["a"].saw(2, OTHER_ROOT)
    bench["b"].tell = always(DOWN)
    bench.log.append(4)

    await bench.publisher.publish_once()

    assert bench.log.stopped is not None
    assert bench.sizes == []
    assert len(bench.evidence.kept) == 1


async def test_two_witnesses_that_contradict_the_log_leave_two_heads() -> None:
    bench = Bench("all", "a b")
    bench["a"].saw(7, OTHER_ROOT)
    bench["b"].saw(8, OTHER_ROOT)

    await bench.publisher.publish_once()

    assert bench.log.stopped is not None
    assert len(bench.evidence.kept) == 2


class NoDisk(FileEvidence):
    """Evidence that cannot be written."""

    def __init__(self) -> None:
        pass

    def keep(self, *, reason: str, ours: bytes, theirs: bytes) -> str:
        raise StoreError("the disk is full")


async def test_signing_stops_even_if_the_evidence_cannot_be_kept(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bench = Bench("all", "a")
    bench["a"].saw(9, OTHER_ROOT)
    bench.publisher._asker._evidence = NoDisk()

    await bench.publisher.publish_once()

    assert bench.log.stopped is not None
    assert "the disk is full" in caplog.text
