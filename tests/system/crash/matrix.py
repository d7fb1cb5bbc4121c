"""Try points one after the other, and count what came of it."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from tests.rows.report import Figures
from tests.system.crash.calls import Fault, Pair, Point

T = TypeVar("T", Point, Pair)


@dataclass
class Matrix:
    """The points that were tried, what was wrong, and how many were never reached."""

    directory: Path
    hits: Counter[str] = field(default_factory=Counter)
    missed: int = 0
    wrong: dict[str, list[str]] = field(default_factory=dict)

    def run(
        self,
        points: Iterable[T],
        attempt: Callable[[Path, T], list[str] | None],
        *,
        most: int,
    ) -> None:
        """Try points until `most` were reached; a place without findings is removed.

        `attempt` tries a point in an empty place: what is wrong, or None if it was not
        reached.
        """
        for number, point in enumerate(points):
            if self.tried >= most:
                break
            place = self.directory / f"point-{number}"
            found = attempt(place, point)
            if found is None:
                self.missed += 1
            else:
                self.hits[point.fault.name] += 1
            if found:
                self.wrong[str(point)] = found
            else:
                shutil.rmtree(place)

    @property
    def tried(self) -> int:
        """How many points were reached."""
        return self.hits.total()

    def record(self, figures: Figures, what: str, *, least: int) -> None:
        """Record the figures, then assert that all is well and enough was tried."""
        split = ", ".join(f"{fault.name} {self.hits[fault.name]}" for fault in Fault)
        note = f"{split}, not reached again {self.missed}"
        figures.record(what, tried=self.tried, bad=len(self.wrong), note=note)
        found = [f"{name}: {wrong}" for name, wrong in self.wrong.items()]
        assert not found, "\n".join(found)
        assert self.tried >= least
