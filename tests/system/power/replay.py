"""Replay a recording up to random moments, lose the power there, and have it judged."""

from __future__ import annotations

import random
import re
import shutil
from base64 import b64decode
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from threading import Semaphore
from typing import Any

from tests.system.power.disk import Disk
from tests.system.power.judging import Judge
from tests.system.power.recorded import FOLDERS
from tests.system.power.recording import Ended, Event, Told

_HEAD = re.compile(rb"(?:\n|\\n)(\d+)(?:\n|\\n)([A-Za-z0-9+/]{43}=)(?:\n|\\n)")
_ENTRY = re.compile(rb'"index":(\d+),"leaf_hash":"([0-9a-f]{64})"')
_JUDGES = 2
_WAITING = 6

Job = dict[str, Any]
Note = Callable[[Event, Job], None]
"""Takes from an event what was promised by it."""


@dataclass(frozen=True, slots=True)
class State:
    """A state that was drawn: where it lies, what was promised before it, its name."""

    place: Path
    job: Job
    name: str


@dataclass
class Outcome:
    """How the states of one recording were judged."""

    verdicts: Counter[str] = field(default_factory=Counter)
    bad: list[str] = field(default_factory=list)

    @property
    def tried(self) -> int:
        """States judged."""
        return self.verdicts.total()


def note_log(event: Event, job: Job) -> None:
    """What a log has promised: entries by receipts, heads by showing them."""
    match event:
        case Told(data):
            for index, leaf in _ENTRY.findall(data):
                job["entries"][int(index)] = leaf.decode()
            for size, root in _HEAD.findall(data):
                job["heads"][int(size)] = b64decode(root).hex()
        case Ended(name):
            job["made"] = True
            if name.startswith("token "):
                token_id, is_revoked = name.removeprefix("token ").split()
                job["tokens"][token_id] = is_revoked == "revoked"
        case _:
            pass


def note_store(event: Event, job: Job) -> None:
    """What the test's own program has promised: the sizes it printed."""
    if isinstance(event, Told) and event.data.strip().isdigit():
        job["size"] = int(event.data)


def states(
    events: Sequence[Event],
    *,
    root: Path,
    scratch: Path,
    job: Job,
    note: Note,
    count: int,
    seed: int,
    first: int = 0,
) -> Iterator[State]:
    """Draw states; `first` is the number of the event before which none is drawn."""
    chance = random.Random(seed)
    moments = Counter(chance.randrange(first, len(events)) for _ in range(count))
    disk = Disk(root, folders=FOLDERS)
    for number, event in enumerate(events):
        note(event, job)  # what begins to leave now was promised before
        disk.take(event)
        for draw in range(moments[number]):
            name = f"seed {seed}, event {number} of {len(events)}, draw {draw}"
            place = scratch / f"{number}-{draw}"
            place.mkdir()
            disk.crashed(random.Random(f"{seed} {number} {draw}"), place)
            yield State(place, _frozen(job, place), name)


def judge_all(drawn: Iterator[State], *, good: frozenset[str]) -> Outcome:
    """Have every state judged, two at a time, and clear it away."""
    outcome = Outcome()
    room = Semaphore(_WAITING)
    free: SimpleQueue[Judge] = SimpleQueue()
    judges = [Judge() for _ in range(_JUDGES)]
    for judge in judges:
        free.put(judge)

    def work(state: State) -> None:
        judge = free.get()
        try:
            verdict = judge.ask(state.job)
        finally:
            free.put(judge)
            room.release()
        outcome.verdicts[verdict.partition(":")[0]] += 1
        if verdict not in good:
            outcome.bad.append(f"{state.name}: {verdict}")
        shutil.rmtree(state.place)

    with ThreadPoolExecutor(_JUDGES) as pool:
        waiting = []
        while room.acquire() and (state := next(drawn, None)) is not None:
            waiting.append(pool.submit(work, state))
        for task in waiting:
            task.result()
    for judge in judges:
        judge.close()
    return outcome


def _frozen(job: Job, place: Path) -> Job:
    copy = {
        key: dict(value) if isinstance(value, dict) else value
        for key, value in job.items()
    }
    return {**copy, "place": str(place)}
