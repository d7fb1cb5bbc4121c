"""The witness: what is stored, anchored and released, and in which order."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tallystick_merkle.cosignature import open_checkpoint
from tallystick_merkle.keys import KeyType
from tallystick_merkle.note import Note, Signature, format_note, parse_note
from tallystick_merkle.witnessing import parse_cosignatures, parse_size
from tallystick_witness.anchor import NoAnchor
from tallystick_witness.errors import (
    AnchorError,
    IntegrityError,
    StoreError,
    UnavailableError,
    WitnessError,
)
from tallystick_witness.keyring import identify
from tallystick_witness.starting import check_heads
from tallystick_witness.state import EvidenceKind, FollowedLog, Head, LogState
from tallystick_witness.store.memory import MemoryStore
from tests.unit.witness.world import (
    ED_KEY,
    KEYS,
    ML_KEY,
    NOW_S,
    OWN,
    LogTwin,
    World,
    ask,
)

FORK = LogTwin(salt=b"fork")


class FailingStore(MemoryStore):
    """A store whose next step fails: before it is stored, or after."""

    def __init__(self, *, stored: bool) -> None:
        super().__init__(identify(KEYS))
        self._stored = stored
        self.fails = False

    def advance(self, origin: str, expected_old: Head | None, new_head: Head) -> None:
        if self.fails and not self._stored:
            raise StoreError("not stored")
        super().advance(origin, expected_old, new_head)
        if self.fails:
            raise StoreError("stored, but the answer was lost")


class RacingStore(MemoryStore):
    """A store in which somebody else acts between the judgement and the step."""

    def __init__(self) -> None:
        super().__init__(identify(KEYS))
        self.meanwhile: list[Callable[[], None]] = []

    def advance(self, origin: str, expected_old: Head | None, new_head: Head) -> None:
        if self.meanwhile:
            self.meanwhile.pop()()
        super().advance(origin, expected_old, new_head)


class DeafAnchor(NoAnchor):
    """An anchor that cannot be written."""

    def record(self, origin_hash: str, size: int, root: bytes) -> None:
        raise AnchorError("no space")


class ListAnchor(NoAnchor):
    """An anchor that tells what was stored when it was written."""

    def __init__(self, stored: Callable[[], int]) -> None:
        self._stored = stored
        self.records: list[tuple[int, int]] = []

    def record(self, origin_hash: str, size: int, root: bytes) -> None:
        self.records.append((size, self._stored()))


def test_both_keys_cosign_exactly_the_checkpoint() -> None:
    world = World()

    answer = world.witness.add_checkpoint(world.log.request(0, 8))

    lines = parse_cosignatures(answer.body)
    note = parse_note(world.log.note(8)).with_signatures(lines)
    opened = open_checkpoint(format_note(note), (world.log.vkey, *OWN))
    assert answer.status == 200
    assert [line.key_id for line in lines] == [key.key_id for key in OWN]
    assert {found.key: found.time_s for found in opened.verified} == {
        world.log.vkey: None,
        OWN[0]: NOW_S,
        OWN[1]: NOW_S,
    }


@pytest.mark.parametrize("key", KEYS, ids=["ed25519", "mldsa44"])
def test_one_key_gives_one_line(key: object) -> None:
    keys = tuple(one for one in KEYS if one is key)
    world = World(keys=keys)

    answer = world.witness.add_checkpoint(world.log.request(0, 8))

    assert len(parse_cosignatures(answer.body)) == 1


def test_a_log_that_signs_with_mldsa_is_cosigned() -> None:
    world = World(log=LogTwin(kind=KeyType.MLDSA44))

    assert world.witness.add_checkpoint(world.log.request(0, 8)).status == 200


def test_the_monitoring_page_is_the_latest_checkpoint_with_our_lines() -> None:
    world = World()
    world.witness.add_checkpoint(world.log.request(0, 5))
    world.witness.add_checkpoint(world.log.request(5, 13))

    page = world.witness.checkpoint(world.log.place)

    assert page is not None
    opened = open_checkpoint(page, (world.log.vkey, *OWN))
    assert opened.checkpoint == world.log.head(13)
    assert all(opened.signed_by(key) for key in (world.log.vkey, *OWN))


def test_strangers_lines_are_not_kept() -> None:
    world = World()
    stranger = Signature("stranger.example", b"1234", b"junk")
    note = parse_note(world.log.note(8)).with_signatures([stranger])

    world.witness.add_checkpoint(ask(0, (), format_note(note)))

    page = world.witness.checkpoint(world.log.place)
    assert page is not None
    assert "stranger.example" not in {line.name for line in parse_note(page).signatures}


def test_our_older_lines_are_replaced_not_kept() -> None:
    world = World()
    world.witness.add_checkpoint(world.log.request(0, 8))
    page = world.witness.checkpoint(world.log.place)
    assert page is not None
    world.clock.advance(9_000)

    answer = world.witness.add_checkpoint(ask(8, (), page))

    assert answer.status == 200
    fresh = world.witness.checkpoint(world.log.place)
    assert fresh is not None
    opened = open_checkpoint(fresh, OWN)
    assert {found.time_s for found in opened.verified} == {NOW_S + 9}
    assert len(parse_note(fresh).signatures) == 3


def test_a_refresh_has_a_fresh_time_and_is_stored() -> None:
    world = World()
    world.witness.add_checkpoint(world.log.request(0, 8))
    world.clock.advance(60_000)

    world.witness.add_checkpoint(world.log.request(8, 8))

    log = world.store.find(world.log.place)
    assert log is not None
    assert log.head is not None
    assert log.head.time_s == NOW_S + 60


def test_a_conflict_answers_with_the_size_alone() -> None:
    world = World()
    world.witness.add_checkpoint(world.log.request(0, 8))

    answer = world.witness.add_checkpoint(world.log.request(0, 9))

    assert (answer.status, answer.content_type) == (409, "text/x.tlog.size")
    assert parse_size(answer.body) == 8


def test_a_refusal_is_one_printable_line() -> None:
    world = World()
    body = ask(0, (), world.log.note(8)).replace(b"old 0", b"old \x00\x1b[2J\xff")

    answer = world.witness.add_checkpoint(body)

    text = answer.body.decode()
    assert answer.status == 400
    assert text.endswith("\n")
    assert text[:-1].isprintable()


def test_a_fork_is_kept_as_evidence_once() -> None:
    world = World()
    world.witness.add_checkpoint(world.log.request(0, 8))

    for _ in range(3):
        answer = world.witness.add_checkpoint(ask(8, (), FORK.note(8)))
        assert answer.status == 422

    (kept,) = world.store.evidence()
    assert kept.kind is EvidenceKind.SPLIT_VIEW
    assert kept.note == FORK.note(8)
    assert kept.held == world.witness.checkpoint(world.log.place)


def test_a_removed_log_is_not_cosigned_but_still_shown() -> None:
    world = World()
    world.witness.add_checkpoint(world.log.request(0, 8))
    world.store.mark(world.log.origin, LogState.REMOVED, since_s=NOW_S)

    answer = world.witness.add_checkpoint(world.log.request(8, 9))

    assert answer.status == 404
    assert world.witness.checkpoint(world.log.place) is not None


def test_a_log_that_was_never_cosigned_has_no_page() -> None:
    world = World()

    assert world.witness.checkpoint(world.log.place) is None
    assert world.witness.checkpoint("0" * 64) is None


@pytest.mark.parametrize("stored", [False, True], ids=["not stored", "answer lost"])
def test_nothing_is_released_or_signed_after_a_store_error(stored: bool) -> None:
    store = FailingStore(stored=stored)
    world = World(store=store)
    world.witness.add_checkpoint(world.log.request(0, 5))
    store.fails = True

    with pytest.raises(StoreError):
        world.witness.add_checkpoint(world.log.request(5, 8))
    store.fails = False

    assert isinstance(world.witness.failure, StoreError)
    with pytest.raises(UnavailableError, match="in doubt"):
        world.witness.add_checkpoint(world.log.request(5, 8))
    with pytest.raises(UnavailableError):
        world.witness.check_ready()


@pytest.mark.parametrize("stored", [False, True], ids=["not stored", "answer lost"])
def test_a_restart_after_a_store_error_goes_on_from_what_is_stored(
    stored: bool,
) -> None:
    store = FailingStore(stored=stored)
    world = World(store=store)
    world.witness.add_checkpoint(world.log.request(0, 5))
    store.fails = True
    with pytest.raises(StoreError):
        world.witness.add_checkpoint(world.log.request(5, 8))
    store.fails = False

    check_heads(store.logs(), OWN)
    again = world.start()
    first = again.add_checkpoint(world.log.request(5, 8))
    last = again.add_checkpoint(world.log.request(8, 8))

    assert first.status == (409 if stored else 200)
    assert last.status == 200


def test_any_unknown_error_while_storing_stops_signing() -> None:
    class Odd(MemoryStore):
        def advance(self, *_: object) -> None:
            raise RuntimeError("nobody thought of this")

    world = World(store=Odd(identify(KEYS)))

    with pytest.raises(RuntimeError):
        world.witness.add_checkpoint(world.log.request(0, 5))

    assert isinstance(world.witness.failure, StoreError)


def test_an_anchor_error_releases_nothing_and_stops_signing() -> None:
    world = World(anchor=DeafAnchor())

    with pytest.raises(AnchorError):
        world.witness.add_checkpoint(world.log.request(0, 5))

    assert isinstance(world.witness.failure, AnchorError)
    with pytest.raises(UnavailableError):
        world.witness.add_checkpoint(world.log.request(5, 5))


def test_the_anchor_is_written_after_the_store() -> None:
    world = World()
    anchor = ListAnchor(world.size)
    world.anchor = anchor
    witness = world.start()

    witness.add_checkpoint(world.log.request(0, 5))
    witness.add_checkpoint(world.log.request(5, 13))

    assert anchor.records == [(5, 5), (13, 13)]


def test_a_read_that_fails_stops_signing() -> None:
    class Blind(MemoryStore):
        def find(self, origin_hash: str) -> FollowedLog | None:
            if self.logs():
                raise IntegrityError("damaged")
            return None

    steps: list[Callable[[World], object]] = [
        lambda world: world.witness.add_checkpoint(world.log.request(0, 5)),
        lambda world: world.witness.checkpoint(world.log.place),
    ]
    for step in steps:
        world = World(store=Blind(identify(KEYS)))
        with pytest.raises(IntegrityError):
            step(world)
        assert isinstance(world.witness.failure, IntegrityError)


def test_a_lost_race_is_judged_again_and_told_the_size() -> None:
    store = RacingStore()
    world = World(store=store)
    rival = world.start()

    def win() -> None:
        rival.add_checkpoint(world.log.request(0, 13))

    store.meanwhile = [win]
    answer = world.witness.add_checkpoint(world.log.request(0, 5))

    assert (answer.status, parse_size(answer.body)) == (409, 13)
    assert world.size() == 13
    assert world.witness.failure is None


def test_a_refresh_that_lost_its_race_is_cosigned_on_the_newer_head() -> None:
    store = RacingStore()
    world = World(store=store)
    world.witness.add_checkpoint(world.log.request(0, 5))
    rival = world.start()

    def win() -> None:
        world.clock.advance(3_000)
        rival.add_checkpoint(world.log.request(5, 5))

    store.meanwhile = [win]
    answer = world.witness.add_checkpoint(world.log.request(5, 5))

    log = store.find(world.log.place)
    assert answer.status == 200
    assert log is not None
    assert log.head is not None
    assert log.head.time_s == NOW_S + 3


def test_a_log_removed_in_between_is_not_cosigned() -> None:
    store = RacingStore()
    world = World(store=store)
    store.meanwhile = [
        lambda: store.mark(world.log.origin, LogState.REMOVED, since_s=1)
    ]

    answer = world.witness.add_checkpoint(world.log.request(0, 5))

    assert answer.status == 404


def test_losing_every_race_is_503_and_no_failure() -> None:
    store = RacingStore()
    world = World(store=store)
    world.witness.add_checkpoint(world.log.request(0, 5))
    rival = world.start()

    def win() -> None:
        world.clock.advance(1_000)
        rival.add_checkpoint(world.log.request(5, 5))

    # A win is itself an `advance`, and finds the next one waiting.
    store.meanwhile = []
    wins = 0

    def win_again() -> None:
        nonlocal wins
        wins += 1
        win()
        store.meanwhile = [win_again]

    store.meanwhile = [win_again]
    with pytest.raises(UnavailableError, match="keeps changing"):
        world.witness.add_checkpoint(world.log.request(5, 5))

    assert wins == 3
    assert world.witness.failure is None


def test_a_full_disk_is_503_before_anything_is_signed() -> None:
    world = World(has_room=lambda: False)

    with pytest.raises(UnavailableError, match="space"):
        world.witness.add_checkpoint(world.log.request(0, 5))

    assert world.size() == -1


@pytest.mark.parametrize("step_ms", [-6_000, 6_000])
def test_a_clock_that_stepped_is_503_until_it_is_right_again(step_ms: int) -> None:
    world = World()
    world.clock.wall_ms += step_ms

    with pytest.raises(UnavailableError, match="stepped"):
        world.witness.add_checkpoint(world.log.request(0, 5))
    world.clock.wall_ms -= step_ms

    assert world.witness.add_checkpoint(world.log.request(0, 5)).status == 200


def test_the_witness_tells_its_name_and_keys() -> None:
    world = World()

    assert world.witness.name == "witness.example/w1"
    assert world.witness.vkeys == identify((ED_KEY, ML_KEY)).vkeys


def test_every_stored_head_verifies_as_at_a_start() -> None:
    world = World()
    for old, new in ((0, 1), (1, 5), (5, 5), (5, 64)):
        world.witness.add_checkpoint(world.log.request(old, new))

        check_heads(world.store.logs(), OWN)


def test_a_head_with_a_flipped_bit_is_refused_at_a_start() -> None:
    world = World()
    world.witness.add_checkpoint(world.log.request(0, 5))
    (log,) = world.store.logs()
    assert log.head is not None
    head = log.head
    note = parse_note(head.note)
    lines = note.signatures
    wrong: list[Head] = [
        replace(head, size=6),
        replace(head, root=b"\0" * 32),
        replace(head, time_s=head.time_s + 1),
        replace(head, note=head.note[:-1]),
        replace(head, note=format_note(Note(note.text, lines[:1]))),
        replace(head, note=format_note(Note(note.text, lines[1:]))),
        replace(head, note=head.note.replace(b"\n5\n", b"\n6\n")),
    ]

    for one in wrong:
        with pytest.raises(IntegrityError):
            check_heads([replace(log, head=one)], OWN)


def test_sweeping_reaches_the_store() -> None:
    calls: list[str] = []

    class Telling(MemoryStore):
        def sweep(self) -> None:
            calls.append("sweep")

    world = World(store=Telling(identify(KEYS)))
    world.witness.sweep()

    assert calls == ["sweep"]


def test_every_error_has_an_exit_code() -> None:
    def codes(kind: type[WitnessError]) -> set[int]:
        found = {kind.exit_code}
        for child in kind.__subclasses__():
            found |= codes(child)
        return found

    assert codes(WitnessError) == {1, 2, 4, 5}
