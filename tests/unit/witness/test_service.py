"""The witness: what is stored, anchored and released, and in which order."""

from collections.abc import Callable

import pytest

from tallystick_merkle.cosignature import open_checkpoint
from tallystick_merkle.keys import KeyType
from tallystick_merkle.note import Signature, format_note, parse_note
from tallystick_merkle.witnessing import parse_cosignatures, parse_size
from tallystick_witness.anchor import NoAnchor
from tallystick_witness.errors import (
    UnavailableError,
)
from tallystick_witness.keyring import identify
from tallystick_witness.state import EvidenceKind, LogState
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


def test_a_stranger_who_was_faster_than_the_log_leaves_no_evidence() -> None:
    world = World()
    world.witness.add_checkpoint(world.log.request(0, 8))

    wrong = world.witness.add_checkpoint(ask(8, (b"x" * 32,), world.log.note(9)))
    kept = [one.kind for one in world.store.evidence()]
    right = world.witness.add_checkpoint(world.log.request(8, 9))

    assert (wrong.status, right.status) == (422, 200)
    assert kept == [EvidenceKind.UNPROVEN]
    assert world.store.evidence() == []


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


def test_the_anchor_is_written_after_the_store() -> None:
    world = World()
    anchor = ListAnchor(world.size)
    world.anchor = anchor
    witness = world.start()

    witness.add_checkpoint(world.log.request(0, 5))
    witness.add_checkpoint(world.log.request(5, 13))

    assert anchor.records == [(5, 5), (13, 13)]


def test_a_full_disk_is_503_before_anything_is_signed() -> None:
    world = World(has_room=lambda: False)

    with pytest.raises(UnavailableError, match="space"):
        world.witness.add_checkpoint(world.log.request(0, 5))

    assert world.size() == -1


def test_without_its_lock_nothing_is_cosigned() -> None:
    world = World(is_alone=lambda: False)

    with pytest.raises(UnavailableError, match="lock"):
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


def test_sweeping_reaches_the_store() -> None:
    calls: list[str] = []

    class Telling(MemoryStore):
        def sweep(self) -> None:
            calls.append("sweep")

    world = World(store=Telling(identify(KEYS)))
    world.witness.sweep()

    assert calls == ["sweep"]
