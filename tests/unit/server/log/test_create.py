"""A log comes into being whole or not at all, and never twice."""

from __future__ import annotations

import fcntl
import os
import random
import shutil
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from itertools import count
from pathlib import Path
from threading import Barrier

import pytest

from tallystick_merkle.genesis import (
    Genesis,
    key_commitment,
    parse_genesis,
    tenant_of,
)
from tallystick_merkle.keys import (
    KeyType,
    VerifierKey,
    format_vkey,
    make_signing_key,
    parse_vkey,
)
from tallystick_server.clock import SetClock
from tallystick_server.errors import (
    LockedError,
    NotInitialisedError,
    StartError,
    StoreError,
    UsageError,
)
from tallystick_server.log.create import Created, create_log
from tallystick_server.log.fsck import Known, check_log
from tallystick_server.log.keyring import KeySigner, read_key
from tallystick_server.log.paths import (
    key_path,
    log_directory,
    log_names,
    logs_directory,
    next_key_path,
    recovery_key_path,
    staging_directory,
    store_directory,
    vkeys_path,
)
from tallystick_server.log.startup import load_state
from tallystick_server.storage.lmdb import open_store
from tests.unit.server.log.crashing import Crash, crash_at

NAME = "events"
ORIGIN = "log.example/events"


def seeds(start: int = 0) -> Callable[[], bytes]:
    """Draw seeds that are new each time, and the same in each run."""
    numbers = count(start)
    return lambda: sha256(b"%d" % next(numbers)).digest()


def make(data: Path, *, name: str = NAME, start: int = 0, kind: str = "raw") -> Created:
    return create_log(
        data,
        name=name,
        origin=ORIGIN,
        recovery=None,
        clock=SetClock(),
        draw_seed=seeds(start),
        kind=kind,
    )


def offline_key(type: KeyType = KeyType.ED25519) -> VerifierKey:  # noqa: A002 -- the field's own word
    return make_signing_key(name="offline", type=type, seed=b"o" * 32).verifier


def check_whole(data: Path) -> None:
    """The log opens under its key, and nothing is wrong with it."""
    signing = read_key(key_path(data, NAME))
    known = Known(
        signing.verifier,
        next_key=read_key(next_key_path(data, NAME)).verifier,
        recovery_key=read_key(recovery_key_path(data, NAME)).verifier,
    )
    store = open_store(store_directory(data, NAME))
    try:
        state, published = load_state(store, KeySigner(signing).key)
        assert (state.origin, state.head.size, published) == (ORIGIN, 1, None)
        assert check_log(store, known).problems == ()
    finally:
        store.close()


def test_a_new_log_has_its_genesis_entry_and_a_signed_head(tmp_path: Path) -> None:
    data = tmp_path / "srv" / "tally" / "data"

    made = make(data)

    check_whole(data)
    assert (made.name, made.origin, made.key.name) == (NAME, ORIGIN, ORIGIN)
    assert made.recovery_file == recovery_key_path(data, NAME)


def test_genesis_commits_to_the_next_key_and_the_recovery_key(tmp_path: Path) -> None:
    made = make(tmp_path)

    store = open_store(store_directory(tmp_path, NAME))
    genesis = parse_genesis(store.read_entries(0, 1)[0])
    store.close()
    assert genesis.next_key == key_commitment(made.next_key)
    assert genesis.recovery_key == key_commitment(made.recovery_key)
    assert genesis.time_ms == SetClock().now_ms()


def stored_genesis(data: Path, name: str) -> Genesis:
    store = open_store(store_directory(data, name))
    try:
        return parse_genesis(store.read_entries(0, 1)[0])
    finally:
        store.close()


def test_a_log_of_events_is_whole_and_belongs_to_a_tenant_of_its_own(
    tmp_path: Path,
) -> None:
    first = make(tmp_path, kind="events")
    second = make(tmp_path, name="other", start=50, kind="events")

    check_whole(tmp_path)
    assert stored_genesis(tmp_path, NAME) == first.genesis
    assert stored_genesis(tmp_path, "other") == second.genesis
    assert first.genesis.kind == "events"
    assert tenant_of(first.genesis) == seeds(3)()[:16].hex()
    assert tenant_of(second.genesis) == seeds(53)()[:16].hex()


