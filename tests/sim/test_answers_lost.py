"""A write that fails, stored or not, once or twice, alone or under load (R3).

Each case strikes one kind of write of one world.  It must be hit, and the world must
come good; every rule is checked after every step, over the whole tree.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from tests.rows.forms import Form
from tests.rows.report import Figures
from tests.sim import loop as virtual
from tests.sim.disks import NOT_STORED, STORED, Faults
from tests.sim.process import is_crash
from tests.sim.world import Plan, Scale, World, quiet

WRITES = ["commit", "anchor", "publish", "witness advance", "witness anchor"]
KINDS = [(NOT_STORED,), (STORED,), (NOT_STORED, STORED), (STORED, STORED)]
PACES = {"alone": 20.0, "under load": 1.5}

CASES = [
    pytest.param(write, kinds, load, id=f"{write}, {', then '.join(kinds)}, {load}")
    for write, kinds, load in product(WRITES, KINDS, PACES)
]


@dataclass(slots=True)
class Ended:
    """How a case ended: what was broken, and how often the fault was hit."""

    broken: list[str]
    hits: int
    acked: int


def strike(write: str, kinds: tuple[str, ...], load: str) -> Ended:
    """Let a world begin, have its next writes fail, and see it come good."""
    chance = random.Random(f"{write} {kinds} {load}")
    ends: list[Ended] = []
    lost: list[str] = []

    def report(context: dict[str, Any]) -> None:
        if not is_crash(context.get("exception")):
            lost.append(f"no error gets lost: {context}")

    async def main(folder: Path) -> None:
        services = 3 if load == "under load" else 1
        world = World(
            chance, Plan(Scale(services=services, pace_s=PACES[load])), folder
        )
        world.log.disk.has_anchor = True
        world.operator.look()
        operating = asyncio.ensure_future(world.operator.run())
        await asyncio.sleep(60.0)
        faults = faults_of(world, write)
        faults.arm(write.removeprefix("witness "), *kinds)
        ended = await world.come_good(after_s=100.0)
        operating.cancel()
        ends.append(Ended(ended, faults.hits, len(world.monitor.acks)))

    with tempfile.TemporaryDirectory() as folder, quiet():
        virtual.run(main(Path(folder)), latency=lambda: 0.001, on_error=report)
    (end,) = ends
    end.broken += lost
    return end


def faults_of(world: World, write: str) -> Faults:
    """Find the faults of the disk that takes a kind of write."""
    if write.startswith("witness"):
        return world.witnesses[0].disk.faults
    return world.log.disk.faults


@pytest.mark.row("R3")
@pytest.mark.parametrize(("write", "kinds", "load"), CASES)
def test_a_write_that_fails_in_either_way_loses_and_forks_nothing(
    write: str, kinds: tuple[str, ...], load: str, form: Form, figures: Figures
) -> None:
    if load == "under load":
        form.needs(Form.CI, "many clients take seconds")
    end = strike(write, kinds, load)

    figures.record(
        "writes that failed, stored or not",
        tried=1,
        bad=len(end.broken),
        note=f"faults hit {end.hits}, entries acked {end.acked:,}",
    )
    assert end.broken == []
    assert end.hits == len(kinds)
    assert end.acked > 0
