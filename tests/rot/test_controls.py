"""The bit rot test sees what it must see: each planted omission is found by it."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tallystick_merkle.proof import plan_consistency, plan_root
from tallystick_merkle.tile import Tile, format_bundle
from tallystick_server.log.findings import Kind
from tallystick_server.log.nodes import NodeReader
from tallystick_server.log.reader import Reader
from tallystick_server.storage.base import Head, LogStore
from tallystick_server.storage.records import ENTRIES, ROWS
from tallystick_server.wiring.running import RunningLog
from tests.rot.children import Died, in_child
from tests.rot.conftest import Sound
from tests.rot.flips import draw_in_table
from tests.rot.test_bit_rot import LATE, Checked, check, try_flip, unnamed
from tests.rows.forms import Form
from tests.rows.report import Figures


class PlainReader(Reader):
    """Reads without leading anything back to the signed root."""

    def __init__(self, store: LogStore, head: Head) -> None:
        super().__init__(store, head)
        self._store = store
        self._plain = NodeReader(store)

    def tile(self, tile: Tile) -> bytes:
        return self._store.read_row(tile.level * 8, tile.index)[: tile.width * 32]

    def bundle(self, tile: Tile) -> bytes:
        stop = tile.first + tile.width
        return format_bundle(self._store.read_entries(tile.first, stop))

    def root(self, size: int) -> bytes:
        return self._plain.fulfil(plan_root(size))[0]

    def consistency(self, *, old: int, new: int) -> tuple[bytes, ...]:
        return self._plain.fulfil(plan_consistency(old=old, new=new))


def read_plainly(running: RunningLog) -> None:
    """Take the read check out of a running log."""
    log = running.hosted.log
    log.reader = PlainReader(running.opened.store, log.head)


def say_nothing(running: RunningLog) -> None:
    """Let the reader refuse wrong data, and the log not hear of it."""
    running.hosted.log.reader.watch(lambda _: None)


@pytest.mark.row("R19")
@pytest.mark.parametrize(
    ("what", "prepare", "fault"),
    [
        ("no check of what is read", read_plainly, "served wrong"),
        ("signing goes on over wrong data", say_nothing, "signed after wrong data"),
    ],
    ids=["plain", "silent"],
)
def test_a_log_without_its_read_check_is_found_out(
    sound: Sound,
    folder: Path,
    form: Form,
    figures: Figures,
    what: str,
    prepare: Callable[[RunningLog], None],
    fault: str,
) -> None:
    chance = random.Random(19)
    tried = form.pick(quick=2, ci=6, long=20)
    caught = 0
    for number in range(tried):
        table = (ROWS, ENTRIES)[number % 2]
        flip = draw_in_table(chance, sound.file, sound.items, table)
        while flip.in_key:
            flip = draw_in_table(chance, sound.file, sound.items, table)
        faults = try_flip(sound, folder, flip, LATE, Counter(), prepare)
        caught += any(fault in text for text in faults)
    note = f"caught by R6 in {caught} of {tried} flips"
    figures.record(f"planted: {what}", tried=tried, bad=int(not caught), note=note)
    assert caught


@pytest.mark.row("R19")
def test_a_check_that_leaves_out_the_rows_is_found_out(
    sound: Sound, folder: Path, form: Form, figures: Figures
) -> None:
    chance = random.Random(20)
    tried = form.pick(quick=2, ci=6, long=20)
    caught = 0
    for _ in range(tried):
        place = sound.place.copy(folder)
        flip = draw_in_table(chance, sound.file, sound.items, ROWS)
        flip.apply(place.file)
        report = in_child(partial(check, place))
        assert not isinstance(report, Died)
        kept = Checked(
            tuple(one for one in report.problems if one.kind is not Kind.ROW)
        )
        caught += bool(unnamed(kept, sound, place, flip, Counter()))
    note = f"caught by R6 in {caught} of {tried} flips"
    figures.record(
        "planted: fsck does not look at rows",
        tried=tried,
        bad=int(not caught),
        note=note,
    )
    assert caught
