"""R19: the scan finds what servers let out that were made to leak."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.rows.report import Figures
from tests.system.events.collected import collect, search
from tests.system.events.needles import needles_of, secret_values
from tests.system.events.planted import Maker
from tests.system.events.submitted import JSON, Submitted
from tests.system.one_log import OneLog

pytestmark = [pytest.mark.system, pytest.mark.slow]

PROGRAM = Path(__file__).with_name("leaking_server.py")

WHERE = {
    "none": set[str](),
    "talkative": {"lines of the log"},
    "echoing": {"answer", "/dead-letters"},
    "unsealed": {"record", "data.mdb"},
    "guessable": {"index entry", "data.mdb", "answer"},
    "careless": {"dead-letters.sqlite"},
}
"""Each leak, and the places where it shows; nothing shows in others."""


@pytest.mark.row("R19")
@pytest.mark.parametrize("leak", WHERE)
def test_a_server_that_leaks_is_found(
    leak: str, tmp_path: Path, figures: Figures
) -> None:
    with OneLog(tmp_path, 'log_level = "debug"', kind="events") as log:
        log.start(program=(sys.executable, str(PROGRAM), leak))
        submitted, maker = Submitted(log), Maker("leaked")
        event = maker.event("sixteen.letters!")
        submitted.send(json.dumps(event).encode(), JSON)
        refused = {**maker.event("nobody"), "outcome": "refused-secret"}
        submitted.send(json.dumps(refused).encode(), JSON)
        assert dict(submitted.statuses) == {201: 1, 422: 1}
        places = [*collect(log), *submitted.answers]

    found = search(places, needles_of(secret_values([event]) | {"refused-secret"}))

    told = {one.place for one in found}
    missed = [place for place in WHERE[leak] if not any(place in one for one in told)]
    note = f"shows {len(found)} times" if found else "nothing shows"
    elsewhere = [one for one in told if not any(place in one for place in WHERE[leak])]
    bad = len(missed) + len(elsewhere)
    figures.record(f"planted: a leak, {leak}", tried=len(places), bad=bad, note=note)
    assert (missed, elsewhere) == ([], [])
