"""One bit of a log's file flips: nothing wrong is served or signed, and fsck names it.

Each flip is tried on a copy of a whole log of real events, in processes of their own:
it is started, read whole, asked to repeat and to append, and published; and it is
checked by fsck.  A third of the flips happen before the start, a third under the
running server, and a third before a start for reading only.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from tallystick_server.errors import UsageError
from tallystick_server.log.findings import Problem
from tallystick_server.log.inspection import inspect_log
from tallystick_server.storage.records import ENTRIES, KEYS, unpack_index
from tests.rot.children import Died, in_child
from tests.rot.conftest import Sound
from tests.rot.flips import Flip, all_items, draw_flips
from tests.rot.looking import API, Prepare, Seen, look_at
from tests.rot.place import NAME, Place
from tests.rows.forms import Form
from tests.rows.report import Figures

SEED = 2026
EARLY, LATE, READ_ONLY = WHEN = ("early", "late", "read-only")


@dataclass(frozen=True)
class Checked:
    """What fsck says: its problems, or the format that it does not know."""

    problems: tuple[Problem, ...]
    refused: str = ""


@pytest.mark.row("R6")
@pytest.mark.timeout(900)
def test_a_flipped_bit_is_never_served_nor_signed_and_fsck_names_it(
    sound: Sound, folder: Path, form: Form, figures: Figures
) -> None:
    tried = form.pick(quick=5, ci=30, long=300)
    flips = draw_flips(sound.file, sound.items, count=tried, seed=SEED)
    kinds, how, bad = Counter[str](), Counter[str](), list[str]()
    for number, flip in enumerate(flips):
        kinds[flip.kind.decode()] += 1
        faults = try_flip(sound, folder, flip, WHEN[number // 9 % 3], how)
        bad += [f"seed {SEED}, flip {number} ({flip}): {fault}" for fault in faults]
    note = ", ".join(f"{what} {many}" for what, many in sorted(how.items()))
    drawn = ", ".join(f"{what} {many}" for what, many in sorted(kinds.items()))
    figures.record("bits flipped in a log's file", tried=tried, bad=len(bad), note=note)
    assert not bad, "\n".join([drawn, *bad])


def try_flip(
    sound: Sound,
    folder: Path,
    flip: Flip,
    when: str,
    how: Counter[str],
    prepare: Prepare = lambda _: None,
) -> list[str]:
    """Try one flip; count how it went, and name what must not be."""
    place = sound.place.copy(folder)
    asked = entries_of(sound.place, flip)
    late = None
    if when == LATE:
        late = partial(flip.apply, place.file)
    else:
        flip.apply(place.file)
    look = partial(
        look_at,
        place,
        late=late,
        prepare=prepare,
        asked=asked,
        read_only=when == READ_ONLY,
    )
    seen = in_child(look)
    place = sound.place.copy(folder)
    flip.apply(place.file)
    checked = in_child(lambda: check(place))
    faults = faults_of(seen, sound, flip, how, when)
    return faults + unnamed(checked, sound, place, flip, how)


def entries_of(place: Place, flip: Flip) -> tuple[int, ...]:
    """Name entries to ask about besides: those that the flip may have hit."""
    if flip.kind == ENTRIES:
        return (unpack_index(flip.key, table=ENTRIES),)
    if flip.kind == KEYS:
        first = 1
        for key, entries in place.requests.items():
            if flip.key.endswith(key.encode()):
                return (first,)
            first += len(entries)
    return ()


def check(place: Place) -> Checked:
    """Run fsck."""
    try:
        report = inspect_log(place.data, NAME, place.known)
    except UsageError as error:
        return Checked((), str(error))
    return Checked(report.problems)


def faults_of(
    seen: Seen | Died, sound: Sound, flip: Flip, how: Counter[str], when: str
) -> list[str]:
    """Name what was served or signed and must not be; count how it went."""
    if isinstance(seen, Died):
        how["process ended by a signal"] += 1
        return [] if when == LATE else [f"the start died of signal {seen.signal}"]
    if seen.refused:
        how["refused at start"] += 1
        return ["refused, though it had started"] if when == LATE else []
    if when == READ_ONLY and is_older(seen, sound.place):
        how["an older signed state, read-only"] += 1
        return [f"signed wrong: {what}" for what in seen.wrong_signed]
    how["answers refused" if seen.refusals else "served whole"] += 1
    how["process ended"] += bool(seen.ended)
    faults = [f"served wrong: {path}" for path in seen.wrong(sound.answers)]
    faults += [f"unclean: {what}" for what in seen.unclean]
    faults += [f"signed wrong: {what}" for what in seen.wrong_signed]
    if seen.signed_in_doubt:
        faults.append("signed after wrong data had been found")
    if seen.again:
        how["repeat appended anew"] += 1
        if flip.kind != KEYS or not flip.in_key:
            faults.append(f"appended again: {seen.again}")
    return faults


def is_older(seen: Seen, place: Place) -> bool:
    """Whether what is shown is the log as it was at an earlier head.

    A server for reading does not walk the file, for another may write it meanwhile.
    """
    size = json.loads(seen.answers.get(API, b'{"size": 0}'))["size"]
    return size in place.sizes and size < place.edge.size


def unnamed(
    checked: Checked | Died, sound: Sound, place: Place, flip: Flip, how: Counter[str]
) -> list[str]:
    """Say that fsck does not name a flip, unless every record is as it was."""
    if isinstance(checked, Died):
        return [f"fsck died of signal {checked.signal}"]
    if checked.refused or any(map(flip.is_named_by, checked.problems)):
        how["named by fsck"] += 1
        return []
    if checked.problems:
        return [f"fsck names something else: {checked.problems[0].text}"]
    items = in_child(lambda: all_items(place.store))
    if items == sound.items:
        how["in unused bytes"] += 1
        return []
    return ["fsck names nothing, and the records are not what they were"]
