"""One bit of a witness's file flips: it cosigns no fork, and shows no wrong head."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tallystick_witness.store import files
from tests.rot.children import Died, in_child
from tests.rot.flips import ANYWHERE, META_PAGES, NUMBER_AT, NUMBERS, PAGE, Flip
from tests.rot.witnessing import Told, Watch, make_watch, tempt
from tests.rows.forms import Form
from tests.rows.report import Figures

SEED = 409


@pytest.fixture(scope="module")
def watch(tmp_path_factory: pytest.TempPathFactory) -> Watch:
    """A witness that has cosigned some heads of a log."""
    folder = tmp_path_factory.mktemp("watch")
    made = in_child(partial(make_watch, folder / "sound"))
    assert not isinstance(made, Died)
    told = in_child(lambda: tempt(made.copy(folder / "copy")))
    assert not isinstance(told, Died)
    assert (told.refused, told.wrong, told.cosigned, told.withheld) == ("", [], 1, 0)
    return made


@pytest.mark.row("R6")
@pytest.mark.timeout(600)
def test_a_witness_never_cosigns_from_a_rotten_state(
    watch: Watch, tmp_path: Path, form: Form, figures: Figures
) -> None:
    tried = form.pick(quick=12, ci=60, long=600)
    how, bad = Counter[str](), list[str]()
    for number, flip in enumerate(draw(watch.file.read_bytes(), tried)):
        place = watch.copy(tmp_path / "copy")
        is_late = number // 3 % 2 == 1
        hit = partial(flip.apply, place.file)
        if not is_late:
            hit()
        told = in_child(partial(tempt, place, late=hit if is_late else None))
        if isinstance(told, Died):
            how["process ended by a signal"] += 1
            bad += [] if is_late else [f"{flip}: the start died"]
            continue
        how["refused at start"] += bool(told.refused)
        how["answers withheld"] += bool(told.withheld)
        how["cosigned the honest head"] += bool(told.cosigned)
        bad += [f"seed {SEED}, flip {number} ({flip}): {text}" for text in told.wrong]
    note = ", ".join(f"{what} {many}" for what, many in sorted(how.items()))
    what = "bits flipped in a witness's file"
    figures.record(what, tried=tried, bad=len(bad), note=note)
    assert not bad, "\n".join(bad)


@pytest.mark.row("R19")
def test_a_witness_that_does_not_compare_commit_numbers_is_found_out(
    watch: Watch, tmp_path: Path, figures: Figures
) -> None:
    caught = 0
    flips = [
        Flip(NUMBERS, b"", (page * PAGE + NUMBER_AT,), 1 << bit)
        for page in (0, 1)
        for bit in range(1, 8)
    ]
    for flip in flips:
        place = watch.copy(tmp_path / "copy")
        flip.apply(place.file)
        told = in_child(partial(tempt_unguarded, place))
        assert not isinstance(told, Died)
        caught += bool(told.wrong)
    figures.record(
        "planted: a witness that does not compare commit numbers",
        tried=len(flips),
        bad=int(not caught),
        note=f"caught by R6 in {caught} of {len(flips)} flips",
    )
    assert caught


def tempt_unguarded(watch: Watch) -> Told:
    """Tempt a witness whose start leaves one check out. To be called in a child."""
    vars(files)["_check_turns"] = lambda *_: []
    return tempt(watch)


def draw(file: bytes, count: int) -> Iterator[Flip]:
    """Draw flips: anywhere, in the two meta pages, in the numbers of their commits."""
    chance = random.Random(SEED)
    for number in range(count):
        mask = 1 << chance.randrange(8)
        if number % 3 == 0:
            yield Flip(ANYWHERE, b"", (chance.randrange(len(file)),), mask)
        elif number % 3 == 1:
            yield Flip(META_PAGES, b"", (chance.randrange(2 * PAGE),), mask)
        else:
            at = chance.randrange(2) * PAGE + NUMBER_AT
            yield Flip(NUMBERS, b"", (at,), mask)
