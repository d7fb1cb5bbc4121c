from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick_client.errors import StateError
from tallystick_client.stored import (
    format_edge,
    format_held,
    parse_held,
    read_edge,
)
from tallystick_client.trust import MemoryTrust, Trust
from tallystick_client.trust_directory import (
    DirectoryTrust,
    default_state,
    open_trust,
)
from tallystick_merkle.exchange.trusting import Held
from tallystick_merkle.frontier import EMPTY_EDGE, grow
from tallystick_merkle.hashing import leaf_hash
from tallystick_merkle.receipt import Receipt, format_receipt, parse_receipt
from tests.unit.client.fake_log import ORIGIN, WITNESSES, Tree, sign

SMALL = sign(Tree([b"a"]), WITNESSES)
LARGE = sign(Tree([b"a", b"b"]), WITNESSES)
PLACE = Path("receipts") / "1.tlog-proof"


def held(index: int, note: bytes = LARGE) -> Held:
    return Held(Receipt(index, (b"p" * 32,), note), leaf_hash(b"%d" % index))


@pytest.fixture(params=["memory", "directory"])
def trust(request: pytest.FixtureRequest, tmp_path: Path) -> Trust:
    return open_trust(None if request.param == "memory" else tmp_path, ORIGIN)


@pytest.fixture
def kept(tmp_path: Path) -> DirectoryTrust:
    return DirectoryTrust(tmp_path, ORIGIN)


def test_nothing_is_believed_at_first(trust: Trust) -> None:
    assert trust.believed() is None
    assert trust.promised() == []
    assert trust.edge() == EMPTY_EDGE


def test_trust_advances_from_what_was_believed(trust: Trust) -> None:
    assert trust.advance(old=None, new=SMALL)
    assert trust.advance(old=SMALL, new=LARGE)
    assert trust.believed() == LARGE


def test_trust_does_not_advance_from_anything_else(trust: Trust) -> None:
    trust.advance(old=None, new=SMALL)

    assert not trust.advance(old=None, new=LARGE)
    assert trust.believed() == SMALL


def test_an_edge_is_kept(trust: Trust) -> None:
    edge = grow(EMPTY_EDGE, [leaf_hash(b"%d" % at) for at in range(300)]).edge

    trust.keep_edge(edge)

    assert trust.edge() == edge


def test_trust_never_goes_back(kept: DirectoryTrust) -> None:
    kept.advance(old=None, new=LARGE)

    with pytest.raises(AssertionError, match="never goes back"):
        kept.advance(old=LARGE, new=SMALL)


def test_what_is_kept_is_there_for_the_next_program(tmp_path: Path) -> None:
    DirectoryTrust(tmp_path, ORIGIN).advance(old=None, new=SMALL)

    assert DirectoryTrust(tmp_path, ORIGIN).believed() == SMALL
    assert DirectoryTrust(tmp_path, "other.example").believed() is None


def test_a_folder_says_whose_it_is(kept: DirectoryTrust) -> None:
    kept.advance(old=None, new=SMALL)

    assert (kept.path / "origin").read_text() == f"{ORIGIN}\n"


def test_promises_stand_apart_until_they_are_discharged(kept: DirectoryTrust) -> None:
    kept.keep_promised([held(10), held(9)])
    kept.keep_witnessed([held(9)], discharged=[held(9)])

    assert [item.receipt.index for item in kept.promised()] == [10]
    assert [path.name for path, _ in kept.witnessed_files()] == ["9.tlog-proof"]


def test_a_promise_that_was_not_discharged_outlives_a_witnessed_receipt(
    kept: DirectoryTrust,
) -> None:
    kept.keep_promised([held(0, SMALL), held(0, LARGE)])
    kept.keep_witnessed([held(0)], discharged=[held(0, SMALL)])

    assert kept.promised() == [held(0, LARGE)]


def test_a_stored_receipt_knows_its_leaf(kept: DirectoryTrust) -> None:
    kept.keep_promised([held(7)])

    assert kept.promised() == [held(7)]


def test_a_promise_of_another_size_is_kept_beside_the_first(
    kept: DirectoryTrust,
) -> None:
    kept.keep_promised([held(0, SMALL)])
    kept.keep_promised([held(0, LARGE)])

    assert len(kept.promised()) == 2


def test_a_promise_of_another_root_is_told_and_overwrites_nothing(
    kept: DirectoryTrust,
) -> None:
    other = sign(Tree([b"x"]))
    kept.keep_promised([held(0, SMALL)])

    conflict = kept.keep_promised([held(0, other)])

    assert conflict == SMALL
    assert [item.receipt.checkpoint for item in kept.promised()] == [SMALL]


def test_the_same_promise_twice_is_no_conflict(kept: DirectoryTrust) -> None:
    kept.keep_promised([held(0, SMALL)])

    assert kept.keep_promised([held(0, SMALL)]) is None


