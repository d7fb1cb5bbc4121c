"""A quorum that lags does not clear a log while another quorum is silent (ADR 0004)."""

from __future__ import annotations

import pytest

from tests.fakes.witnesses import DOWN, always
from tests.unit.server.log.test_clearance import OTHER_ROOT, Start


@pytest.mark.parametrize(("quorum", "names"), [("1", "a b"), ("2", "a b c d")])
async def test_a_lagging_quorum_does_not_clear_a_log_beside_a_silent_one(
    quorum: str, names: str
) -> None:
    first, *others = names.split()
    heard, silent = [first, *others][: int(quorum)], [first, *others][int(quorum) :]
    start = Start(quorum, names, size=9)
    start.publish(9, *heard)
    for name in silent:  # they may have cosigned size 12, before the log was set back
        start[name].saw(12, OTHER_ROOT)
        start[name].tell_head = always(DOWN)

    decision = await start.decision()

    assert not decision.may_sign
    assert "may have cosigned more than size 9 without the others" in decision.reason
    assert (await start.decision(anchored=True)).may_sign
    assert (await start.decision(override=True)).is_override


async def test_a_lagging_quorum_clears_a_log_when_every_other_needs_one_of_it() -> None:
    start = Start("2", "a b c", size=9)
    start.publish(9, "a", "b")
    start["c"].tell_head = always(DOWN)

    assert (await start.decision()).may_sign


async def test_a_new_log_waits_for_all_who_could_know_more() -> None:
    start = Start("1", "a b")
    start["b"].tell_head = always(DOWN)

    assert not (await start.decision()).may_sign
