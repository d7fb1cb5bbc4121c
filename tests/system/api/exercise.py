"""Run schemathesis on a server as a process of its own, and read its report.

All checks of its own, and ours (`judging`), in all phases: examples, coverage, fuzzing
and stateful links, with data that fits the schemas and data that does not.  The schemas
it is given are the served ones without room for members that they do not name.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tallystick_merkle.event import id_text
from tallystick_merkle.exchange.base import Request, Response
from tallystick_merkle.genesis import RAW
from tests.fakes.openapi import described, strict
from tests.system.drive import fetch
from tests.unit.house.source_tree import ROOT

_CONFIG = """\
[parameters]
"path.log" = { dictionary = "log", probability = 0.9 }
"path.index" = { dictionary = "small", probability = 0.7 }
"path.level" = { dictionary = "level", probability = 0.7 }
"path.tile" = { dictionary = "tile", probability = 0.8 }
"path.event_id" = { dictionary = "event", probability = 0.7 }
"query.index" = { dictionary = "small", probability = 0.7 }
"query.size" = { dictionary = "small", probability = 0.7 }
"query.old" = { dictionary = "small", probability = 0.7 }
"query.new" = { dictionary = "small", probability = 0.7 }

[dictionaries]
log = { values = ["events"] }
event = { values = EVENTS }
small = { values = [1, 2, 3, 4, 7, 8, 128, 255, 256, 257, 299, 300] }
level = { values = [0] }
tile = { values = ["000"] }

[auth.openapi.token]
bearer = "${API_TOKEN}"

[checks.not_a_server_error]
expected-statuses = ["2xx", "3xx", "4xx"EXPECTED]

[cache]
enabled = false

[reports.json]
path = "REPORT"
"""


PRINCIPAL = "api"
"""The principal of the token that events are submitted with."""

_OF_EVENTS = r"^/v1/logs/\{log\}/(events|schemas|producers|dead-letters)"
_OF_ENTRIES = r"^/v1/logs/\{log\}/entries"


@dataclass(frozen=True)
class Target:
    """A server to be exercised: where it is, its log's origin, token and policy.

    What is tried is what a log of its `kind` takes; events have the principal
    `PRINCIPAL`.
    """

    url: str
    origin: str
    token: str
    policy: Path
    kind: str = RAW


@dataclass(frozen=True)
class Verdict:
    """What schemathesis says of a server."""

    report: dict[str, Any]
    said: str

    @property
    def cases(self) -> int:
        """Requests that were made and judged."""
        count: int = self.report["test_cases"]["generated"]
        return count

    @property
    def failures(self) -> list[str]:
        """Each failure: the code of its kind (`st explain CODE`), and the operation."""
        return [
            f"{one['code']} {operation}"
            for one in self.report["failures"]
            for operation in one["operations"]
        ]

    @property
    def errors(self) -> list[object]:
        """What schemathesis could not do."""
        found: list[object] = self.report["errors"]
        return found

    @property
    def never_accepted(self) -> list[str]:
        """Operations of which no request was ever taken: nothing was tried there."""
        return [
            name
            for name, phases in self.report["valid_rates"].items()
            if not sum(phase["accepted"] for phase in phases.values())
        ]

    @property
    def is_complete(self) -> bool:
        """Whether every operation was tried, in every phase."""
        operations = self.report["operations"]
        return bool(
            self.report["complete"] and operations["tested"] == operations["selected"]
        )


def event_of(number: int) -> str:
    """The id of an event that the log has, by its number."""
    return id_text(bytes.fromhex(f"0197f0c27a117abc8def{number:012x}"))


def exercise(
    target: Target,
    folder: Path,
    *,
    examples: int,
    seed: int = 1,
    phases: str = "examples,coverage,fuzzing,stateful",
    expected: tuple[str, ...] = (),
    only: tuple[str, ...] = (),
) -> Verdict:
    """Run schemathesis; `expected` are statuses over 500 that are no failure.

    `only` are paths to be tried, all where it is empty.
    """
    served = fetch(Request("GET", f"{target.url}/openapi.json"))
    assert isinstance(served, Response)
    assert json.loads(served.body) == described(), "the document is not the served one"
    document, config = folder / "openapi.json", folder / "schemathesis.toml"
    report = folder / "report.json"
    document.write_text(json.dumps(strict(described())), encoding="utf-8")
    more = "".join(f', "{status}"' for status in expected)
    text = _CONFIG.replace("EXPECTED", more).replace("REPORT", str(report))
    text = text.replace("EVENTS", json.dumps([event_of(at) for at in range(1, 9)]))
    config.write_text(text, encoding="utf-8")
    words = [
        str(Path(sys.executable).with_name("schemathesis")),
        "--config-file", str(config), "run", str(document),
        "--url", target.url, "--seed", str(seed), "--max-examples", str(examples),
        "--phases", phases, "--checks", "all", "--generation-database", "none",
        "--no-color", "--continue-on-failure",
    ]  # fmt: skip
    for path in only:
        words += ["--include-path", path]
    if not only:
        others = _OF_EVENTS if target.kind == RAW else _OF_ENTRIES
        words += ["--exclude-path-regex", others]
    done = subprocess.run(
        words,
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "SCHEMATHESIS_HOOKS": "tests.system.api.judging",
            "API_TOKEN": target.token,
            "API_POLICY": str(target.policy),
            "API_ORIGIN": target.origin,
            "API_PRINCIPAL": PRINCIPAL,
        },
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode in (0, 1), said
    return Verdict(json.loads(report.read_text("utf-8")), said)
