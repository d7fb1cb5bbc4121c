"""Run targets: as a process with libFuzzer, or here with the mutator."""

from __future__ import annotations

import platform
import re
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from random import Random

from tests.fuzz.folders import HERE
from tests.fuzz.mutate import mutate
from tests.fuzz.target import Target

_EXECUTED = re.compile(r"^stat::number_of_executed_units:\s+(\d+)$", re.MULTILINE)
_COVERED = re.compile(r"^#\d+\s+DONE\s+cov: (\d+)", re.MULTILINE)
_SLOWEST = re.compile(r"^slowest ([0-9.]+) (\d+)$", re.MULTILINE)
_GRACE_S = 60


@dataclass(frozen=True, slots=True)
class Run:
    """What a run of libFuzzer did; `found` is the input that broke the target."""

    executed: int
    covered: int
    slowest_ms: float
    found: bytes | None
    output: str


class BrokenError(AssertionError):
    """A target that something came out of; names the input and how to see it again."""


def why_not() -> str | None:
    """Say why libFuzzer cannot run here, if so."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return f"atheris is made for Linux on x86_64, this is {sys.platform}"
    return None if find_spec("atheris") else "atheris is not installed"


def fuzz(name: str, *, seconds: int, place: Path) -> Run:
    """Fuzz a target in a process of its own, below `place`."""
    found = place / "found"
    command = [
        sys.executable, "-m", "tests.fuzz", name, "--seconds", str(seconds),
        "--corpus", str(place / "corpus"), "--found", str(found),
    ]  # fmt: skip
    done = subprocess.run(
        command,
        cwd=HERE.parents[1],
        capture_output=True,
        timeout=seconds + _GRACE_S,
        check=False,
    )
    output = done.stderr.decode(errors="replace")
    inputs = [path.read_bytes() for path in sorted(found.glob("*"))]
    slowest = _SLOWEST.findall(output)
    said = f"{name} ended with {done.returncode}: {output[-2000:]}"
    assert _EXECUTED.search(output), said
    assert bool(done.returncode) == bool(inputs), said
    return Run(
        _last(_EXECUTED, output),
        _last(_COVERED, output),
        float(slowest[-1][0]) if slowest else 0.0,
        inputs[0] if inputs else None,
        output,
    )


def replay(target: Target, inputs: Sequence[tuple[str, bytes]]) -> None:
    """Feed kept inputs to a target; raise BrokenError naming the first that breaks."""
    for name, data in inputs:
        _feed(target, data, name)


def scatter(target: Target, seeds: Sequence[bytes], *, count: int, seed: str) -> None:
    """Feed `count` inputs near the seeds to a target; the same ones for a seed."""
    rng = Random(seed)
    for turn in range(count):
        data = mutate(rng, rng.choice(seeds), seeds)
        _feed(target, data, f"input {turn} of seed {seed!r}")


def cost(target: Target, data: bytes) -> tuple[float, int]:
    """Measure an input: milliseconds of this thread, and bytes taken at the peak."""
    began = time.thread_time()
    _feed(target, data, "an input of the longest length")
    took_ms = (time.thread_time() - began) * 1000
    tracemalloc.start()
    target(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return took_ms, peak


def _feed(target: Target, data: bytes, name: str) -> None:
    try:
        target(data)
    except Exception as error:
        raise BrokenError(f"{name}: {error!r} from {data[:400]!r}") from error


def _last(pattern: re.Pattern[str], text: str) -> int:
    found = pattern.findall(text)
    return int(found[-1]) if found else 0
