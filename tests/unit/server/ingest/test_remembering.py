"""The state of producers put away and taken up, and told again after a crash."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tallystick_merkle.event import Value
from tallystick_server.ingest.producers import Producers
from tallystick_server.ingest.sequences import GRACE_MS
from tests.unit.server.ingest.producing import MINUTE_MS, START_MS, Life


def test_a_state_of_another_shape_is_refused_and_changes_nothing() -> None:
    life = Life()
    life.see(0)
    held = life.producers.dump()
    times: Value = [0] * 9
    begun: list[Value] = ["a", 0, False, times, [0] * 5, [0] * 4]
    empty: Value = [0, 1, 0, []]
    streams: list[Value] = [
        [[]],
        [[*begun, [0, 1, 0], None]],
        [[*begun, [0, 1, 0, [[1]]], None]],
        [[*begun[:5], [0] * 3, empty, None]],
        [[*begun[:5], ["1"] * 4, empty, None]],
        [[*begun, empty, None], [*begun, empty, None]],
    ]
    producers: list[Value] = [
        [1],
        [["billing", []]],
        [["a", [[0, 0], [0, 0, 0], []]], ["a", [[0, 0], [0, 0, 0], []]]],
    ]
    producers.extend([["billing", [[0, 0], [0, 0, 0], rows]]] for rows in streams)
    wrong: list[Value] = [1, [], [0], [None, []], [0, 1]]
    wrong.extend([0, rows] for rows in producers)
    refused = 0
    for value in wrong:
        try:
            life.producers.load(value)
        except ValueError:
            refused += 1

    assert refused == len(wrong)
    assert life.producers.dump() == held


def test_events_that_are_told_again_change_nothing() -> None:
    life = Life()
    life.see(0, 1, 5, 5)
    life.wait(GRACE_MS)
    life.findings()
    held = life.producers.dump()

    for one in life.seen:
        life.producers.observe(*one)

    assert life.producers.dump() == held


STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("see"),
            st.sampled_from(["billing", "shop"]),
            st.sampled_from(["a", "b", "c"]),
            st.integers(0, 2),
            st.one_of(st.integers(0, 12), st.integers(0, 4000)),
        ),
        st.tuples(st.just("beat"), st.integers(0, 90)),
        st.tuples(st.just("wait"), st.integers(0, 100_000)),
        st.tuples(st.just("tell")),
    ),
    max_size=40,
)


def lived(steps: list[tuple[object, ...]]) -> Life:
    """A life of a few drawn steps, with few starts allowed."""
    life = Life(most=6)
    for step in steps:
        match step:
            case ["see", str(principal), str(instance), int(epoch), int(number)]:
                life.see(number, principal=principal, instance=instance, epoch=epoch)
            case ["beat", int(heartbeat_s)]:
                life.beat(1, heartbeat_s)
            case ["wait", int(ms)]:
                life.wait(ms)
            case _:
                life.findings()
    return life


@given(STEPS, st.integers(0, 60))
def test_a_state_that_was_put_away_goes_on_as_if_it_had_not_been(
    steps: list[tuple[object, ...]], cut: int
) -> None:
    life = lived(steps)
    first, second = Producers(most=6), Producers(most=6)

    for one in life.seen[:cut]:
        first.observe(*one)
    second.load(first.dump())
    for one in life.seen[cut:]:
        second.observe(*one)

    assert second.dump() == life.producers.dump()
    later_ms = life.now_ms + 10 * MINUTE_MS
    again = Producers(most=6)
    again.load(life.producers.dump())
    again.due(life.now_ms)
    second.due(life.now_ms)
    assert second.due(later_ms) == again.due(later_ms)


@given(STEPS)
def test_after_a_crash_the_log_alone_says_what_is_still_to_be_told(
    steps: list[tuple[object, ...]],
) -> None:
    life = lived(steps)
    again = Producers(most=6)
    again.due(START_MS)

    for one in life.seen:
        again.observe(*one)

    for ms in (0, GRACE_MS, 10 * MINUTE_MS):
        assert again.due(life.now_ms + ms) == life.producers.due(life.now_ms + ms)


@given(STEPS)
def test_everything_found_is_told_in_the_end_and_then_nothing_more(
    steps: list[tuple[object, ...]],
) -> None:
    life = lived(steps)

    for _ in range(20):
        life.wait(10 * MINUTE_MS)
        life.findings()

    assert life.due() == []
