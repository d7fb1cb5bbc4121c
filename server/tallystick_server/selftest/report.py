"""What a drill found, for people and for programs.

A check is `ok`, `suspicious` (it may be fine, and deserves a look), `FAILED` (this disk
lost or changed something, or lets two processes write) or `not tried`.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

_WIDTH = 88

NOT_SHOWN = (
    (
        "Power loss. A kill ends a process and leaves the kernel and its caches alive. "
        "What a disk loses when the power goes, it loses only then: pull the plug of "
        "a machine like this one, once, before you rely on it."
    ),
    "What the disk does in years, when it is nearly full, or when it fails.",
    "Other kernels, mount options and hypervisors than those of this run.",
)
"""What no run of the drill can tell."""


class Result(StrEnum):
    """What became of a check."""

    OK = "ok"
    SUSPICIOUS = "suspicious"
    FAILED = "FAILED"
    NOT_TRIED = "not tried"


@dataclass(frozen=True, slots=True)
class Check:
    """One check: its name, its result, a figure, and the reason unless it is ok."""

    check: str
    result: Result
    figure: str
    why: str = ""


@dataclass(slots=True)
class Counts:
    """What was done in a drill."""

    rounds: int = 0
    server_kills: int = 0
    start_kills: int = 0
    witness_kills: int = 0
    restarts: int = 0
    logs: int = 0
    acked: int = 0
    receipts: int = 0
    repeated: int = 0
    heads: int = 0
    fscks: int = 0


@dataclass(frozen=True, slots=True)
class Report:
    """All that a drill found; `kept` is where the scratch is kept after a failure."""

    directory: Path
    seed: int
    seconds: float
    counts: Counts
    checks: tuple[Check, ...]
    kept: Path | None = None

    @property
    def is_good(self) -> bool:
        """Whether nothing failed."""
        return all(check.result is not Result.FAILED for check in self.checks)

    @property
    def suspicious(self) -> int:
        """How many checks deserve a look."""
        return sum(check.result is Result.SUSPICIOUS for check in self.checks)

    def document(self) -> dict[str, object]:
        """Give the object of `--json`; the command documents it."""
        return {
            "good": self.is_good,
            "suspicious": self.suspicious,
            "directory": str(self.directory),
            "seed": self.seed,
            "seconds": round(self.seconds, 1),
            "counts": asdict(self.counts),
            "checks": [asdict(check) for check in self.checks],
            "kept": None if self.kept is None else str(self.kept),
            "not_shown": list(NOT_SHOWN),
        }

    def lines(self) -> Iterator[str]:
        """Say it for people: a table, the reasons, the verdict."""
        yield f"selftest in {self.directory}, seed {self.seed}, {self.seconds:.0f} s"
        yield ""
        yield from _table(self.checks)
        for check in self.checks:
            if check.why:
                yield ""
                yield from _wrap(f"{check.check}: {check.why}")
        yield ""
        yield "What this cannot show:"
        for text in NOT_SHOWN:
            yield from _wrap(text, begin="  - ", go_on="    ")
        yield ""
        yield from self._verdict()

    def _verdict(self) -> Iterator[str]:
        """Say what it comes to, and what to do next."""
        counts = self.counts
        if self.is_good:
            kills = counts.server_kills + counts.start_kills + counts.witness_kills
            told = (
                f"; {self.suspicious} suspicious, see above" if self.suspicious else ""
            )
            yield from _wrap(
                f"good: {counts.acked} acked entries over {kills} kills in "
                f"{counts.rounds} rounds, none lost or changed{told}"
            )
            return
        names = [check.check for check in self.checks if check.result is Result.FAILED]
        yield from _wrap(f"FAILED: {', '.join(names)}")
        if self.kept is not None:
            yield from _wrap(f"Everything is kept in {self.kept}")
        yield from _wrap(
            "What to do: put no log here, and stop one that is served from here. Look "
            "at the kernel's messages and the disk's own health report. Run the "
            f"selftest again with --seed {self.seed}, and on another disk: if it fails "
            "there too, suspect the machine's memory or this program, and report it "
            "with the directory that was kept."
        )


def _table(checks: tuple[Check, ...]) -> Iterator[str]:
    rows = [("check", "result", "figure")]
    rows += [(check.check, str(check.result), check.figure) for check in checks]
    first, second = (max(len(row[place]) for row in rows) for place in (0, 1))
    for name, result, figure in rows:
        yield f"  {name:<{first}}  {result:<{second}}  {figure}".rstrip()


def _wrap(text: str, *, begin: str = "", go_on: str = "") -> list[str]:
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=begin,
        subsequent_indent=go_on,
        break_long_words=False,
        break_on_hyphens=False,
    )
