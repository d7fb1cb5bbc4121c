"""The selftest on this machine: a real run is good, a planted fault is caught."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tallystick_server.clock import SystemClock
from tallystick_server.selftest.children import Programs, installed
from tallystick_server.selftest.drill import Orders, run_drill
from tallystick_server.selftest.ledger import Kind
from tallystick_server.selftest.plan import draw_round
from tallystick_server.selftest.report import Report, Result
from tests.rows.forms import Form
from tests.rows.report import Figures
from tests.system.patience import until
from tests.system.stack import run, tallystick

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(180)]

SABOTAGED = Path(__file__).with_name("sabotaged_program.py")


SEED = 124
"""In its first round the server is killed early, with the witness, and starts again
without an anchor."""


def sabotaged(sabotage: str, house: str) -> tuple[str, ...]:
    """What to start instead of the real program."""
    return (sys.executable, str(SABOTAGED), sabotage, house)


def drill(directory: Path, programs: Programs, *, seed: int) -> Report:
    """Run a drill of one round with programs of our choice."""
    orders = Orders(
        directory, seed, 60.0, 1, programs, SystemClock(), lambda _text, _share: None
    )
    return asyncio.run(run_drill(orders))


def failed(report: Report) -> set[str]:
    """The names of the checks that failed."""
    return {one.check for one in report.checks if one.result is Result.FAILED}


def processes_below(directory: Path) -> list[int]:
    """The processes that were started with a path below `directory`."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = file.read_bytes()
        except OSError:
            continue  # it has ended meanwhile
        if os.fsencode(f"{directory}/tallystick-selftest-") in words:
            found.append(int(file.parent.name))
    return found


def test_a_real_run_is_good_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "not ours").write_text("stays", "utf-8")

    done = run(
        "--json", "selftest", "--data", str(tmp_path), "--rounds", "1", "--seed", "4"
    )

    report = json.loads(done.stdout)
    results = {one["check"]: one["result"] for one in report["checks"]}
    assert (report["good"], report["kept"], report["seed"]) == (True, None, 4)
    assert report["counts"]["rounds"] == 1
    assert report["counts"]["acked"] >= draw_round(4, 1).kill_after
    assert {results[kind.value] for kind in Kind} == {"ok"}
    assert [item.name for item in tmp_path.iterdir()] == ["not ours"]
    assert processes_below(tmp_path) == []


# What the witness had not cosigned yet at the kill is beyond its knowledge: then it is
# the ledger that notices, and not the start.
CASES = (
    ("late", None, {Kind.ACKED}),
    ("late", "real", {Kind.ACKED, Kind.RESTART}),
    ("real", "late", {Kind.WITNESS}),
    ("forked", None, {Kind.HEADS}),
    ("forgetful", None, {Kind.REPEATS}),
    ("trusting", None, {Kind.ROLLBACK}),
)
QUICK = {Kind.ACKED}


@pytest.mark.row("R19")
@pytest.mark.parametrize(("server", "witness", "kinds"), CASES)
def test_a_planted_fault_is_caught_and_the_scratch_is_kept(
    tmp_path: Path,
    form: Form,
    figures: Figures,
    server: str,
    witness: str | None,
    kinds: set[Kind],
) -> None:
    if kinds != QUICK:
        form.needs(Form.CI, "each of them takes seconds")
    real = installed()
    assert real.witness is not None
    programs = Programs(
        real.server if server == "real" else sabotaged(server, "server"),
        None
        if witness is None
        else real.witness
        if witness == "real"
        else sabotaged(witness, "witness"),
    )

    report = drill(tmp_path, programs, seed=SEED)

    caught = failed(report)
    what = f"planted: selftest, server {server}, witness {witness or 'none'}"
    note = f"caught by {', '.join(sorted(caught))}"
    figures.record(what, tried=1, bad=not caught & kinds, note=note)
    assert caught & kinds
    assert report.kept is not None
    kept = json.loads((report.kept / "report.json").read_text("utf-8"))
    assert {fault["kind"] for fault in kept["faults"]} == caught
    assert processes_below(tmp_path) == []


@pytest.fixture
def from_ci_on(form: Form) -> None:
    """Skip, before anything is started, what takes seconds."""
    form.needs(Form.CI, "it takes seconds")


@pytest.fixture
def running(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A selftest that has started its server."""
    words = tallystick("selftest", "--data", str(tmp_path), "--rounds", "1000")
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            assert until(lambda: len(processes_below(tmp_path)) >= 2)
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
)
def test_a_selftest_that_is_told_to_stop_clears_up(
    tmp_path: Path,
    from_ci_on: None,
    running: subprocess.Popen[bytes],
    number: signal.Signals,
    code: int,
) -> None:
    running.send_signal(number)

    assert running.wait(timeout=60) == code
    assert list(tmp_path.iterdir()) == []
    assert processes_below(tmp_path) == []


def test_no_child_outlives_a_selftest_that_is_killed(
    tmp_path: Path, running: subprocess.Popen[bytes]
) -> None:
    running.kill()

    assert until(lambda: processes_below(tmp_path) == [])


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("--seconds", "10", "--rounds", "1"), 2, "give one of them"),
        (("--data", "not-there"), 2, "is not a directory"),
        (("--seconds", "1"), 2, "--seconds"),
    ],
)
def test_wrong_usage_is_one_line_and_makes_nothing(
    tmp_path: Path, words: tuple[str, ...], code: int, says: str
) -> None:
    done = subprocess.run(
        tallystick("selftest", *words),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=tmp_path,
    )

    assert done.returncode == code
    assert done.stderr.startswith("tallystick selftest: ")
    assert done.stderr.count("\n") == 1
    assert says in done.stderr
    assert list(tmp_path.iterdir()) == []
