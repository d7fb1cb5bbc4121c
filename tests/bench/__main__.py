"""Measure a whole server process from a separate load process.

    python -m tests.bench [--runs 5] [--scale 1.0] [--jobs event events]
                          [--write docs/benchmarks.md]

Every run makes the jobs in the same order; what is kept is the median over the runs,
beside the floor of the design.  `--write` replaces the machine-readable block and the
table in the named file.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from tests.bench.load import Load
from tests.bench.machine import describe, filesystem
from tests.bench.report import write_report
from tests.bench.server import Server

JOBS = {
    "lone": (1, 2_000, 1),
    "single": (64, 30_000, 1),
    "batch": (8, 300, 1_000),
    "event": (64, 20_000, 1),
    "events": (8, 100, 1_000),
    "inclusion": (64, 40_000, 1),
    "tile": (64, 40_000, 1),
}
"""Job: connections, requests in a run, entries in each request."""


def run_job(server: Server, kind: str, scale: float) -> dict[str, float]:
    """Run one job in a load process of its own."""
    connections, requests, entries = JOBS[kind]
    load = Load(
        kind,
        server.host,
        server.port,
        *server.log_of(kind),
        connections,
        max(connections * 2, int(requests * scale)),
        entries,
        server.size(),
    )
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.load"],
        input=json.dumps(asdict(load)).encode(),
        stdout=subprocess.PIPE,
        check=True,
    )
    row: dict[str, float] = json.loads(done.stdout)
    return row


def measure(
    runs: int, scale: float, directory: Path, jobs: list[str]
) -> dict[str, dict[str, float]]:
    """Run every job `runs` times against one server; keep the medians."""
    rows: dict[str, list[dict[str, float]]] = {kind: [] for kind in jobs}
    with Server(directory) as server:
        run_job(server, "batch", 0.2)  # warm, and something to read
        run_job(server, "events", 0.05)
        for number in range(runs):
            for kind in jobs:
                row = run_job(server, kind, scale)
                rows[kind].append(row)
                print(
                    f"run {number + 1} {kind:10} {row['items_per_s']:>10,.0f}/s "
                    f"p50 {row['p50_ms']:.2f} ms p99 {row['p99_ms']:.2f} ms",
                    file=sys.stderr,
                )
        rows["audit"] = [server.audit() for _ in range(min(runs, 3))]
        memory = server.resident_mib()
    medians = {
        kind: {
            name: round(statistics.median(row[name] for row in found), 3)
            for name in found[0]
        }
        for kind, found in rows.items()
    }
    medians["server"] = memory
    return medians


def main() -> None:
    """Measure, print the result as JSON, and write the report if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--write", type=Path)
    parser.add_argument("--jobs", nargs="+", choices=JOBS, default=list(JOBS))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tallystick-bench-") as place:
        directory = Path(place)
        result = {
            "command": f"make bench ARGS='--runs {options.runs}'",
            "machine": {**describe(), "filesystem": filesystem(directory)},
            "runs": options.runs,
            "medians": measure(options.runs, options.scale, directory, options.jobs),
        }
    print(json.dumps(result, indent=2))
    if options.write:
        write_report(options.write, result)


if __name__ == "__main__":
    main()
