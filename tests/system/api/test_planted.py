"""R19: what the run of R12 would find, planted: it is found, each under its name."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rows.report import Figures
from tests.system.api.exercise import exercise
from tests.system.api.planted import PLANTED, PlantedServer

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.row("R19")]


def test_answers_that_are_not_as_described_are_found(
    tmp_path: Path, figures: Figures
) -> None:
    with PlantedServer(tmp_path) as server:
        verdict = exercise(
            server.target,
            tmp_path,
            examples=4,
            phases="examples,fuzzing",
            only=tuple({one.rpartition(" ")[2] for one in PLANTED}),
        )

    missed = PLANTED - set(verdict.failures)
    figures.record(
        "planted: answers that are not as described",
        tried=len(PLANTED),
        bad=len(missed),
        note="caught by schemathesis and the check of answers",
    )
    assert missed == set(), verdict.said
