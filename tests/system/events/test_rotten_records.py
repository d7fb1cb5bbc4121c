"""R6: a bit of an event's record flips: it is named by fsck, and never shown."""

from __future__ import annotations

import json
import random
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from tallystick_merkle.tile import TILE_WIDTH
from tallystick_server.config.model import LogSettings
from tallystick_server.errors import ServerError
from tallystick_server.log.findings import Kind, Problem
from tallystick_server.log.paths import store_directory
from tallystick_server.storage.lmdb import open_store
from tallystick_server.storage.records import ENTRIES, META, pack_index
from tallystick_server.storage.sides import IDS, RECORDS
from tallystick_server.wiring.checking import check_stored
from tests.rot.children import Died, in_child
from tests.rot.flips import Flip, Item, draw_in_table
from tests.rows.forms import Form
from tests.rows.report import Figures
from tests.system.events.conftest import PRINCIPAL
from tests.system.events.real import SOURCES, User, with_service
from tests.system.one_log import API, OneLog
from tests.system.stack import LOG

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(900)]

SEED = 4
WINDOWS = SOURCES[1]
KINDS = (RECORDS, IDS, ENTRIES, RECORDS, META)
NAMED = {
    RECORDS: {Kind.RECORD},
    IDS: {Kind.ID},
    ENTRIES: {Kind.ENTRY},
    META: {Kind.META, Kind.PUBLISHED},
}
OTHERS = 25


@dataclass(frozen=True)
class Sound:
    """A log that is stopped: its file, its records, and the events in it."""

    log: OneLog
    data: Path
    file: bytes
    items: dict[bytes, list[Item]]
    events: list[dict[str, object]]

    def copy(self, to: Path, flip: Flip) -> Path:
        """Copy the data directory and flip a bit there."""
        shutil.rmtree(to, ignore_errors=True)
        shutil.copytree(self.data, to)
        flip.apply(store_directory(to, LOG) / "data.mdb")
        return to


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Sound:
    """The Windows events in a log: several bundles."""
    with OneLog(tmp_path_factory.mktemp("sound"), kind="events") as log:
        daemon = log.start()
        user = User(log)
        user.emit(WINDOWS)
        assert daemon.stop() == 0
    store = store_directory(log.data, LOG)
    opened = open_store(store, read_only=True)
    items = {table: list(opened.scan(table)) for table in NAMED}
    opened.close()
    events = [with_service(event, PRINCIPAL) for event in user.mapped(WINDOWS)]
    return Sound(log, log.data, (store / "data.mdb").read_bytes(), items, events)


def check(data: Path) -> Sequence[Problem] | str:
    """Run fsck; give its problems, or why it could not even begin."""
    try:
        return check_stored(data, LOG, LogSettings()).problems
    except ServerError as error:
        return str(error)


def is_named(flip: Flip, found: Sequence[Problem] | str | Died) -> bool:
    """Whether what fsck says is about what was hit."""
    if isinstance(found, Died):
        return False
    if isinstance(found, str):
        return bool(found)
    if flip.in_key:
        return bool(found)
    return any(one.kind in {*NAMED[flip.kind], Kind.STORE} for one in found)


@pytest.mark.row("R6")
def test_fsck_names_every_bit_of_a_record_that_flips(
    sound: Sound, tmp_path: Path, form: Form, figures: Figures
) -> None:
    chance, kinds, bad = random.Random(SEED), Counter[str](), list[str]()
    tried = form.pick(quick=10, ci=50, long=400)
    for number in range(tried):
        kind = KINDS[number % len(KINDS)]
        flip = draw_in_table(chance, sound.file, sound.items, kind)
        data = sound.copy(tmp_path / "data", flip)
        kinds[kind.decode()] += 1
        found = in_child(partial(check, data))
        if not is_named(flip, found):
            bad.append(f"flip {number} ({flip}): {found}")
    note = ", ".join(f"{what} {many}" for what, many in sorted(kinds.items()))
    figures.record(
        "bits flipped in a log of events", tried=tried, bad=len(bad), note=note
    )
    assert not bad, "\n".join(bad)


@pytest.mark.row("R6")
def test_a_rotten_record_is_not_shown_and_all_others_are(
    sound: Sound, tmp_path: Path, form: Form, figures: Figures
) -> None:
    chance, bad, how = random.Random(SEED), list[str](), Counter[str]()
    log = sound.log
    tried = form.pick(quick=2, ci=6, long=40)
    for number in range(tried):
        at = chance.randrange(len(sound.events) - TILE_WIDTH)  # else it does not start
        flip = draw_in_table(chance, sound.file, record_of(sound, at), RECORDS)
        log.data = sound.copy(tmp_path / "data", flip)
        log.configure()
        with log:
            log.start()
            others = chance.sample(range(len(sound.events)), OTHERS)
            for each in {*others, at, at + 1}:
                status, shown = ask(log, sound.events[each])
                is_right = status == 200 and shown == sound.events[each]
                if each == at:
                    how[f"answered {status}"] += 1
                    is_right = is_right or status >= 500
                if not is_right:
                    bad.append(f"flip {number} ({flip}): event {each}: {status}")
            listed = page(log, after=at - 1)
            how[f"its page {listed}"] += 1
    note = ", ".join(f"{what} {many}" for what, many in sorted(how.items()))
    figures.record("rotten records, asked for", tried=tried, bad=len(bad), note=note)
    assert not bad, "\n".join(bad)


def record_of(sound: Sound, at: int) -> dict[bytes, list[Item]]:
    """Give the stored record of an event; the genesis entry stands before all."""
    key = pack_index(1 + at)
    return {RECORDS: [one for one in sound.items[RECORDS] if one[0] == key]}


def ask(log: OneLog, event: dict[str, object]) -> tuple[int, object]:
    """Ask for an event; give the status, and what is shown of it."""
    path = f"{API}/events/{event['event_id']}"
    reply = log.fetch(path, Authorization=f"Bearer {log.token}")
    return reply.status, json.loads(reply.body).get("event")


def page(log: OneLog, *, after: int) -> int:
    """Ask for a page; give the status."""
    path = f"{API}/events?after={after}&limit=10"
    return log.fetch(path, Authorization=f"Bearer {log.token}").status
