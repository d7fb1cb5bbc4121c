"""Fuzz one target with libFuzzer, until a time is over or something is found.

    python -m tests.fuzz TARGET --seconds N [--corpus DIR] [--found DIR]
    python -m tests.fuzz --seeds

New inputs that lead somewhere go to the corpus folder, an input that breaks the target
to the other; without them, to temporary ones.  The end code is 0 when nothing was
found.  `--seeds` writes the good inputs of every target to where they are kept.

While it runs, what costs more than anything before is printed: `slowest MS BYTES`.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import time
from hashlib import sha256
from importlib import import_module
from pathlib import Path

from tests.fuzz.folders import CORPUS, FOUND
from tests.fuzz.mutate import MOST
from tests.fuzz.target import Target

HOUSES = (
    "tallystick_merkle",
    "tallystick_client",
    "tallystick_witness",
    "tallystick_server",
    "tests.fuzz.planted",
)
"""What is instrumented: coverage of our own code leads the fuzzer."""

MEMORY_MIB = 1024
"""Memory over which libFuzzer gives up, in MiB: instrumentation takes most of it."""

SLOW_S = 5
"""Seconds that one input may take before libFuzzer gives up."""


def load(name: str) -> Target:
    """Import a target with our packages instrumented."""
    atheris = import_module("atheris")  # there is none for other machines

    atheris.enabled_hooks.add("str")  # comparisons of texts lead the way too
    with atheris.instrument_imports(include=list(HOUSES)):
        if name.startswith("planted-"):
            from tests.fuzz.planted import PLANTED  # noqa: PLC0415 -- instrumented

            return PLANTED[name]
        from tests.fuzz.registry import target  # noqa: PLC0415 -- instrumented

        return target(name)


def fuzz(name: str, *, seconds: int, corpus: Path, found: Path) -> None:
    """Fuzz until the time is over; does not return."""
    atheris = import_module("atheris")  # there is none for other machines

    folders = [corpus, CORPUS / name, FOUND / name]
    flags = [
        f"-max_total_time={seconds}",
        f"-max_len={MOST}",
        "-len_control=20",
        f"-timeout={SLOW_S}",
        f"-rss_limit_mb={MEMORY_MIB}",
        f"-artifact_prefix={found}/",
        "-print_final_stats=1",
        "-seed=1",
    ]
    places = [str(folder) for folder in folders if folder.is_dir()]
    atheris.Setup([sys.argv[0], *flags, *places], watched(load(name)))
    atheris.Fuzz()


def watched(target: Target) -> Target:
    """Print an input's time when it is longer than any before."""
    slowest_s = 0.001

    def run(data: bytes) -> None:
        nonlocal slowest_s
        began = time.thread_time()
        target(data)
        took_s = time.thread_time() - began
        if took_s > slowest_s:
            slowest_s = took_s
            say(f"slowest {took_s * 1000:.1f} {len(data)}")

    return run


def write_seeds() -> None:
    """Write the good inputs of every target, each under its hash."""
    from tests.fuzz.planted import PLANTED  # noqa: PLC0415 -- see load
    from tests.fuzz.planted import seeds as planted  # noqa: PLC0415 -- see load
    from tests.fuzz.registry import GROUPS, seeds  # noqa: PLC0415 -- see load

    made = {name: seeds(name) for name in GROUPS} | {
        name: planted() for name in PLANTED
    }
    for name, inputs in made.items():
        folder = CORPUS / name
        folder.mkdir(parents=True, exist_ok=True)
        for data in inputs:
            (folder / sha256(data).hexdigest()[:16]).write_bytes(data)


def say(line: str) -> None:
    """Print at once: libFuzzer ends the process without ceremony."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def main() -> None:
    """Read the arguments and fuzz."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("target", nargs="?")
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("--found", type=Path)
    parser.add_argument("--seeds", action="store_true")
    chosen = parser.parse_args()
    logging.disable()
    if chosen.seeds:
        write_seeds()
        return
    if chosen.target is None:
        parser.error("name a target")
    for folder in (chosen.corpus, chosen.found):
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as spare:
        fuzz(
            chosen.target,
            seconds=chosen.seconds,
            corpus=chosen.corpus or Path(spare),
            found=chosen.found or Path(spare),
        )


if __name__ == "__main__":
    main()
