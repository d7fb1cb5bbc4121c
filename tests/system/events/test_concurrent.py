"""Several producers at once, people nobody knew: one index each, all of it readable."""

from __future__ import annotations

import os
import random
import signal
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tallystick_merkle.errors import RefusedError
from tests.rows.forms import Form
from tests.rows.report import Figures
from tests.system.events.busy import BATCH, Producer, at_once
from tests.system.one_log import OneLog
from tests.system.patience import until
from tests.system.stack import Daemon, run_json

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(600)]

PRODUCERS = 4
TURNS = 3
SEALING = "sealing process started"


@pytest.fixture
def log(tmp_path: Path) -> Iterator[OneLog]:
    """A log of events that is served nowhere yet."""
    with OneLog(tmp_path, kind="events") as one:
        yield one


@pytest.fixture
def producers(log: OneLog) -> list[Producer]:
    """Producers with tokens of their own: each is another principal."""
    return [Producer(name, log, log.add_token("emit")) for name in range(PRODUCERS)]


def sealers(log: OneLog) -> list[int]:
    """Give the ids of the processes that have sealed."""
    return [line["pid"] for line in log.logged() if line["event"] == SEALING]


def is_gone(pid: int) -> bool:
    """Whether a process is there no more, or dead and not yet buried."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2]
    except FileNotFoundError:
        return True
    return state.split()[0] == "Z"


def check(log: OneLog, producers: list[Producer]) -> int:
    """All that was acked is readable, at one index each; give how many there are."""
    at_once([partial(one.check, readers=log) for one in producers])
    indexes = [index for one in producers for index, _ in one.acked.values()]
    assert [one.wrong for one in producers] == [[]] * len(producers)
    assert len(set(indexes)) == len(indexes)
    return len(indexes)


def fsck(log: OneLog) -> None:
    """Stop the log; what is on the disk is sound."""
    assert log.daemon is not None
    assert log.daemon.stop() == 0
    assert run_json("server", "fsck", "--data", str(log.data))["sound"] is True


def test_producers_at_once_lose_nothing_and_share_no_index(
    log: OneLog, producers: list[Producer]
) -> None:
    log.start()

    at_once([partial(one.work, TURNS) for one in producers])

    count = check(log, producers)
    assert count == PRODUCERS * TURNS * (3 + BATCH)
    assert log.size() == 1 + count
    fsck(log)


def test_one_event_over_many_connections_has_one_index(
    log: OneLog, producers: list[Producer]
) -> None:
    log.start()
    one, other, *_ = producers
    events = one.events(20)
    fresh: list[bool] = []

    def send(order: random.Random) -> None:
        shuffled = order.sample(events, len(events))
        fresh.extend([not one.send(event) for event in shuffled])

    at_once([partial(send, random.Random(number)) for number in range(6)])

    assert (len(fresh), sum(fresh)) == (6 * len(events), len(events))
    assert log.size() == 1 + len(events)
    with pytest.raises(RefusedError) as refused:
        other.send(events[0])
    assert refused.value.status == 409
    check(log, [one])


def test_a_batch_that_repeats_what_others_send_at_once_adds_nothing_twice(
    log: OneLog, producers: list[Producer]
) -> None:
    log.start()
    one = producers[0]
    events = one.events(2 * BATCH)
    parts = [events, events[BATCH // 2 :], events[: -BATCH // 2], events[::2]]

    at_once([partial(one.send_all, part) for part in parts])

    assert log.size() == 1 + len(events)
    check(log, [one])


def test_when_the_sealing_process_is_killed_nothing_is_lost(
    log: OneLog, producers: list[Producer]
) -> None:
    log.start()
    producers[0].send_all(producers[0].events(BATCH))
    (first,) = sealers(log)

    def kill() -> None:
        os.kill(first, signal.SIGKILL)

    at_once([kill, *(partial(one.work, TURNS) for one in producers)])

    count = check(log, producers)
    assert log.size() == 1 + count
    assert is_gone(first)
    fsck(log)
    assert all(is_gone(pid) for pid in sealers(log))


@pytest.mark.row("R1")
def test_kill_9_under_load_leaves_every_acked_event_readable(
    log: OneLog, producers: list[Producer], form: Form, figures: Figures
) -> None:
    chance = random.Random(20261123)
    kills = form.pick(quick=2, ci=6, long=40)
    for _ in range(kills):
        daemon = log.start()
        acked, stop = threading.Semaphore(0), threading.Event()

        def kill(
            daemon: Daemon = daemon,
            acked: threading.Semaphore = acked,
            stop: threading.Event = stop,
        ) -> None:
            for _ in range(chance.randint(1, 40)):
                acked.acquire()
            daemon.kill()
            stop.set()

        at_once([kill, *(partial(one.work_until, stop, acked) for one in producers)])
        assert until(lambda: all(is_gone(pid) for pid in sealers(log)))

    log.start()
    known = [dict(one.acked) for one in producers]
    at_once([one.repeat_all for one in producers])
    for old, one in zip(known, producers, strict=True):
        assert old.items() <= one.acked.items()
    count = check(log, producers)
    wrong = sum(len(one.wrong) for one in producers)
    note = f"events {count:,}, acked before a kill {sum(map(len, known)):,}"
    figures.record("kills of a busy log of events", tried=kills, bad=wrong, note=note)
    assert log.size() == 1 + count
    fsck(log)