def test_strange_files_among_the_receipts_are_left_alone(kept: DirectoryTrust) -> None:
    kept.keep_witnessed([held(1)])
    (kept.path / "receipts" / "notes.txt").write_text("mine")

    assert len(kept.witnessed_files()) == 1


def test_receipts_are_listed_by_number(kept: DirectoryTrust) -> None:
    kept.keep_witnessed([held(index) for index in (10, 9, 100)])

    indexes = [item.receipt.index for _, item in kept.witnessed_files()]

    assert indexes == [9, 10, 100]


@pytest.mark.parametrize("data", [b"", b"rubbish", LARGE[:40]])
def test_a_damaged_checkpoint_is_not_believed(
    kept: DirectoryTrust, data: bytes
) -> None:
    kept.advance(old=None, new=LARGE)
    (kept.path / "checkpoint").write_bytes(data)

    with pytest.raises(StateError, match="checkpoint is damaged"):
        kept.believed()


@given(st.binary(max_size=400) | st.text(max_size=200).map(str.encode))
def test_a_damaged_receipt_is_our_own_error(data: bytes) -> None:
    with pytest.raises(StateError):
        parse_held(data, PLACE)


def test_a_receipt_without_its_leaf_is_refused() -> None:
    other = format_held(held(1)).replace(b"extra ", b"extra QUFB", 1)

    with pytest.raises(StateError):
        parse_held(other, PLACE)


@given(st.lists(st.binary(max_size=4), max_size=600))
def test_an_edge_survives_the_disk(entries: list[bytes]) -> None:
    edge = grow(EMPTY_EDGE, [leaf_hash(entry) for entry in entries]).edge

    assert read_edge(format_edge(edge), Path("edge.json")) == edge


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {"size": 1},
        {"size": "1", "tails": []},
        {"size": True, "tails": []},
        {"size": -1, "tails": []},
        {"size": 2**63, "tails": []},
        {"size": 1, "tails": []},
        {"size": 1, "tails": ["AAAA"]},
        {"size": 1, "tails": ["?"]},
        {"size": 1, "tails": 5},
    ],
)
def test_a_damaged_edge_is_our_own_error(value: object) -> None:
    with pytest.raises(StateError, match="audit from the start"):
        read_edge(json.dumps(value).encode(), Path("edge.json"))


def test_an_edge_that_is_no_json_is_our_own_error() -> None:
    with pytest.raises(StateError):
        read_edge(b"[" * 100_000, Path("edge.json"))


def test_the_state_directory_follows_the_environment(tmp_path: Path) -> None:
    given_path = default_state({"XDG_STATE_HOME": str(tmp_path)})

    assert given_path == tmp_path / "tallystick"
    assert default_state({"XDG_STATE_HOME": "relative"}).is_relative_to(Path.home())


def test_memory_keeps_no_receipts() -> None:
    trust = MemoryTrust()

    trust.keep_witnessed([held(1)])

    assert trust.keep_promised([held(1)]) is None
    assert trust.promised() == []
    assert trust.keep_evidence("fork", {"x": b""}) == ()


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.replace(b" ", b""),
        lambda data: data + b"\n",
        lambda data: data.replace(b"}", b', "more": 1}'),
        lambda data: data.replace(b'=="', b'A="').replace(b'="]', b'F="]'),
    ],
    ids=["spaces", "line", "field", "padding"],
)
def test_an_edge_has_one_spelling(change: Callable[[bytes], bytes]) -> None:
    edge = grow(EMPTY_EDGE, [leaf_hash(b"a")]).edge
    data = format_edge(edge)

    assert change(data) != data
    with pytest.raises(StateError, match="is damaged"):
        read_edge(change(data), Path("edge.json"))


def test_a_stored_leaf_hash_has_one_spelling() -> None:
    good = format_held(held(1))
    receipt = parse_receipt(good)
    loud = format_receipt(replace(receipt, extra=receipt.extra.upper()))
    wide = format_receipt(replace(receipt, extra=receipt.extra.replace(b"\n", b" \n")))

    assert parse_held(good, PLACE) == held(1)
    for data in (loud, wide):
        with pytest.raises(StateError, match="does not say which leaf"):
            parse_held(data, PLACE)


def test_a_directory_of_a_newer_format_is_refused(kept: DirectoryTrust) -> None:
    kept.advance(old=None, new=SMALL)
    (kept.path / "format").write_text("2\n")

    with pytest.raises(StateError, match=r"format '2' .* knows 1: run the newer"):
        DirectoryTrust(kept.path.parent, ORIGIN)


def test_a_directory_that_says_format_1_is_read(kept: DirectoryTrust) -> None:
    kept.advance(old=None, new=SMALL)
    (kept.path / "format").write_text("1\n")

    assert DirectoryTrust(kept.path.parent, ORIGIN).believed() == SMALL
