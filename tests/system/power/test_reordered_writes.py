"""R5: writes that reached the disk in any order, or not at all, lose nothing acked.

What real processes wrote is recorded with its barriers, from the first file on.  Then
the power is lost at random moments: of what was written since the last barrier, a
random part is there, sector by sector, and of the names of files as well.  Each state
is opened as a start would open it, checked whole, and gone on with.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from tests.rows.forms import Form
from tests.rows.report import Figures
from tests.system.power.judge import NEVER_MADE, ORIGIN, SOUND
from tests.system.power.recorded import (
    Recording,
    record_log,
    record_program,
    record_witness,
    twin,
)
from tests.system.power.recording import Ended, Event, Synced, Told, Wrote
from tests.system.power.replay import (
    Job,
    Note,
    Outcome,
    judge_all,
    note_log,
    note_store,
    states,
)

pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not shutil.which("strace"), reason="needs strace"),
]

GOOD = frozenset({SOUND, NEVER_MADE})


def judged_log(recording: Recording, tmp_path: Path, count: int, seed: int) -> Outcome:
    """Draw states of a recorded log and judge them."""
    job: Job = {"kind": "log", "made": False, "anchored": True}
    job |= {"entries": {}, "heads": {}, "tokens": {}}
    return judged(recording, tmp_path, job, note_log, count, seed)


def judged_program(
    recording: Recording, tmp_path: Path, count: int, seed: int
) -> Outcome:
    """Draw states of the recorded program, from its first ack on, and judge them."""
    job: Job = {"kind": "store", "size": 1}
    made = next(at for at, one in enumerate(recording.events) if isinstance(one, Told))
    return judged(recording, tmp_path, job, note_store, count, seed, first=made)


def judged_witness(
    recording: Recording, released: list[int], tmp_path: Path, count: int, seed: int
) -> Outcome:
    """Draw states of a recorded witness and judge them."""
    job: Job = {"kind": "witness", "made": False, "anchored": True}
    job |= {"followed": [], "cosigned": {}}
    note = note_witness(released)
    return judged(recording, tmp_path, job, note, count, seed)


def note_witness(released: list[int]) -> Note:
    """What a witness has promised: the sizes that it released, one after the other."""
    tree = twin(max(released)).tree
    left = iter(released)

    def note(event: Event, job: Job) -> None:
        match event:
            case Ended("init"):
                job["made"] = True
            case Ended("follow"):
                job["followed"] = [ORIGIN]
            case Told(data) if b"200 OK" in data and "—".encode() in data:
                size = next(left)
                job["cosigned"] = {ORIGIN: [size, tree.root(size).hex()]}
            case _:
                pass

    return note


def judged(
    recording: Recording,
    tmp_path: Path,
    job: Job,
    note: Note,
    count: int,
    seed: int,
    *,
    first: int = 0,
) -> Outcome:
    """Draw states of a recording and judge them."""
    scratch = tmp_path / f"states-{seed}"
    scratch.mkdir()
    drawn = states(
        recording.events,
        root=recording.root,
        scratch=scratch,
        job=job,
        note=note,
        count=count,
        seed=seed,
        first=first,
    )
    return judge_all(drawn, good=GOOD)


def described(recording: Recording, outcome: Outcome) -> str:
    """Say what was recorded and how it was judged."""
    writes = sum(isinstance(one, Wrote) for one in recording.events)
    barriers = sum(isinstance(one, Synced) for one in recording.events)
    found = outcome.verdicts.most_common()
    verdicts = ", ".join(f"{count} {what}" for what, count in found)
    return f"{verdicts}; {writes} writes and {barriers} barriers recorded"


@pytest.mark.row("R5")
def test_a_log_loses_nothing_that_it_acked(
    tmp_path: Path, form: Form, figures: Figures
) -> None:
    appends = form.pick(quick=24, ci=60, long=160)
    recording = record_log(tmp_path, appends=appends, tokens=form is not Form.QUICK)

    count = form.pick(quick=30, ci=250, long=2600)
    outcome = judged_log(recording, tmp_path, count, seed=51)

    figures.record(
        "states of a log: made, given tokens, served, killed, served",
        tried=outcome.tried,
        bad=len(outcome.bad),
        note=described(recording, outcome),
    )
    assert outcome.bad == []
    assert outcome.verdicts[SOUND] > outcome.tried // 2


@pytest.mark.row("R5")
def test_a_witness_holds_every_head_that_it_cosigned(
    tmp_path: Path, form: Form, figures: Figures
) -> None:
    form.needs(Form.CI, "the log's turn stands for both")
    heads = form.pick(quick=0, ci=80, long=200)
    recording, released = record_witness(tmp_path, heads=heads)

    count = form.pick(quick=0, ci=130, long=1300)
    outcome = judged_witness(recording, released, tmp_path, count, seed=52)

    figures.record(
        "states of a witness: made, told of a log, served, killed, served",
        tried=outcome.tried,
        bad=len(outcome.bad),
        note=described(recording, outcome),
    )
    assert outcome.bad == []
    assert outcome.verdicts[SOUND] > outcome.tried // 2


@pytest.mark.row("R5")
def test_a_store_whose_map_grows_loses_no_commit(
    tmp_path: Path, form: Form, figures: Figures
) -> None:
    commits = form.pick(quick=30, ci=60, long=150)
    recording = record_program(tmp_path, commits=commits, way="sync")

    count = form.pick(quick=30, ci=130, long=1300)
    outcome = judged_program(recording, tmp_path, count, seed=53)

    figures.record(
        "states of a store whose map grows",
        tried=outcome.tried,
        bad=len(outcome.bad),
        note=described(recording, outcome),
    )
    assert outcome.bad == []


@pytest.mark.row("R19")
@pytest.mark.parametrize("way", ["no-metasync", "no-sync"])
def test_commits_that_are_not_synced_are_found_lost(
    tmp_path: Path, form: Form, figures: Figures, way: str
) -> None:
    recording = record_program(tmp_path, commits=20, way=way)

    count = form.pick(quick=20, ci=60, long=300)
    outcome = judged_program(recording, tmp_path, count, seed=54)

    lost = sum(": lost: " in text for text in outcome.bad)
    figures.record(
        f"planted: commits with {way}",
        tried=outcome.tried,
        bad=0 if lost else 1,
        note=f"caught by R5 in {len(outcome.bad)} states, {lost} of them lost an ack",
    )
    assert lost


def without(drop: Callable[[Event], bool], events: Iterable[Event]) -> list[Event]:
    """A recording in which some barriers were never made."""
    return [one for one in events if not (isinstance(one, Synced) and drop(one))]


@pytest.mark.row("R19")
def test_barriers_that_a_log_leaves_out_are_missed(
    tmp_path: Path, form: Form, figures: Figures
) -> None:
    form.needs(Form.CI, "it records a whole log again")
    recording = record_log(tmp_path, appends=40)
    planted: dict[str, Callable[[Event], bool]] = {
        "the store": lambda one: str(one).count("data.mdb") > 0,
        "the anchor": lambda one: "/anchor/log" in str(one),
        "the folder of the anchor": lambda one: str(one).endswith("/anchor')"),
        "the folder of the logs": lambda one: str(one).endswith("/logs')"),
        "the folder of the keys": lambda one: str(one).endswith("/keys')"),
        "the tokens": lambda one: "/tokens.json" in str(one),
    }
    missed = []
    for number, (what, drop) in enumerate(planted.items()):
        events = without(drop, recording.events)
        assert len(events) < len(recording.events), what
        sabotaged = Recording(recording.root, events)
        count = form.pick(quick=0, ci=60, long=200)
        outcome = judged_log(sabotaged, tmp_path, count, seed=550 + number)
        figures.record(
            f"planted: {what} of a log without fsync",
            tried=outcome.tried,
            bad=0 if outcome.bad else 1,
            note=f"caught by R5 in {len(outcome.bad)} states",
        )
        missed += [] if outcome.bad else [what]
    assert missed == []


@pytest.mark.row("R19")
def test_barriers_that_a_witness_leaves_out_are_missed(
    tmp_path: Path, form: Form, figures: Figures
) -> None:
    form.needs(Form.CI, "it records a whole witness again")
    recording, released = record_witness(tmp_path, heads=40)
    events = without(lambda one: str(one).count("data.mdb") > 0, recording.events)
    sabotaged = Recording(recording.root, events)

    outcome = judged_witness(sabotaged, released, tmp_path, 60, seed=56)

    figures.record(
        "planted: the store of a witness without fdatasync",
        tried=outcome.tried,
        bad=0 if outcome.bad else 1,
        note=f"caught by R5 in {len(outcome.bad)} states",
    )
    assert outcome.bad


def test_the_same_seed_draws_the_same_states(tmp_path: Path) -> None:
    recording = record_program(tmp_path, commits=3, way="sync")

    def names(seed: int) -> list[tuple[str, bytes]]:
        scratch = tmp_path / f"{seed}-{random.random()}"
        scratch.mkdir()
        drawn = states(
            recording.events,
            root=recording.root,
            scratch=scratch,
            job={"size": 1},
            note=note_store,
            count=5,
            seed=seed,
        )
        return [
            (file.name, file.read_bytes())
            for state in drawn
            for file in sorted(state.place.rglob("*"))
            if file.is_file()
        ]

    assert names(1) == names(1) != names(2)
