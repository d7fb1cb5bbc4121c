"""Making a witness and starting it again, on a real store in one process."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tallystick_merkle.cosignature import open_checkpoint
from tallystick_merkle.keys import KeyType, format_vkey, parse_vkey
from tallystick_witness import operating
from tallystick_witness.clock import SetClock
from tallystick_witness.config import load_settings
from tallystick_witness.errors import (
    ClockError,
    IntegrityError,
    LockedError,
    NotInitialisedError,
    StartError,
    UsageError,
    WrongKeyError,
)
from tallystick_witness.service import Answer
from tallystick_witness.state import FollowedLog, Identity, LogState
from tallystick_witness.store.memory import MemoryStore
from tallystick_witness.wiring import has_room, open_witness
from tests.unit.witness.world import NOW_S, LogTwin

BOTH = (KeyType.COSIGNATURE, KeyType.MLDSA44)
LOG = LogTwin()
FORK = LogTwin(salt=b"fork")


class Home:
    """A data directory and how to act on it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.data = root / "data"
        self.anchor = root / "anchor"
        self.clock = SetClock(NOW_S * 1000)

    def init(self) -> None:
        operating.initialise(self.data, name="witness.example/w1", types=BOTH)
        self.follow()

    def follow(self, *, reopen: bool = False) -> FollowedLog:
        with operating.open_table(self.data) as store:
            return operating.add_log(
                store,
                vkey=format_vkey(LOG.vkey),
                origin=None,
                reopen=reopen,
                clock=self.clock,
            )

    def remove(self) -> FollowedLog:
        with operating.open_table(self.data) as store:
            return operating.remove_log(store, origin=LOG.origin, clock=self.clock)

    def ask(self, *bodies: bytes, **flags: object) -> list[Answer]:
        given: dict[str, object] = {"data": self.data, **flags}
        settings = load_settings(file=None, environment={}, flags=given)
        with open_witness(settings, self.clock) as witness:
            return [witness.add_checkpoint(body) for body in bodies]

    def save(self) -> None:
        shutil.copytree(self.data, self.root / "backup")

    def restore(self) -> None:
        shutil.rmtree(self.data)
        shutil.copytree(self.root / "backup", self.data)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    place = Home(tmp_path)
    place.init()
    return place


def statuses(answers: list[Answer]) -> list[int]:
    return [answer.status for answer in answers]


def test_a_witness_goes_on_where_it_stopped(home: Home) -> None:
    first = home.ask(LOG.request(0, 5))
    second = home.ask(LOG.request(0, 8), LOG.request(5, 8), FORK.request(8, 8))

    assert statuses(first) == [200]
    assert statuses(second) == [409, 200, 422]


def test_a_new_witness_says_who_it_is(tmp_path: Path) -> None:
    identity = operating.initialise(tmp_path / "d", name="w.example", types=BOTH)

    keys = [parse_vkey(vkey) for vkey in identity.vkeys]
    assert [key.type for key in keys] == list(BOTH)
    assert {key.name for key in keys} == {"w.example"}


def test_init_overwrites_nothing(home: Home) -> None:
    with pytest.raises(UsageError, match="holds a witness already"):
        home.init()


def test_init_beside_orphaned_keys_is_refused(home: Home) -> None:
    shutil.rmtree(home.data / "store")

    with pytest.raises(UsageError, match="without a store"):
        home.init()


def test_init_where_no_folder_can_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")

    with pytest.raises(UsageError, match="cannot make"):
        operating.initialise(tmp_path / "file" / "d", name="w", types=BOTH)


def _no_store(home: Home) -> None:
    shutil.rmtree(home.data / "store")


def _no_data(home: Home) -> None:
    shutil.rmtree(home.data)


def _empty_file(home: Home) -> None:
    (home.data / "store" / "data.mdb").write_bytes(b"")


def _no_keys(home: Home) -> None:
    shutil.rmtree(home.data / "keys")


def _loose_key(home: Home) -> None:
    (home.data / "keys" / "ed25519.skey").chmod(0o644)


def _cut_file(home: Home) -> None:
    file = home.data / "store" / "data.mdb"
    file.write_bytes(file.read_bytes()[:-4096])


def _clock_back(home: Home) -> None:
    home.clock.wall_ms -= 11_000


@pytest.mark.parametrize(
    ("damage", "error", "code"),
    [
        (_no_store, NotInitialisedError, 2),
        (_no_data, NotInitialisedError, 2),
        (_empty_file, NotInitialisedError, 2),
        (_no_keys, WrongKeyError, 2),
        (_loose_key, WrongKeyError, 2),
        (_cut_file, IntegrityError, 1),
        (_clock_back, ClockError, 4),
    ],
)
def test_a_start_in_doubt_is_refused(
    home: Home, damage: Callable[[Home], None], error: type[StartError], code: int
) -> None:
    home.ask(LOG.request(0, 5))
    damage(home)

    with pytest.raises(error) as caught:
        home.ask()

    assert caught.value.exit_code == code
    assert "\n" not in str(caught.value)


