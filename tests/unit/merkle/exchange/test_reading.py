"""Reading tiles: what is asked for, what is cut, and what a wrong answer proves."""

import pytest

from tallystick_merkle.errors import (
    InconsistentError,
    OriginError,
    ProofError,
    RefusedError,
    TreeMismatchError,
    UnreachableError,
)
from tallystick_merkle.exchange.base import Failure, Pause, Response, Retry
from tallystick_merkle.exchange.reading import TileReader, check_extends
from tallystick_merkle.keys import KeyType, format_vkey
from tallystick_merkle.policy import judge, parse_policy
from tallystick_merkle.proof import check_consistency, plan_inclusion
from tallystick_merkle.tile import ENTRIES, Tile
from tests.fakes.driving import Driver, drive
from tests.fakes.memory_log import MemoryLog, problem
from tests.reference.rfc6962 import Tree, leaf
from tests.unit.merkle.exchange.logs import (
    flipped,
    forked,
    judged,
    log_of,
    numbered,
    reader_of,
)
from tests.unit.merkle.people import key

LOG700 = log_of(700)
TREE = Tree([leaf(entry) for entry in numbered(0, 700)])


def paths(driver: Driver) -> list[list[str]]:
    """The resources asked for, step by step."""
    return [[url.split("/t/audit/")[1] for url in step] for step in driver.urls]


def test_the_checkpoint_is_fetched_as_it_stands() -> None:
    log = log_of(3)

    assert drive(reader_of(log).checkpoint(), log.answer) == log.published


def test_a_log_without_a_checkpoint_refuses() -> None:
    log = log_of(3)
    log.published = b""

    with pytest.raises(RefusedError) as caught:
        drive(reader_of(log).checkpoint(), log.answer)

    assert caught.value.status == 404


def test_a_checkpoint_is_asked_for_three_times() -> None:
    log = log_of(3)
    log.script = [Failure("reset"), problem(503, "away", "soon", {"retry-after": "2"})]
    driver = Driver(log.answer)

    assert driver.run(reader_of(log).checkpoint()) == log.published
    assert driver.pauses == [Pause(0.0, 0.1), Pause(2.0, 0.2)]


def test_tiles_and_bundles_are_fetched_at_once_and_in_order() -> None:
    tiles = [Tile(0, 2, 188), Tile(1, 0, 2), Tile(ENTRIES, 0), Tile(0, 0)]
    driver = Driver(LOG700.answer)

    found = driver.run(reader_of(LOG700).raw(tiles))

    assert found == [LOG700.resource(tile) for tile in tiles]
    assert paths(driver) == [
        ["tile/0/002.p/188", "tile/1/000.p/2", "tile/entries/000", "tile/0/000"]
    ]


def test_every_request_bounds_its_answer_and_takes_gzip() -> None:
    driver = Driver(LOG700.answer)

    driver.run(reader_of(LOG700).raw([Tile(0, 0), Tile(ENTRIES, 0)]))

    (requests,) = [step for step in driver.steps if isinstance(step, tuple)]
    assert [request.limit for request in requests] == [8192, 256 * 65_537]
    assert {request.headers["Accept-Encoding"] for request in requests} == {
        "gzip, identity"
    }


def test_more_than_16_tiles_are_fetched_in_windows() -> None:
    driver = Driver(LOG700.answer)

    found = driver.run(reader_of(LOG700).raw([Tile(0, 0)] * 20))

    assert len(found) == 20
    assert [len(step) for step in driver.urls] == [16, 4]


def test_no_tiles_need_no_step() -> None:
    driver = Driver(LOG700.answer)

    assert driver.run(reader_of(LOG700).raw([])) == []
    assert driver.steps == []


def test_a_partial_that_is_gone_is_cut_from_its_full_one() -> None:
    log = log_of(700)
    log.gone = {"tile/0/000.p/17", "tile/entries/001.p/3"}
    wanted = [Tile(0, 0, 17), Tile(0, 1), Tile(ENTRIES, 1, 3)]
    driver = Driver(log.answer)

    found = driver.run(reader_of(log).raw(wanted))

    assert found == [log.resource(tile) for tile in wanted]
    assert paths(driver)[1] == ["tile/0/000", "tile/entries/001"]
    assert len(driver.steps) == 2


