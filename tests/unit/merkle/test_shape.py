"""Which nodes a proof is made of, and exactly how many hashes it has."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick_merkle.errors import ProofError
from tallystick_merkle.hashing import MAX_SIZE
from tallystick_merkle.shape import (
    Node,
    Span,
    check_index,
    consistency_length,
    consistency_spans,
    inclusion_length,
    inclusion_spans,
    span_nodes,
    split_point,
)
from tests.reference.rfc6962 import largest_power_below
from tests.unit.merkle.trees import LARGE_SIZES, MOST, reference

PAIRS = st.integers(1, MAX_SIZE).flatmap(
    lambda size: st.tuples(st.integers(0, size - 1), st.just(size))
)


@pytest.mark.parametrize("count", [*range(2, MOST + 1), *LARGE_SIZES])
def test_split_point_is_the_largest_power_of_two_below(count: int) -> None:
    assert split_point(count) == largest_power_below(count)


def test_a_ragged_span_is_cut_into_falling_powers_of_two() -> None:
    assert span_nodes(Span(8, 15)) == [Node(2, 2), Node(1, 6), Node(0, 14)]


def test_a_perfect_span_is_one_node() -> None:
    assert span_nodes(Span(2**61, 2**62)) == [Node(61, 1)]


def test_an_empty_span_has_no_nodes() -> None:
    assert span_nodes(Span(0, 0)) == []


def test_spans_of_a_path_are_those_of_the_reference() -> None:
    tree = reference()

    for size in range(1, MOST + 1):
        for index in range(size):
            spans = inclusion_spans(index, size)
            assert [tree.hash(*span) for span in spans] == tree.path(index, size)
            assert inclusion_length(index, size) == len(spans)


def test_spans_of_a_consistency_proof_are_those_of_the_reference() -> None:
    tree = reference()

    for new in range(1, MOST + 1):
        for old in range(1, new + 1):
            spans = consistency_spans(old, new)
            assert [tree.hash(*span) for span in spans] == tree.proof(old, new)
            assert consistency_length(old, new) == len(spans)


@given(PAIRS)
def test_length_of_a_path_is_the_number_of_its_spans(pair: tuple[int, int]) -> None:
    assert inclusion_length(*pair) == len(inclusion_spans(*pair))


@given(PAIRS)
def test_length_of_a_proof_is_the_number_of_its_spans(pair: tuple[int, int]) -> None:
    old, new = pair[0] + 1, pair[1]

    assert consistency_length(old, new) == len(consistency_spans(old, new))


@given(PAIRS)
def test_spans_of_a_path_and_the_leaf_tile_the_tree(pair: tuple[int, int]) -> None:
    index, size = pair

    spans = sorted([*inclusion_spans(index, size), Span(index, index + 1)])

    ends = [0, *(span.stop for span in spans)]
    assert [span.start for span in spans] == ends[:-1]
    assert ends[-1] == size


@given(PAIRS)
def test_nodes_of_a_span_tile_it_without_gap(pair: tuple[int, int]) -> None:
    for span in inclusion_spans(*pair):
        nodes = span_nodes(span)
        starts = [node.position << node.level for node in nodes]
        stops = [node.position + 1 << node.level for node in nodes]
        assert starts == [span.start, *stops[:-1]]
        assert stops[-1] == span.stop


@pytest.mark.parametrize("size", LARGE_SIZES)
def test_no_proof_has_more_than_63_hashes(size: int) -> None:
    for index in (0, 1, size // 2, size - 2, size - 1):
        assert inclusion_length(index, size) <= 63
        assert consistency_length(index + 1, size) <= 63


@pytest.mark.parametrize(
    ("index", "size", "length"),
    [
        (0, 1, 0),
        (0, 2**62, 62),
        (2**62 - 1, 2**62, 62),
        (2**61, 2**61 + 1, 1),
        (2**61 - 1, 2**61 + 1, 62),
        (0, 2**32 + 1, 33),
        (2**32, 2**32 + 1, 1),
    ],
)
def test_a_path_has_its_known_length(index: int, size: int, length: int) -> None:
    assert inclusion_length(index, size) == length


@pytest.mark.parametrize(
    ("old", "new", "length"),
    [
        (1, 1, 0),
        (2**62, 2**62, 0),
        (2**61, 2**62, 1),
        (1, 2**62, 62),
        (2**61 + 1, 2**62, 63),
        (2**62 - 1, 2**62, 63),
        (2**32, 2**32 + 1, 1),
    ],
)
def test_a_proof_has_its_known_length(old: int, new: int, length: int) -> None:
    assert consistency_length(old, new) == length


@pytest.mark.parametrize(
    ("index", "size"), [(0, 0), (1, 1), (-1, 1), (0, -1), (0, MAX_SIZE + 1)]
)
def test_an_index_outside_the_tree_is_refused(index: int, size: int) -> None:
    for ask in (check_index, inclusion_spans, inclusion_length):
        with pytest.raises(ProofError, match="outside a tree"):
            ask(index, size)


@pytest.mark.parametrize(
    ("old", "new"), [(0, 0), (0, 1), (2, 1), (-1, 1), (1, MAX_SIZE + 1)]
)
def test_sizes_without_a_proof_are_refused(old: int, new: int) -> None:
    for ask in (consistency_spans, consistency_length):
        with pytest.raises(ProofError, match="no consistency proof"):
            ask(old, new)
