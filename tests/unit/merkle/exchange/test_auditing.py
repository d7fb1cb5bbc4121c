"""Re-hashing a whole log: where it goes on, and which leaf it names."""

import pytest

from tallystick_merkle.errors import TreeMismatchError
from tallystick_merkle.exchange.auditing import audit_to
from tallystick_merkle.frontier import EMPTY_EDGE, Edge
from tallystick_merkle.tile import ENTRIES, Tile, format_bundle
from tests.fakes.driving import Driver, drive
from tests.fakes.memory_log import MemoryLog
from tests.unit.merkle.exchange.logs import (
    flipped,
    forked,
    judged,
    log_of,
    numbered,
    reader_of,
)
from tests.unit.merkle.trees import edge_of

LOG2600 = log_of(2600)


def audit(
    log: MemoryLog,
    edge: Edge = EMPTY_EDGE,
    *,
    seen: list[Edge] | None = None,
) -> Edge:
    """Audit a log up to its published head."""
    return drive(
        audit_to(
            reader_of(log),
            edge,
            head=judged(log.published),
            report=(seen if seen is not None else []).append,
        ),
        log.answer,
    )


@pytest.mark.parametrize("size", [0, 1, 2, 255, 256, 257, 700])
def test_a_log_is_audited_to_its_head(size: int) -> None:
    assert audit(log_of(size)) == edge_of(size)


def test_the_edge_is_reported_after_each_window_of_8_bundles() -> None:
    seen: list[Edge] = []

    edge = audit(LOG2600, seen=seen)

    assert seen == [edge_of(2048), edge_of(2600)]
    assert edge == seen[-1]


@pytest.mark.parametrize("start", [0, 1, 255, 256, 257, 2048, 2599, 2600])
def test_an_audit_goes_on_from_any_edge(start: int) -> None:
    assert audit(LOG2600, edge_of(start)) == edge_of(2600)


def test_an_audit_of_nothing_new_asks_only_for_unfinished_upper_tiles() -> None:
    driver = Driver(LOG2600.answer)
    seen: list[Edge] = []

    driver.run(
        audit_to(
            reader_of(LOG2600),
            edge_of(2600),
            head=judged(LOG2600.published),
            report=seen.append,
        )
    )

    assert driver.urls == [["https://log.example/t/audit/tile/1/000.p/10"]]
    assert seen == []


def test_rounds_join_up() -> None:
    log = log_of(300)
    edge = audit(log)
    log.append(numbered(300, 1000))
    log.publish()

    assert audit(log, edge) == edge_of(1000)


def test_after_an_empty_head_all_is_audited() -> None:
    log = log_of(0)
    edge = audit(log)
    log.append(numbered(0, 5))
    log.publish()

    assert audit(log, edge) == edge_of(5)


@pytest.mark.parametrize("index", [0, 255, 256, 650, 699])
def test_a_rewritten_entry_is_named(index: int) -> None:
    log = log_of(700)
    block = index // 256
    entries = numbered(block * 256, min(700, block * 256 + 256))
    entries[index % 256] = b"rewritten"
    path = f"tile/entries/{block:03d}" + (".p/188" if block == 2 else "")
    log.replaced[path] = format_bundle(entries)

    with pytest.raises(TreeMismatchError, match=f"entry {index} does not") as caught:
        audit(log)

    assert caught.value.index == index


def test_an_entry_rewritten_behind_the_audit_is_found_in_a_fresh_one() -> None:
    log = log_of(700)
    edge = audit(log)
    log.replaced["tile/entries/000"] = flipped(log.resource(Tile(ENTRIES, 0)), 2)

    assert audit(log, edge) == edge
    with pytest.raises(TreeMismatchError, match="entry 0 does not"):
        audit(log)


def test_an_entry_and_its_tile_rewritten_together_break_the_tile_above() -> None:
    log, other = log_of(700), forked(700, 300)
    for tile in (Tile(0, 1), Tile(ENTRIES, 1)):
        path = f"tile/{'entries' if tile.is_bundle else 0}/001"
        log.replaced[path] = other.resource(tile)

    with pytest.raises(TreeMismatchError, match="is not made of") as caught:
        audit(log)

    assert caught.value.index == 256


def test_a_small_log_rewritten_whole_does_not_lead_to_its_root() -> None:
    log, other = log_of(9), forked(9, 3)
    log.replaced["tile/0/000.p/9"] = other.resource(Tile(0, 0, 9))
    log.replaced["tile/entries/000.p/9"] = other.resource(Tile(ENTRIES, 0, 9))

    with pytest.raises(TreeMismatchError, match="lead to root"):
        audit(log)


def test_a_wrong_unfinished_upper_tile_is_named() -> None:
    log = log_of(700)
    log.replaced["tile/1/000.p/2"] = flipped(log.resource(Tile(1, 0, 2)), 40)

    with pytest.raises(TreeMismatchError, match=r"tile/1/000.p/2") as caught:
        audit(log)

    assert caught.value.index == 256


@pytest.mark.slow
def test_a_wrong_full_upper_tile_is_named() -> None:
    log = log_of(65_537)
    log.replaced["tile/1/000"] = flipped(log.resource(Tile(1, 0)), 32 * 100)

    with pytest.raises(TreeMismatchError, match=r"tile/1/000 is not") as caught:
        audit(log)

    assert caught.value.index == 25_600


def test_another_history_does_not_continue_an_edge() -> None:
    theirs = forked(700, 299)

    with pytest.raises(TreeMismatchError, match="not made of the leaves below it"):
        audit(theirs, edge_of(300))


def test_a_head_behind_the_audit_is_refused_unread() -> None:
    log = log_of(300)
    log.publish(299)
    asked = len(log.requests)

    with pytest.raises(TreeMismatchError, match="behind the 300 leaves"):
        audit(log, edge_of(300))

    assert len(log.requests) == asked
