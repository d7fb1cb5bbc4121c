"""R4: the power of the whole machine is cut, and nothing that was promised is lost.

Real filesystems on real block devices, at one moment of the disk: see `cuts`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.rows.forms import Form
from tests.rows.report import Figures
from tests.system.power.judging import ROOT
from tests.system.power.loops import alone, missing

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(1500)]


@pytest.fixture
def needs_disks(form: Form) -> None:
    """Skip where this is not tried, or filesystems cannot be mounted."""
    form.needs(Form.CI, "mounts filesystems, and cuts their power for a minute")
    if why := missing("mkfs.xfs", "mkfs.ext4"):
        pytest.skip(why)


def cut(scratch: Path, way: str, *, epochs: int, snapshots: int, seed: int) -> Any:  # noqa: ANN401 -- JSON
    """Have the power cut; give the report."""
    words = [str(scratch), way, str(epochs), str(snapshots), str(seed)]
    command = [sys.executable, "-m", "tests.system.power.cuts", *words]
    done = subprocess.run(
        alone(command), cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.row("R4")
@pytest.mark.usefixtures("needs_disks")
def test_a_power_cut_loses_nothing_that_a_log_or_a_witness_has_promised(
    tmp_path: Path, form: Form, figures: Figures
) -> None:
    epochs = form.pick(quick=0, ci=3, long=20)
    snapshots = form.pick(quick=0, ci=40, long=50)

    report = cut(tmp_path, "server", epochs=epochs, snapshots=snapshots, seed=41)

    verdicts = sorted(report["verdicts"].items())
    figures.record(
        "power cuts of a machine: log, witness, anchors; ext4 and XFS",
        tried=epochs * snapshots,
        bad=len(report["bad"]),
        note=", ".join(f"{what} {count}" for what, count in verdicts),
    )
    assert report["bad"] == []
    assert dict(verdicts) == {
        "log: sound": epochs * snapshots,
        "witness: sound": epochs * snapshots,
    }


@pytest.mark.row("R19")
@pytest.mark.usefixtures("needs_disks")
def test_a_power_cut_loses_commits_that_are_not_synced(
    tmp_path: Path, figures: Figures
) -> None:
    snapshots = 10

    synced = cut(tmp_path, "sync", epochs=1, snapshots=snapshots, seed=42)
    report = cut(tmp_path, "no-sync", epochs=1, snapshots=snapshots, seed=42)

    figures.record(
        "planted: power cuts of commits with no-sync",
        tried=snapshots,
        bad=0 if report["bad"] else 1,
        note=f"caught by R4 in {len(report['bad'])} snapshots",
    )
    assert synced["bad"] == []
    assert report["bad"]
