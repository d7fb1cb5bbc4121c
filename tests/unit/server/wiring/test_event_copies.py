"""A backup of a log of events is whole, and comes back as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from tallystick_merkle.genesis import EVENTS
from tallystick_server.clock import SetClock
from tallystick_server.errors import IntegrityError
from tallystick_server.log.fsck import check_log
from tallystick_server.log.paths import store_directory
from tallystick_server.log.startup import load_state
from tallystick_server.storage.lmdb import open_store
from tallystick_server.storage.records import pack_index
from tallystick_server.storage.sides import RECORDS
from tallystick_server.wiring.backing import BackupOrder, back_up
from tallystick_server.wiring.restoring import RestoreOrder, restore
from tests.fakes.sealed import VAULT, event_id
from tests.unit.server.log.damage import drop
from tests.unit.server.log.stored_logs import NAME, SIZE, StoredLog, make_log, opened
from tests.unit.server.storage.lmdb_bench import raw


def quiet(what: str, done: int, total: int) -> None:
    """Take note of no step."""


def saved(place: Path, *, is_checked: bool = False) -> StoredLog:
    """Make a log of events, and a backup of it beside it."""
    log = make_log(place / "data", EVENTS)
    order = BackupOrder(log.data, {NAME: None}, place / "backup", is_checked)
    back_up(order, SetClock(), quiet)
    return log


def test_a_restored_log_has_the_records_the_ids_and_the_mark(tmp_path: Path) -> None:
    log = saved(tmp_path, is_checked=True)

    restore(RestoreOrder(tmp_path / "backup", tmp_path / "restored"), SetClock(), quiet)

    place = store_directory(tmp_path / "restored", NAME)
    with opened(place) as copy, opened(log.place) as original:
        state, _ = load_state(copy, log.key.verifier)
        ids = [event_id(number) for number in range(SIZE)]
        assert (state.head.size, state.vault) == (SIZE, VAULT)
        assert copy.read_records(0, SIZE) == original.read_records(0, SIZE)
        assert copy.find_ids(ids) == original.find_ids(ids)
        assert check_log(copy, log.known).is_sound


def test_a_log_that_has_lost_a_record_is_not_restored(tmp_path: Path) -> None:
    log = make_log(tmp_path / "data", EVENTS)
    with raw(log.place, RECORDS) as cursor:
        drop(pack_index(5))(cursor)
    order = BackupOrder(log.data, {NAME: None}, tmp_path / "backup")
    back_up(order, SetClock(), quiet)  # quick: it does not read every record

    with pytest.raises(IntegrityError, match="1 problems, the first: record 5 is miss"):
        restore(
            RestoreOrder(tmp_path / "backup", tmp_path / "restored"), SetClock(), quiet
        )
    assert not store_directory(tmp_path / "restored", NAME).exists()


def test_a_log_that_has_lost_its_last_record_is_not_even_saved(tmp_path: Path) -> None:
    log = make_log(tmp_path / "data", EVENTS)
    with raw(log.place, RECORDS) as cursor:
        drop(pack_index(SIZE - 1))(cursor)
    order = BackupOrder(log.data, {NAME: None}, tmp_path / "backup")

    with pytest.raises(IntegrityError, match=f"record {SIZE - 1} is missing"):
        back_up(order, SetClock(), quiet)
    assert not (tmp_path / "backup").exists()


def test_a_log_of_events_is_opened_read_only_too(tmp_path: Path) -> None:
    log = make_log(tmp_path / "data", EVENTS)

    store = open_store(log.place, read_only=True)

    assert len(store.read_records(0, SIZE)) == SIZE - 2
    assert store.find_ids([event_id(1)])[event_id(1)].index == 1
    store.close()
