"""Batches sealed elsewhere: the same events, and never lost with the one who seals."""

from __future__ import annotations

import gc
import io
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from os import urandom
from pathlib import Path

import pytest

from tallystick_merkle.eventjson import parse_event
from tallystick_merkle.leaf import parse_leaf
from tallystick_merkle.opening import check_opening
from tallystick_server.errors import QueueFullError, UnavailableError
from tallystick_server.ingest.frames import HEAD, decode_answer, frame
from tallystick_server.ingest.keys import Keys
from tallystick_server.ingest.results import Refused, Taken
from tallystick_server.ingest.sealers import (
    MAX_WAITING,
    WORTH,
    SealerLostError,
    Sealers,
    ThreadBench,
)
from tallystick_server.ingest.sealingchild import serve
from tallystick_server.ingest.workbench import (
    Answer,
    Done,
    Grant,
    Job,
    Message,
    Need,
    Ready,
    Teach,
    Workbench,
)
from tests.fakes.intakes import IntakeBench, event_json, make_event

EMPTY = b"\x80"


class PipedBench:
    """A workbench behind the frames of a process, without the process."""

    def __init__(self) -> None:
        self.bench = Workbench(urandom)
        self.messages: list[Message] = []
        self.dies_at: int | None = None
        self.ended = 0

    async def ask(self, message: Message) -> Answer:
        self.messages.append(message)
        if len(self.messages) == self.dies_at:
            raise SealerLostError("killed")
        source, sink = io.BytesIO(frame(message)), io.BytesIO()
        length = HEAD.size
        data = frame(self.bench.answer(message))
        sink.write(data)
        assert source.getvalue()
        answer: Answer = decode_answer(sink.getvalue()[length:])
        return answer

    async def close(self) -> None:
        self.ended += 1
        self.bench = Workbench(urandom)


def raws(count: int, *, start: int = 0) -> list[bytes]:
    return [json.dumps(event_json(n)).encode() for n in range(start, start + count)]


def use(bench: IntakeBench, processes: Sequence[PipedBench]) -> None:
    bench.intake.sealers = Sealers(ThreadBench(bench.pool, urandom), processes)


async def test_a_batch_of_a_process_is_the_batch_that_was_sent(tmp_path: Path) -> None:
    process = PipedBench()
    async with IntakeBench(tmp_path) as bench:
        use(bench, [process])

        done = await bench.intake.submit_batch("billing", raws(WORTH), is_cbor=False)

        for number, one in enumerate(done.results):
            assert isinstance(one, Taken)
            assert one.opening is not None
            check_opening(make_event(number), one.opening, parse_leaf(one.leaf))
        stored = await bench.intake.records.read(1, WORTH + 1)
        assert [one.event for one in stored] == [make_event(n) for n in range(WORTH)]
        assert process.messages


async def test_keys_and_schemas_are_told_a_process_once(tmp_path: Path) -> None:
    process = PipedBench()
    async with IntakeBench(tmp_path) as bench:
        use(bench, [process])

        await bench.intake.submit_batch("billing", raws(WORTH), is_cbor=False)
        first = len(process.messages)
        await bench.intake.submit_batch(
            "billing", raws(WORTH, start=WORTH), is_cbor=False
        )

        assert [type(one).__name__ for one in process.messages[:first]] == [
            "Teach",
            "Job",
            "Grant",
        ]
        assert [type(one).__name__ for one in process.messages[first:]] == ["Job"]


async def test_a_small_batch_needs_no_process(tmp_path: Path) -> None:
    process = PipedBench()
    async with IntakeBench(tmp_path) as bench:
        use(bench, [process])

        await bench.intake.submit_batch("billing", raws(WORTH - 1), is_cbor=False)

        assert process.messages == []


