"""kill -9 under load, at random moments, with a client that tries again.

Every idempotency key is committed exactly once, nothing acked is missing, and what is
on disk is a whole log: fsck and an audit from outside say so.
"""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tallystick_merkle.errors import RefusedError, UnreachableError
from tallystick_merkle.exchange.appending import Appended, append_entry
from tallystick_merkle.exchange.auditing import audit_to
from tallystick_merkle.exchange.base import NO_RETRY
from tallystick_merkle.exchange.reading import TileReader
from tallystick_merkle.frontier import EMPTY_EDGE
from tallystick_merkle.policy import judge
from tallystick_merkle.proof import check_inclusion
from tallystick_merkle.tile import bundles_of
from tests.system.drive import drive
from tests.system.stack import LOG, Stack, run_json

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(300)]

KILLS = 10
WORKERS = 8
ENTRIES_A_ROUND = 60


@dataclass
class Ledger:
    """What clients were told: one answer for each key."""

    acked: dict[str, Appended] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, key: str, answer: Appended) -> None:
        with self.lock:
            self.acked[key] = answer


def append_until_acked(
    stack: Stack, ledger: Ledger, key: str, stop: threading.Event
) -> None:
    """Append one entry; try again as long as nobody says that the round is over."""
    while not stop.is_set():
        try:
            answer = drive(
                append_entry(
                    stack.address,
                    b"entry of " + key.encode(),
                    policy=stack.policy,
                    key=key,
                    retry=NO_RETRY,
                )
            )
        except (UnreachableError, RefusedError):
            continue
        ledger.note(key, answer)
        return


def entries_of(stack: Stack, size: int) -> list[bytes]:
    """Read every entry from outside."""
    reader = TileReader(stack.address.read_url)
    bundles = drive(reader.entries(bundles_of(0, size, size)))
    return [entry for bundle in bundles for entry in bundle]


def test_kill_under_load_loses_and_repeats_nothing(tmp_path: Path) -> None:
    chance = random.Random(20261123)
    ledger = Ledger()
    tried: list[str] = []
    with Stack(tmp_path) as stack:
        for round_ in range(KILLS):
            daemon = stack.start()
            stop = threading.Event()
            keys = [f"key-{round_}-{number}" for number in range(ENTRIES_A_ROUND)]
            waiting = [key for key in tried if key not in ledger.acked] + keys
            tried += keys
            killer_at = chance.randrange(1, ENTRIES_A_ROUND)
            reached = threading.Semaphore(0)

            def work(
                key: str,
                stop: threading.Event = stop,
                reached: threading.Semaphore = reached,
            ) -> None:
                append_until_acked(stack, ledger, key, stop)
                reached.release()

            with ThreadPoolExecutor(WORKERS) as pool:
                for key in waiting:
                    pool.submit(work, key)
                for _ in range(killer_at):
                    reached.acquire()
                daemon.kill()
                stop.set()

        stack.start()
        for key in [key for key in tried if key not in ledger.acked]:
            append_until_acked(stack, ledger, key, threading.Event())
        last = ledger.acked[tried[-1]]
        info = run_json_head(stack)
        entries = entries_of(stack, info)
        check_everything(stack, ledger, tried, entries)
        assert last.size <= info
        audited = run_json(
            "audit", "--server", stack.server.url if stack.server else "", "--log", LOG,
            "--policy", str(stack.policy_path), "--state", str(tmp_path / "auditor"),
        )  # fmt: skip
        assert audited["size"] == info
        assert stack.server is not None
        assert stack.server.stop() == 0
        assert stack.fsck()["sound"] is True


def run_json_head(stack: Stack) -> int:
    """Wait for a witnessed head that holds everything: append one more, witnessed."""
    answer = drive(
        append_entry(
            stack.address,
            b"the last one",
            policy=stack.policy,
            key="the-last-one",
            wait="witnessed",
        )
    )
    return answer.size


def check_everything(
    stack: Stack, ledger: Ledger, tried: list[str], entries: list[bytes]
) -> None:
    """Hold what clients were told against what the log serves."""
    size = len(entries)
    assert set(ledger.acked) == set(tried)
    for key, answer in ledger.acked.items():
        text = b"entry of " + key.encode()
        assert entries.count(text) == 1
        assert entries[answer.index] == text
    assert size == len(tried) + 2  # the genesis entry and the last one
    reader = TileReader(stack.address.read_url)
    judged = judge(drive(reader.checkpoint()), stack.policy)
    drive(audit_to(reader, EMPTY_EDGE, head=judged, report=lambda _: None))
    root = judged.opened.checkpoint.root
    for answer in ledger.acked.values():
        path = drive(
            reader.inclusion(index=answer.index, size=judged.opened.checkpoint.size)
        )
        check_inclusion(
            index=answer.index,
            size=judged.opened.checkpoint.size,
            leaf=answer.leaf,
            path=path,
            root=root,
        )
