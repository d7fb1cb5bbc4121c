"""No value of an event shows anywhere but to those who may read it.

Looked for is every value that belongs to a person or that nobody said to be harmless
(see `needles`), of the real events, of made ones that are odd, and of those that were
refused; in all that a server keeps on its disks, logs, serves and answers (`places`).
The names of members of refused events go back to whoever sent them, and to the admin
who looks at them, and nowhere else.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.rows.report import Figures
from tests.system.events.collected import collect, search
from tests.system.events.conftest import Grown
from tests.system.events.needles import LEAST, needles_of, secret_values
from tests.system.events.places import Place
from tests.system.events.planted import Maker
from tests.system.events.scan import Scanner
from tests.system.events.submitted import Submitted

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(300)]

ADMINS = "dead-letters"
"""What an admin is shown has the names of what was refused."""


@dataclass(frozen=True)
class Searched:
    """All places, and what must not be in them."""

    places: Sequence[Place]
    values: set[str | int]
    names: set[str]
    submitted: Submitted

    def named(self, what: str) -> list[Place]:
        """Give the places whose names begin so; there must be some."""
        found = [place for place in self.places if place[0].startswith(what)]
        assert found, what
        return found


@pytest.fixture(scope="module")
def searched(grown: Grown) -> Searched:
    """Everything, after good and bad submissions to the log of the real events."""
    submitted, maker = Submitted(grown.log), Maker("planted")
    submitted.take(list(maker.taken()))
    submitted.repeat_wrongly(submitted.events[0], "repeated-00000-secret")
    submitted.refuse(maker)
    places = [*collect(grown.log), *submitted.answers]
    grown.log.start()
    values = secret_values([*grown.events, *submitted.events]) | set(submitted.secrets)
    return Searched(places, values, set(submitted.names), submitted)


def test_what_is_sent_is_answered_as_it_deserves(searched: Searched) -> None:
    statuses = searched.submitted.statuses

    assert set(statuses) == {201, 400, 409, 415, 422}
    assert statuses[422] > 300
    assert len(searched.submitted.secrets) > 150


@pytest.mark.row("R20")
def test_no_value_shows_in_anything_that_is_kept_served_or_logged(
    searched: Searched, figures: Figures
) -> None:
    needles = needles_of(searched.values)

    found = search(searched.places, needles)

    size = sum(len(data) for _, data in searched.places)
    note = f"values {len(searched.values):,}, places {len(searched.places):,}"
    figures.record(
        "spellings of values, looked for in all that is not theirs",
        tried=len(needles),
        bad=len(found),
        note=f"{note}, bytes {size:,}",
    )
    assert not found, "\n".join(map(str, found[:20]))
    assert len(needles) > 20_000
    assert size > 5_000_000


@pytest.mark.row("R20")
def test_a_strange_name_goes_back_to_who_sent_it_and_nowhere_else(
    searched: Searched, figures: Figures
) -> None:
    needles = needles_of(searched.names)

    found = search(
        searched.places,
        needles,
        but=lambda name: name.startswith("answer") or ADMINS in name.split("/"),
    )

    figures.record("names of refused members", tried=len(needles), bad=len(found))
    assert not found, "\n".join(map(str, found[:20]))
    assert search(searched.named("answer"), needles)  # or it proves nothing


def test_every_kind_of_place_is_searched(searched: Searched) -> None:
    files = ("data.mdb", "dead-letters.sqlite", "followed.cbor", "vault.root")
    kinds = ("checkpoint", "tile/0", "tile/1", "tile/entries", "receipt", "entry")
    others = ("index entry", "record", "lines of the log", "/v1/logs", "answer")

    assert all(searched.named(kind) for kind in (*kinds, *others))
    for file in files:
        assert any(Path(name).name == file for name, _ in searched.places), file
    lines = dict(searched.places)["lines of the log"]
    assert b"aiohttp.access" in lines
    assert lines.count(b"/events:batch") > 10


@pytest.mark.row("R19")
def test_a_planted_value_is_found_in_any_place_and_spelling(
    searched: Searched, figures: Figures
) -> None:
    scanner = Scanner(needles_of(searched.values))
    chance = random.Random(20261123)
    long = [one for one in searched.values if len(str(one).encode()) >= LEAST]
    values = sorted(long, key=str)
    kinds: dict[str, Place] = {}
    for name, data in searched.places:
        kinds.setdefault(_kind(name), (name, data))
    missed: list[str] = []
    tried = 0

    for kind, (_, data) in sorted(kinds.items()):
        needles = needles_of(chance.sample(values, 3))
        tried += len(needles)
        at = chance.randint(0, len(data))
        inside = b"\0".join([b"", *(needle.data for needle in needles), b""])
        told = {hit.needle.data for hit in scanner.find(data[:at] + inside + data[at:])}
        missed += [f"{kind}: {one}" for one in needles if one.data not in told]

    figures.record(
        "planted: values in every place and spelling",
        tried=tried,
        bad=len(missed),
        note=f"places {len(kinds)}",
    )
    assert not missed
    assert len(kinds) > 25


def _kind(place: str) -> str:
    """Name the kind of a place: its name without numbers."""
    return re.sub("[0-9]+", "#", place)
