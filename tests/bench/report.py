"""Put a result into the benchmark page: a table for people, the JSON for machines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

START = "<!-- measured: start -->"
STOP = "<!-- measured: stop -->"

FLOORS: dict[str, tuple[str, str, str, float]] = {
    "single": ("raw entry, single POST, 64 connections", "items_per_s", "/s", 8_000),
    "batch": ("raw entries, batches of 1,000", "items_per_s", "/s", 100_000),
    "event": ("audit event, single POST, 64 connections", "items_per_s", "/s", 5_000),
    "events": ("audit events, batches of 1,000", "items_per_s", "/s", 20_000),
    "inclusion": ("inclusion proof GET", "items_per_s", "/s", 10_000),
    "tile": ("tile GET", "items_per_s", "/s", 15_000),
    "lone": ("one client, one connection, durable ack", "p50_ms", " ms", 2.0),
    "audit": ("audit of the whole log over HTTP", "leaves_per_s", "/s", 200_000),
}

"""Job: what people call it, which figure, its unit, the floor of the design."""


def write_report(path: Path, result: dict[str, Any]) -> None:
    """Replace the measured part of the page; the words around it stay."""
    text = path.read_text(encoding="utf-8")
    before, _, rest = text.partition(START)
    _, _, after = rest.partition(STOP)
    machine = f"```json\n{json.dumps(result, indent=2)}\n```"
    block = f"{START}\n\n{table(result)}\n\n{machine}\n\n{STOP}"
    path.write_text(before + block + after, encoding="utf-8")


def table(result: dict[str, Any]) -> str:
    """Write the medians beside the floors."""
    lines = [
        "| job | median | p50 | p99 | floor | median / floor |",
        "|---|---|---|---|---|---|",
    ]
    for job, (name, figure, unit, floor) in FLOORS.items():
        row = result["medians"].get(job)
        if row is None:
            continue
        value = row[figure]
        shown = f"{value:,.2f}" if value < 100 else f"{value:,.0f}"
        p50, p99 = (
            f"{row[key]:.2f} ms" if key in row else "–" for key in ("p50_ms", "p99_ms")
        )
        sign = "<" if unit == " ms" else ""
        lines.append(
            f"| {name} | {shown}{unit} | {p50} | {p99} | {sign}{floor:,}{unit} "
            f"| {value / floor:.2f} |"
        )
    return "\n".join(lines)