def test_a_log_of_raw_entries_has_no_settings(tmp_path: Path) -> None:
    made = make(tmp_path)

    assert stored_genesis(tmp_path, NAME) == made.genesis
    assert (made.genesis.kind, made.genesis.settings) == ("raw", ())


@pytest.mark.parametrize("kind", ["", "event", "Raw", "sealed"])
def test_a_kind_that_there_is_not_is_refused(tmp_path: Path, kind: str) -> None:
    with pytest.raises(UsageError, match="no kind of log: expected raw or events"):
        make(tmp_path, kind=kind)

    assert list(tmp_path.iterdir()) == []


def test_the_three_keys_differ_and_are_for_their_owner_only(tmp_path: Path) -> None:
    make(tmp_path)

    files = [path(tmp_path, NAME) for path in (key_path, next_key_path)]
    files.append(recovery_key_path(tmp_path, NAME))
    assert len({read_key(file).seed for file in files}) == 3
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700


def test_the_public_keys_lie_beside_the_log(tmp_path: Path) -> None:
    made = make(tmp_path)

    lines = vkeys_path(tmp_path, NAME).read_text().splitlines()

    assert [parse_vkey(line) for line in lines] == [
        made.key,
        made.next_key,
        made.recovery_key,
    ]


def test_a_note_asks_to_move_the_recovery_key_offline(tmp_path: Path) -> None:
    made = make(tmp_path)

    assert made.recovery_file is not None
    text = made.recovery_file.with_suffix(".txt").read_text()
    assert "events.recovery.skey" in text
    assert "kept offline" in text


def test_with_a_recovery_key_given_none_is_made(tmp_path: Path) -> None:
    made = create_log(
        tmp_path,
        name=NAME,
        origin=ORIGIN,
        recovery=offline_key(),
        clock=SetClock(),
        draw_seed=seeds(),
    )

    assert (made.recovery_key, made.recovery_file) == (offline_key(), None)
    assert sorted(file.name for file in (tmp_path / "keys").iterdir()) == [
        "events.next.skey",
        "events.skey",
    ]
    assert format_vkey(offline_key()) in vkeys_path(tmp_path, NAME).read_text()


@pytest.mark.parametrize("name", ["", "-a", "A", "a.b", "a/b", "a" * 64, "a\n", "ä"])
def test_a_name_that_cannot_be_one_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="cannot name a log"):
        make(tmp_path, name=name)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("origin", ["", "a b", "a+b", "a" * 256])
def test_an_origin_that_cannot_be_one_is_refused(tmp_path: Path, origin: str) -> None:
    with pytest.raises(UsageError, match="cannot be an origin"):
        create_log(
            tmp_path,
            name=NAME,
            origin=origin,
            recovery=None,
            clock=SetClock(),
            draw_seed=seeds(),
        )

    assert list(tmp_path.iterdir()) == []


def test_a_recovery_key_of_another_type_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not an Ed25519 key"):
        create_log(
            tmp_path,
            name=NAME,
            origin=ORIGIN,
            recovery=offline_key(KeyType.COSIGNATURE),
            clock=SetClock(),
            draw_seed=seeds(),
        )


def test_a_second_log_stands_beside_the_first(tmp_path: Path) -> None:
    make(tmp_path)
    make(tmp_path, name="other", start=50)

    assert log_names(tmp_path) == [NAME, "other"]
    check_whole(tmp_path)


def test_a_log_is_never_overwritten(tmp_path: Path) -> None:
    make(tmp_path)
    before = key_path(tmp_path, NAME).read_bytes()

    with pytest.raises(UsageError, match="it is never overwritten"):
        make(tmp_path, start=50)

    assert key_path(tmp_path, NAME).read_bytes() == before
    check_whole(tmp_path)


def test_the_keys_of_a_log_that_is_gone_make_no_second_log(tmp_path: Path) -> None:
    make(tmp_path)
    shutil.rmtree(log_directory(tmp_path, NAME))
    before = key_path(tmp_path, NAME).read_bytes()

    with pytest.raises(UsageError, match="a key is never used for a second log"):
        make(tmp_path, start=50)

    assert key_path(tmp_path, NAME).read_bytes() == before