def test_a_tile_that_is_gone_altogether_is_named() -> None:
    log = log_of(700)
    log.gone = {"tile/0/001.p/17", "tile/0/001"}

    with pytest.raises(TreeMismatchError, match="does not serve tile/0/001") as caught:
        drive(reader_of(log).raw([Tile(0, 0), Tile(0, 1, 17)]), log.answer)

    assert caught.value.index == 256


@pytest.mark.parametrize(
    ("tile", "index"), [(Tile(1, 0), 0), (Tile(1, 3), 3 << 16), (Tile(ENTRIES, 2), 512)]
)
def test_a_missing_tile_names_its_first_leaf(tile: Tile, index: int) -> None:
    log = log_of(5)

    with pytest.raises(TreeMismatchError) as caught:
        drive(reader_of(log).raw([tile]), log.answer)

    assert caught.value.index == index


@pytest.mark.parametrize("length", [0, 1, 31, 32 * 255, 32 * 256 - 1])
def test_a_truncated_tile_is_refused(length: int) -> None:
    log = log_of(256)
    log.replaced["tile/0/000"] = log.resource(Tile(0, 0))[:length]

    with pytest.raises(TreeMismatchError, match=f"has {length // 32} items"):
        drive(reader_of(log).raw([Tile(0, 0)]), log.answer)


@pytest.mark.parametrize("length", [0, 1, 2, 3, 100])
def test_a_truncated_bundle_is_refused(length: int) -> None:
    log = log_of(300)
    log.replaced["tile/entries/001.p/44"] = log.resource(Tile(ENTRIES, 1, 44))[:length]

    with pytest.raises(TreeMismatchError, match=r"tile/entries/001.p/44") as caught:
        drive(reader_of(log).raw([Tile(ENTRIES, 1, 44)]), log.answer)

    assert caught.value.index == 256


def test_a_bundle_of_more_than_256_entries_is_refused() -> None:
    log = log_of(256)
    log.replaced["tile/entries/000"] = b"\x00\x01a" * 257

    with pytest.raises(TreeMismatchError, match="is not a bundle"):
        drive(reader_of(log).raw([Tile(ENTRIES, 0)]), log.answer)


def test_a_wider_answer_is_cut() -> None:
    log = log_of(300)
    log.replaced["tile/0/000.p/3"] = log.resource(Tile(0, 0))
    log.replaced["tile/entries/000.p/3"] = log.resource(Tile(ENTRIES, 0))
    tiles = [Tile(0, 0, 3), Tile(ENTRIES, 0, 3)]

    found = drive(reader_of(log).raw(tiles), log.answer)

    assert found == [log.resource(tile) for tile in tiles]


def test_bundles_are_split_into_entries() -> None:
    tiles = [Tile(ENTRIES, 1), Tile(ENTRIES, 2, 188)]

    found = drive(reader_of(LOG700).entries(tiles), LOG700.answer)

    assert found == [numbered(256, 512), numbered(512, 700)]


def test_one_lost_tile_of_many_is_asked_for_again_alone() -> None:
    log = log_of(700)
    log.script = [Response(200, {}, log.resource(Tile(0, 0))), Failure("reset")]
    driver = Driver(log.answer)

    found = driver.run(reader_of(log).raw([Tile(0, 0), Tile(0, 1)]))

    assert found == [log.resource(Tile(0, 0)), log.resource(Tile(0, 1))]
    assert paths(driver) == [["tile/0/000", "tile/0/001"], ["tile/0/001"]]
    assert driver.pauses == [Pause(0.0, 0.1)]


def test_a_log_that_stays_away_is_unreachable() -> None:
    log = log_of(5)
    log.script = [Failure("reset")] * 2
    reader = TileReader(log.address.read_url, retry=Retry(attempts=2))

    with pytest.raises(UnreachableError, match=r"tile/0/000.p/5: reset"):
        drive(reader.raw([Tile(0, 0, 5)]), log.answer)


def test_a_log_that_will_not_serve_refuses() -> None:
    log = log_of(5)
    log.replaced["tile/0/000.p/5"] = problem(403, "forbidden", "not for you")

    with pytest.raises(RefusedError, match="not for you"):
        drive(reader_of(log).raw([Tile(0, 0, 5)]), log.answer)


