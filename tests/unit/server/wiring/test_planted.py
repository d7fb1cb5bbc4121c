"""Controls of R9: a promotion that lifts the refusal at once is caught."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tallystick_server.log.marker import clear_marker
from tallystick_server.wiring.confirming import Confirmation
from tests.fakes.witnesses import DOWN, always
from tests.rows.report import Figures
from tests.unit.server.wiring.test_confirming import Copy


class AtOnce(Confirmation):
    """Takes entries as soon as it runs."""

    async def run(self, stop: asyncio.Event) -> bool:
        clear_marker(self.data, self.held.name)
        return True


class Unasked(Confirmation):
    """Appends the entry, and does not look who has cosigned it."""

    def _missing(self, size: int) -> str:
        return ""


async def acks_unconfirmed(folder: Path, kind: type[Confirmation]) -> bool:
    """Whether a promotion ends although one of two witnesses never cosigned it."""
    copy = Copy(folder, "all", "a b")
    copy["b"].tell = always(DOWN)
    async with copy.process() as real:
        confirmation = kind(
            real.data,
            real.marker,
            real.held,
            real.publisher,
            real.clock,
            real.ticker,
            real.draw,
            real.on_doubt,
        )
        return await confirmation.run(asyncio.Event())


@pytest.mark.row("R19")
async def test_a_restore_that_acks_at_once_is_caught(
    tmp_path: Path, figures: Figures
) -> None:
    kinds: list[type[Confirmation]] = [AtOnce, Unasked]
    missed = []
    for kind in kinds:
        folder = tmp_path / kind.__name__
        if not await acks_unconfirmed(folder, kind):
            missed.append(kind.__name__)

    figures.record(
        "planted: a promoted log acks at once",
        tried=len(kinds),
        bad=len(missed),
        note="caught by the promotion with a silent witness",
    )
    assert missed == []
    assert not await acks_unconfirmed(tmp_path / "real", Confirmation)
