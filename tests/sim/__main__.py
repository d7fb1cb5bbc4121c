"""Run one seed again: `python -m tests.sim SEED [--hours H] [--plant BUG]`.

Prints the history's hash, what was done, and what was broken; ends with 1 if anything
was.
"""

from __future__ import annotations

import argparse
import sys

from tests.sim.planted import PLANTED
from tests.sim.world import Plan, Scale, run


def main() -> int:
    """Run one world and tell."""
    parser = argparse.ArgumentParser(prog="python -m tests.sim")
    parser.add_argument("seed", type=int)
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--plant", choices=list(PLANTED), default=None)
    asked = parser.parse_args()
    plan = Plan(Scale(hours=asked.hours))
    if asked.plant is not None:
        plan = PLANTED[asked.plant].plant(plan)
    outcome = run(asked.seed, plan)
    lines = [f"history {outcome.history}", f"entries {outcome.size}"]
    lines += [f"{name}: {count}" for name, count in sorted(outcome.counts.items())]
    lines += [f"strike {name}: {count}" for name, count in outcome.strikes.items()]
    lines += [f"BROKEN {rule}" for rule in outcome.broken]
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if outcome.broken else 0


if __name__ == "__main__":
    sys.exit(main())