def test_a_refused_start_creates_nothing(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.data.mkdir()

    with pytest.raises(NotInitialisedError):
        home.ask()

    assert list(home.data.iterdir()) == []


def test_a_flipped_bit_in_a_head_is_refused_at_the_start(home: Home) -> None:
    home.ask(LOG.request(0, 5))
    file = home.data / "store" / "data.mdb"
    data = file.read_bytes()
    place = data.rindex(b"log.example/one\n5\n")
    file.write_bytes(data[:place] + b"L" + data[place + 1 :])

    with pytest.raises(IntegrityError, match="damaged"):
        home.ask()


def test_another_stores_key_is_refused(home: Home, tmp_path: Path) -> None:
    other = Home(tmp_path / "other")
    other.root.mkdir()
    other.init()
    shutil.rmtree(home.data / "keys")
    shutil.copytree(other.data / "keys", home.data / "keys")

    with pytest.raises(WrongKeyError):
        home.ask()


def test_a_second_start_on_the_directory_is_refused(home: Home) -> None:
    settings = load_settings(file=None, environment={}, flags={"data": home.data})

    with open_witness(settings, home.clock), pytest.raises(LockedError):
        home.ask()


def test_a_restored_backup_is_refused_by_its_anchor(home: Home) -> None:
    home.ask(LOG.request(0, 5), anchor=home.anchor)
    home.save()
    home.ask(LOG.request(5, 8), anchor=home.anchor)
    home.restore()

    with pytest.raises(IntegrityError, match="rolled back: size 8") as caught:
        home.ask(anchor=home.anchor)

    assert caught.value.exit_code == 1


def test_a_store_from_before_the_log_is_refused_by_the_anchor(home: Home) -> None:
    home.save()
    home.ask(LOG.request(0, 5), anchor=home.anchor)
    home.restore()

    with pytest.raises(IntegrityError, match="rolled back"):
        home.ask(anchor=home.anchor)


def test_a_store_with_another_root_is_refused_by_the_anchor(home: Home) -> None:
    home.save()
    home.ask(LOG.request(0, 8), anchor=home.anchor)
    home.restore()
    home.ask(FORK.request(0, 8))

    with pytest.raises(IntegrityError, match="forked"):
        home.ask(anchor=home.anchor)


def test_a_refresh_after_the_anchor_passes(home: Home) -> None:
    home.ask(LOG.request(0, 8), anchor=home.anchor)
    home.ask(LOG.request(8, 8), LOG.request(8, 9), anchor=home.anchor)

    assert statuses(home.ask(LOG.request(9, 9), anchor=home.anchor)) == [200]


def test_what_was_stored_but_not_anchored_is_anchored_at_the_start(home: Home) -> None:
    home.ask(LOG.request(0, 5), anchor=home.anchor)
    home.save()
    home.ask(LOG.request(5, 8))
    home.ask(anchor=home.anchor)
    home.restore()

    with pytest.raises(IntegrityError, match="size 8"):
        home.ask(anchor=home.anchor)


def test_a_missing_anchor_of_a_used_witness_is_refused(home: Home) -> None:
    home.ask(LOG.request(0, 5), anchor=home.anchor)
    home.anchor.unlink()

    with pytest.raises(UsageError, match="--new-anchor"):
        home.ask(anchor=home.anchor)
    home.ask(anchor=home.anchor, new_anchor=True)

    assert home.anchor.exists()


def test_a_new_anchor_needs_a_place(home: Home) -> None:
    with pytest.raises(UsageError, match="needs --anchor"):
        home.ask(new_anchor=True)


def test_a_removed_log_comes_back_with_its_head_alone(home: Home) -> None:
    home.ask(LOG.request(0, 8))
    assert home.remove().state is LogState.REMOVED
    assert statuses(home.ask(LOG.request(8, 9))) == [404]
    with pytest.raises(UsageError, match="--reopen"):
        home.follow()

    log = home.follow(reopen=True)

    assert log.head is not None
    assert log.head.size == 8
    assert statuses(home.ask(FORK.request(0, 9), LOG.request(8, 9))) == [409, 200]


def test_removing_and_adding_twice_changes_nothing(home: Home) -> None:
    assert home.follow() == home.follow()
    assert home.remove() == home.remove()


def test_a_log_that_somebody_else_adds_first_is_told() -> None:
    class Raced(MemoryStore):
        def follow(self, log: FollowedLog) -> None:
            super().follow(log)
            super().follow(log)

    store = Raced(Identity("w.example", ()))

    with pytest.raises(UsageError, match="somebody else was faster"):
        operating.add_log(
            store,
            vkey=format_vkey(LOG.vkey),
            origin=None,
            reopen=False,
            clock=SetClock(),
        )


def test_the_page_verifies_after_a_restart(home: Home) -> None:
    home.ask(LOG.request(0, 8))
    settings = load_settings(file=None, environment={}, flags={"data": home.data})

    with open_witness(settings, home.clock) as witness:
        page = witness.checkpoint(LOG.place)
        keys = [parse_vkey(vkey) for vkey in witness.vkeys]

    assert page is not None
    opened = open_checkpoint(page, [LOG.vkey, *keys])
    assert len(opened.verified) == 3


def test_room_on_the_disk_is_measured(tmp_path: Path) -> None:
    assert has_room(tmp_path, 0)
    assert not has_room(tmp_path, 1 << 40)