@pytest.mark.parametrize("path", [key_path, next_key_path, recovery_key_path])
def test_a_foreign_key_beside_a_crashed_init_is_not_touched(
    tmp_path: Path, path: Callable[[Path, str], Path]
) -> None:
    make(tmp_path / "other", start=50)
    (tmp_path / "keys").mkdir()
    staging_directory(tmp_path, NAME).mkdir(parents=True)
    (staging_directory(tmp_path, NAME) / "vkeys").write_text("nothing known\n")
    foreign = path(tmp_path, NAME)
    shutil.copy(path(tmp_path / "other", NAME), foreign)

    with pytest.raises(UsageError, match="move the key away"):
        make(tmp_path)

    assert foreign.exists()


def test_a_key_file_cut_off_empty_by_a_crash_is_cleared_away(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    staging_directory(tmp_path, NAME).mkdir(parents=True)
    (staging_directory(tmp_path, NAME) / "vkeys").write_text("of the crashed init\n")
    key_path(tmp_path, NAME).touch(mode=0o600)

    make(tmp_path)

    check_whole(tmp_path)


def test_an_empty_key_file_without_a_crashed_init_is_not_touched(
    tmp_path: Path,
) -> None:
    (tmp_path / "keys").mkdir()
    key_path(tmp_path, NAME).touch(mode=0o600)

    with pytest.raises(UsageError, match="move the key away"):
        make(tmp_path)


def test_another_init_that_is_running_keeps_this_one_out(tmp_path: Path) -> None:
    logs_directory(tmp_path).mkdir()
    held = os.open(logs_directory(tmp_path), os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)

    with pytest.raises(LockedError, match="another init"):
        make(tmp_path)

    os.close(held)
    make(tmp_path)


def test_of_inits_that_race_exactly_one_wins(tmp_path: Path) -> None:
    for turn in range(8):
        data = tmp_path / str(turn)
        start = Barrier(3)

        def race(at: int, data: Path = data, start: Barrier = start) -> str:
            start.wait()
            try:
                make(data, start=at * 10)
            except (LockedError, UsageError) as error:
                return type(error).__name__
            return "made"

        with ThreadPoolExecutor(max_workers=3) as pool:
            outcomes = list(pool.map(race, range(3)))

        assert outcomes.count("made") == 1
        check_whole(data)


def test_a_disk_that_fails_is_an_error_of_the_store(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where the directory should be")

    with pytest.raises(StoreError, match="cannot make the log events"):
        make(tmp_path / "data")


def crashed(data: Path, step: int, *, start: int) -> bool:
    """Make a log that crashes at a step; whether it came so far."""
    try:
        with crash_at(step, data):
            make(data, start=start)
    except Crash:
        return True
    return False


def test_after_a_crash_at_any_step_there_is_a_whole_log_or_none(tmp_path: Path) -> None:
    steps = 0
    for step in count(1):
        data = tmp_path / str(step)
        if not crashed(data, step, start=0):
            break
        steps = step
        if log_names(data):  # the crash came after the rename
            with pytest.raises(UsageError, match="exists"):
                make(data, start=50)
        else:
            with pytest.raises(NotInitialisedError):
                open_store(store_directory(data, NAME))
            make(data, start=50)
        check_whole(data)
        assert not staging_directory(data, NAME).exists()

    assert steps > 20


def test_two_crashes_in_a_row_leave_a_whole_log_or_none(tmp_path: Path) -> None:
    chance = random.Random(4)
    for turn in range(40):
        data = tmp_path / str(turn)
        crashed(data, chance.randint(1, 24), start=0)
        if not log_names(data):
            crashed(data, chance.randint(1, 40), start=50)
        if not log_names(data):
            make(data, start=90)
        check_whole(data)


def test_what_a_crashed_init_left_is_no_log(tmp_path: Path) -> None:
    staging_directory(tmp_path, NAME).mkdir(parents=True)

    assert log_names(tmp_path) == []
    with pytest.raises(StartError):
        open_store(store_directory(tmp_path, NAME))