@pytest.mark.parametrize("index", [0, 255, 256, 511, 699])
def test_a_path_is_made_from_tiles(index: int) -> None:
    path = drive(reader_of(LOG700).inclusion(index=index, size=700), LOG700.answer)

    assert list(path) == TREE.path(index, 700)


def test_a_tile_once_read_is_not_asked_for_again_until_forgotten() -> None:
    reader, driver = reader_of(LOG700), Driver(LOG700.answer)
    driver.run(reader.inclusion(index=5, size=700))
    asked = len(driver.steps)

    driver.run(reader.proof(plan_inclusion(index=9, size=700), 700))
    assert len(driver.steps) == asked

    reader.forget()
    driver.run(reader.inclusion(index=9, size=700))
    assert len(driver.steps) == asked + 1


@pytest.mark.parametrize("old", [1, 2, 255, 256, 257, 512, 513, 699, 700])
def test_a_head_that_extends_is_proven(old: int) -> None:
    proof = drive(
        check_extends(
            reader_of(LOG700),
            old=judged(LOG700.promised(old)),
            new=judged(LOG700.published),
        ),
        LOG700.answer,
    )

    check_consistency(
        old=old,
        new=700,
        old_root=TREE.root(old),
        new_root=TREE.root(700),
        proof=proof,
    )


def test_equal_heads_need_no_tiles() -> None:
    driver = Driver(LOG700.answer)
    head = judged(LOG700.published)

    assert driver.run(check_extends(reader_of(LOG700), old=head, new=head)) == ()
    assert driver.steps == []


@pytest.mark.parametrize("old", [4, 5, 8, 256, 300])
def test_a_fork_is_shown_by_both_notes(old: int) -> None:
    ours, theirs = log_of(old), forked(300, old - 1)

    with pytest.raises(InconsistentError, match=f"size {old} was signed") as caught:
        drive(
            check_extends(
                reader_of(theirs),
                old=judged(ours.published),
                new=judged(theirs.published),
            ),
            theirs.answer,
        )

    assert caught.value.first == ours.published
    assert caught.value.second == theirs.published


@pytest.mark.parametrize("old", [1, 3, 4, 7])
def test_broken_tiles_are_no_fork_and_are_forgotten(old: int) -> None:
    log = log_of(9)
    path = "tile/0/000.p/9"
    log.replaced[path] = flipped(log.resource(Tile(0, 0, 9)), 32 * 7)
    reader = reader_of(log)
    heads = {"old": judged(log.promised(old)), "new": judged(log.published)}

    with pytest.raises(TreeMismatchError, match="do not lead to its signed root"):
        drive(check_extends(reader, **heads), log.answer)

    del log.replaced[path]
    drive(check_extends(reader, **heads), log.answer)


def test_heads_that_cannot_extend_one_another_are_refused_unread() -> None:
    driver = Driver(LOG700.answer)
    small, large = judged(LOG700.promised(3)), judged(LOG700.published)
    empty = judged(MemoryLog(key=LOG700.key).promised())

    for old, new in ((large, small), (empty, large)):
        with pytest.raises(ProofError, match="cannot extend"):
            driver.run(check_extends(reader_of(LOG700), old=old, new=new))

    assert driver.steps == []


def test_heads_of_two_logs_are_never_a_fork() -> None:
    other = key("log.example/other", KeyType.ED25519, 9)
    policy = parse_policy(f"log {format_vkey(other.verifier)}\nquorum none\n".encode())
    strange = judge(MemoryLog(key=other, entries=[b"x"]).promised(), policy)

    with pytest.raises(OriginError):
        drive(
            check_extends(reader_of(LOG700), old=strange, new=judged(LOG700.published)),
            LOG700.answer,
        )


def test_a_token_goes_with_tiles_and_never_with_the_checkpoint() -> None:
    log = log_of(3)
    reader = TileReader(log.address.read_url, token="secret")

    drive(reader.checkpoint(), log.answer)
    drive(reader.raw([Tile(0, 0, 3), Tile(ENTRIES, 0, 3)]), log.answer)

    sent = [request.headers.get("Authorization") for request in log.requests]
    assert sent == [None, "Bearer secret", "Bearer secret"]


def test_without_a_token_no_request_has_one() -> None:
    log = log_of(3)

    drive(reader_of(log).raw([Tile(0, 0, 3)]), log.answer)

    assert ["Authorization" in request.headers for request in log.requests] == [False]