@pytest.mark.parametrize("step", [1, 2, 3])
async def test_a_process_that_dies_loses_no_event(tmp_path: Path, step: int) -> None:
    process = PipedBench()
    process.dies_at = step
    async with IntakeBench(tmp_path) as bench:
        use(bench, [process])

        done = await bench.intake.submit_batch("billing", raws(WORTH), is_cbor=False)
        again = await bench.intake.submit_batch(
            "billing", raws(WORTH, start=WORTH), is_cbor=False
        )

        assert all(isinstance(one, Taken) for one in done.results + again.results)
        assert bench.log.head.size == 2 * WORTH + 1
        assert process.ended == 1
        assert isinstance(process.messages[step], Teach)  # begun anew, nothing assumed


async def test_repeats_in_a_batch_are_compared_with_what_is_stored(
    tmp_path: Path,
) -> None:
    async with IntakeBench(tmp_path) as bench:
        use(bench, [PipedBench()])
        await bench.intake.submit_batch("billing", raws(WORTH), is_cbor=False)
        other = json.dumps(event_json(1, reason="another")).encode()

        done = await bench.intake.submit_batch(
            "billing", [*raws(WORTH), other], is_cbor=False
        )

        *same, last = done.results
        assert all(isinstance(one, Taken) and one.is_repeat for one in same)
        assert isinstance(last, Refused)
        assert last.error.code == "event-id-reused"


async def test_what_is_refused_in_a_process_says_where(tmp_path: Path) -> None:
    async with IntakeBench(tmp_path) as bench:
        use(bench, [PipedBench()])
        bad = json.dumps(event_json(1, outcome={"result": "maybe"})).encode()

        done = await bench.intake.submit_batch(
            "billing", [bad, *raws(WORTH)], is_cbor=False
        )

        first = done.results[0]
        assert isinstance(first, Refused)
        assert first.error.detail == "expected one of success, failure, denied"
        assert getattr(first.error, "pointer", "") == "/outcome/result"
        assert all(isinstance(one, Taken) for one in done.results[1:])


async def test_a_vault_that_fails_while_a_process_waits_refuses_the_batch(
    tmp_path: Path,
) -> None:
    process = PipedBench()
    async with IntakeBench(tmp_path) as bench:
        use(bench, [process])
        bench.vault.close()

        with pytest.raises(UnavailableError, match="vault"):
            await bench.intake.submit_batch("billing", raws(WORTH), is_cbor=False)

        assert bench.failures
        assert process.ended == 1  # it waits for keys of a batch that is gone
        assert bench.log.head.size == 1


def test_the_process_answers_until_its_source_ends() -> None:
    teach = Teach("events", "allow", EMPTY)
    job = Job("events", "tenant", "billing", "2026-11", False, raws(2))
    sink = io.BytesIO()

    serve(io.BytesIO(frame(teach) + frame(job)), sink)

    answers, data = [], sink.getvalue()
    while data:
        (length,) = HEAD.unpack(data[: HEAD.size])
        answers.append(decode_answer(data[HEAD.size : HEAD.size + length]))
        data = data[HEAD.size + length :]
    assert [type(one) for one in answers] == [Ready, Need]


@pytest.mark.parametrize("kept", [1, 3, 4, 9])
def test_a_message_that_is_cut_short_ends_the_process_without_a_word(
    kept: int,
) -> None:
    sink = io.BytesIO()

    serve(io.BytesIO(frame(Teach("events", "allow", EMPTY))[:kept]), sink)

    assert sink.getvalue() == b""


def test_a_batch_of_nothing_but_bad_events_needs_no_keys() -> None:
    bench = Workbench(urandom)
    bench.answer(Teach("events", "allow", EMPTY))

    answer = bench.answer(Job("events", "t", "billing", "2026-11", False, [b"{}"]))

    assert isinstance(answer, Done)
    assert answer.items == []
    assert [one.position for one in answer.refused] == [0]


