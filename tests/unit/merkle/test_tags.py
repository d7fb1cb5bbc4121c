"""Index entries have one spelling; tags tell epochs and dimensions apart."""

from itertools import pairwise, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick_merkle.tags import (
    MAX_EPOCH,
    MAX_TAGS,
    PERSONAL,
    TAG_SIZE,
    Dimension,
    format_index_entry,
    index_digest,
    make_blind,
    make_tag,
    order_tags,
    parse_index_entry,
)
from tests.reference import ev1
from tests.unit.merkle.hostile import check_parser, hostile

EPOCHS = st.integers(0, MAX_EPOCH)
TAGS = st.binary(min_size=TAG_SIZE, max_size=TAG_SIZE)
SETS = st.sets(TAGS, min_size=1, max_size=MAX_TAGS)


def written(entry: tuple[int, tuple[bytes, ...], bytes]) -> bytes:
    return format_index_entry(*entry)


@given(EPOCHS, SETS, TAGS)
def test_an_index_entry_is_that_of_the_reference(
    epoch: int, tags: set[bytes], blind: bytes
) -> None:
    data = format_index_entry(epoch, order_tags(tags), blind)

    assert data == ev1.index_entry(epoch, tags, blind)
    assert parse_index_entry(data) == (epoch, tuple(sorted(tags)), blind)
    assert index_digest(data) == ev1.index_digest(data)


@given(
    hostile(
        ev1.index_entry(0, [bytes(16), b"\x01" * 16]), ev1.index_entry(300, [bytes(16)])
    )
)
def test_any_index_entry_is_refused_or_the_one_spelling(data: bytes) -> None:
    check_parser(data, parse_index_entry, written)


@given(SETS, TAGS, TAGS)
def test_events_with_the_same_tags_have_other_leaves(
    tags: set[bytes], one: bytes, two: bytes
) -> None:
    entries = {
        format_index_entry(0, order_tags(tags), make_blind(seed)) for seed in (one, two)
    }

    assert make_blind(one) == ev1.blind(one)
    assert len({index_digest(entry) for entry in entries}) == len({one, two})


@given(st.lists(TAGS))
def test_tags_are_ordered_each_once(tags: list[bytes]) -> None:
    ordered = order_tags(tags + tags)

    assert set(ordered) == set(tags)
    assert all(one < two for one, two in pairwise(ordered))


@given(st.binary(min_size=32, max_size=32))
def test_a_tag_tells_dimension_and_epoch_apart(secret: bytes) -> None:
    tags = [
        make_tag(secret, dimension, epoch)
        for dimension, epoch in product(Dimension, (0, 1, MAX_EPOCH))
    ]

    assert len(set(tags)) == len(tags)
    assert {len(tag) for tag in tags} == {TAG_SIZE}


def test_persons_are_actors_and_targets() -> None:
    assert {Dimension.ACTOR, Dimension.TARGET} == PERSONAL


@pytest.mark.parametrize("epoch", [-1, MAX_EPOCH + 1])
def test_a_tag_of_no_epoch_is_not_made(epoch: int) -> None:
    with pytest.raises(OverflowError):
        make_tag(bytes(32), Dimension.ACTION, epoch)


@given(TAGS)
def test_the_blind_of_an_event_is_that_of_the_reference(seed: bytes) -> None:
    assert make_blind(seed) == ev1.blind(seed)
    assert make_blind(seed) not in seed


def test_events_with_the_same_tags_have_different_digests_in_their_leaves() -> None:
    digests = {
        index_digest(format_index_entry(0, [bytes(16)], make_blind(bytes([seed]) * 16)))
        for seed in range(20)
    }

    assert len(digests) == 20
