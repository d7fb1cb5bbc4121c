from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tallystick_merkle.tile import MAX_ENTRY
from tallystick_server.selftest.plan import PARCELS, draw_round, marker

SEEDS = st.integers(0, 10**6)


@given(seed=SEEDS, number=st.integers(1, 10_000))
def test_a_round_is_the_same_for_the_same_seed_and_kills_while_there_is_load(
    seed: int, number: int
) -> None:
    drawn = draw_round(seed, number)

    assert drawn == draw_round(seed, number)
    assert len(drawn.parcels) == PARCELS
    assert 1 <= drawn.kill_after < PARCELS
    assert drawn.delay_ms >= 0
    assert drawn.witness_kill_after is None or (
        0 <= drawn.witness_kill_after <= drawn.kill_after
    )


def test_another_seed_or_number_gives_another_round() -> None:
    assert replace(draw_round(1, 1), number=2) != draw_round(1, 2)
    assert draw_round(1, 1) != draw_round(2, 1)


def test_no_two_requests_share_a_key_and_no_two_entries_are_equal() -> None:
    parcels = [one for number in (1, 2, 3) for one in draw_round(5, number).parcels]
    parcels += [marker(5, number, place) for number in (1, 2) for place in (0, 900)]
    entries = [entry for parcel in parcels for entry in parcel.entries]

    assert len({parcel.key for parcel in parcels}) == len(parcels)
    assert len(set(entries)) == len(entries)
    assert all(1 <= len(entry) <= MAX_ENTRY for entry in entries)


def test_every_kind_of_round_comes_up() -> None:
    drawn = [draw_round(7, number) for number in range(1, 40)]

    assert {one.has_anchor for one in drawn} == {True, False}
    assert {one.kill_starting_ms is None for one in drawn} == {True, False}
    assert {bool(one.witness_kill_after) for one in drawn} == {True, False}
    assert None in {one.witness_kill_after for one in drawn}
    assert 0 in {one.witness_kill_after for one in drawn}
    assert any(len(parcel.entries) > 1 for one in drawn for parcel in one.parcels)