async def test_keys_are_asked_of_the_vault_only_where_no_bench_has_them(
    tmp_path: Path,
) -> None:
    async with IntakeBench(tmp_path) as bench:
        with ThreadPoolExecutor(1) as pool:
            keys = Keys(bench.vault, pool, on_failure=bench.failures.append)
            first = await keys.get({b"one", b"two"})
            count = bench.vault.count

            again = await keys.get({b"two", b"one"})

            assert bench.vault.count == count == 2
            assert {name: key.group.kid for name, key in first.items()} == {
                name: key.group.kid for name, key in again.items()
            }


async def test_followers_see_of_a_batch_what_they_see_of_single_events(
    tmp_path: Path,
) -> None:
    beat = {"action": "producer.heartbeat", "details": {"heartbeat_s": 30}}
    bodies = [event_json(n, **(beat if n == 5 else {})) for n in range(WORTH)]
    async with IntakeBench(tmp_path / "one") as bench:
        use(bench, [PipedBench()])
        await bench.intake.followed.catch_up()
        lines = [json.dumps(body).encode() for body in bodies]
        await bench.intake.submit_batch("billing", lines, is_cbor=False)
        batch = bench.producers.dump()
    async with IntakeBench(tmp_path / "two") as bench:
        await bench.intake.followed.catch_up()
        events = [parse_event(body, service="billing") for body in bodies]
        await bench.intake.submit("billing", events)

        assert bench.producers.dump() == batch
        assert "30" in repr(batch)


def test_a_refused_event_leaves_nothing_behind_in_the_process() -> None:
    bench = Workbench(urandom)
    bench.answer(Teach("events", "allow", EMPTY))
    bad = [*raws(1), b"{}", b'{"x":1.5}', b"nonsense"]
    job = Job("events", "t", "billing", "2026-11", False, bad)
    need = bench.answer(job)
    assert isinstance(need, Need)
    keys = [(name, name[:8], b"k" * 32, b"s" * 32) for name in need.names]
    bench.answer(Grant(keys))

    gc.collect()
    for _ in range(3):
        assert isinstance(bench.answer(job), Done)

    assert gc.collect() == 0


async def test_what_waits_to_be_sealed_is_bounded_and_one_cannot_take_all(
    tmp_path: Path,
) -> None:
    async with IntakeBench(tmp_path) as bench:
        sealers = bench.intake.sealers
        sealers._waiting = {"shop": MAX_WAITING // 2}

        with pytest.raises(QueueFullError):
            await bench.intake.submit_batch("shop", raws(2), is_cbor=False)
        done = await bench.intake.submit_batch("billing", raws(2), is_cbor=False)
        sealers._waiting = {"shop": MAX_WAITING // 2, "iam": MAX_WAITING // 2}
        with pytest.raises(QueueFullError):
            await bench.intake.submit_batch("billing", raws(2), is_cbor=False)

        assert all(isinstance(one, Taken) for one in done.results)


async def test_a_batch_that_is_done_waits_no_more(tmp_path: Path) -> None:
    async with IntakeBench(tmp_path) as bench:
        await bench.intake.submit_batch("billing", raws(2), is_cbor=False)
        bench.vault.close()
        somebody = {"actor": {"type": "user", "id": "new"}}
        unknown = json.dumps(event_json(7, **somebody)).encode()
        with pytest.raises(UnavailableError):
            await bench.intake.submit_batch("billing", [unknown], is_cbor=False)

        assert bench.intake.sealers._waiting == {}


def test_a_key_that_one_log_was_given_is_asked_for_by_another() -> None:
    bench = Workbench(urandom)
    for log in ("one", "two"):
        bench.answer(Teach(log, "allow", EMPTY))
    jobs = [
        Job(one, "t", "billing", "2026-11", False, raws(1)) for one in ("one", "two")
    ]
    need = bench.answer(jobs[0])
    assert isinstance(need, Need)
    bench.answer(Grant([(n, n[:8], b"k" * 32, b"s" * 32) for n in need.names]))

    again, other = bench.answer(jobs[0]), bench.answer(jobs[1])

    assert isinstance(again, Done)
    assert isinstance(other, Need)
    assert set(other.names) == set(need.names)
