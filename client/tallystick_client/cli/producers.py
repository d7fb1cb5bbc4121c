"""`tallystick producers`: who sends events to a log, and what of theirs is missing.

JSON: {"log", "as_of", "producers": [{"principal", "instance", "epoch", "is_over",
"events", "first_sequence", "last_sequence", "missing", "overdue", "gaps": [{"start",
"stop", "missing"}], "lost", "filled", "duplicates", "resets", "late", "max_late_ms",
"ahead", "max_ahead_ms", "heartbeat_s", "is_silent", "first_index", "last_index",
"last_occurred_at", "last_received_at"}], "folded": [{"principal", "count",
"missing"}]}.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Annotated

import typer

from tallystick_client.cli.console import shell_of
from tallystick_client.cli.keeping import ask, choose_log
from tallystick_client.cli.network import Choice
from tallystick_client.cli.options import Log, Server, TokenFile
from tallystick_client.cli.outcome import NOT_YET
from tallystick_merkle.errors import MalformedError
from tallystick_merkle.exchange.producers import (
    ProducerReport,
    ProducerRow,
    list_producers,
)

_HEADS = ("producer", "instance", "epoch", "last", "missing", "dup", "reset", "late")


def producers(
    context: typer.Context,
    recent_h: Annotated[
        int | None,
        typer.Option(
            "--recent",
            metavar="HOURS",
            min=1,
            help="Only those that were heard in the last so many hours.",
            show_default=False,
        ),
    ] = None,
    server: Server = None,
    log: Log = None,
    token_file: TokenFile = None,
) -> int:
    """Show each producer of a log of events: its numbers, gaps and silences.

    Exit code 3 means that events of one that is shown are missing, or that it
    is silent.
    """
    shell = shell_of(context)
    address = choose_log(shell, Choice(server, log, token_file=token_file))
    report = ask(list_producers(address), "producers")
    rows = [row for row in report.rows if _is_recent(row, report.as_of, recent_h)]
    shell.result(
        {
            "log": address.api_url.rpartition("/")[2],
            "as_of": report.as_of,
            "producers": [asdict(row) for row in rows],
            "folded": [asdict(one) for one in report.folded],
        },
        "\n".join([*_table(rows), *_remarks(report, rows)]),
    )
    return NOT_YET if any(row.overdue or row.is_silent for row in rows) else 0


def _is_recent(row: ProducerRow, as_of: str, recent_h: int | None) -> bool:
    """Whether a producer was heard in the last so many hours, by the log's clock."""
    if recent_h is None:
        return True
    try:
        heard, now = map(datetime.fromisoformat, (row.last_received_at, as_of))
        return now - heard <= timedelta(hours=recent_h)
    except (TypeError, ValueError, OverflowError) as error:
        raise MalformedError("answer", "a time that is none") from error


def _table(rows: Sequence[ProducerRow]) -> list[str]:
    """Write one line for each start of an instance."""
    if not rows:
        return ["no producer was heard"]
    lines = [_HEADS, *map(_cells, rows)]
    widths = [max(len(line[at]) for line in lines) for at in range(len(_HEADS))]
    notes = ["last received", *map(_note, rows)]
    return [
        "  ".join(
            [
                *(
                    cell.ljust(width) if at < 2 else cell.rjust(width)
                    for at, (cell, width) in enumerate(zip(line, widths, strict=True))
                ),
                note,
            ]
        )
        for line, note in zip(lines, notes, strict=True)
    ]


def _cells(row: ProducerRow) -> tuple[str, ...]:
    counts = (row.missing, row.duplicates, row.resets, row.late)
    return (
        row.principal,
        row.instance,
        str(row.epoch),
        str(row.last_sequence),
        *map(str, counts),
    )


def _note(row: ProducerRow) -> str:
    """Say when it was heard, and what is not in the columns."""
    parts = [row.last_received_at]
    if row.is_silent:
        parts.append(f"SILENT (heartbeat {row.heartbeat_s} s)")
    if row.overdue:
        parts.append("gaps " + ", ".join(_spans(row)))
    if row.lost:
        parts.append(f"{row.lost} lost before a reset")
    if row.ahead:
        parts.append(f"clock ahead by {row.max_ahead_ms / 1000:.0f} s")
    if row.is_over:
        parts.append("over")
    return "  ".join(parts)


def _spans(row: ProducerRow) -> list[str]:
    """Write the first gaps of a row."""
    shown = [
        str(gap.start) if gap.stop - gap.start == 1 else f"{gap.start}-{gap.stop - 1}"
        for gap in row.gaps[:4]
    ]
    return [*shown, "…"] if len(row.gaps) > 4 else shown


def _remarks(report: ProducerReport, rows: Sequence[ProducerRow]) -> list[str]:
    """Say what the table cannot."""
    remarks = [
        f"{one.principal}: {one.count} more starts are not followed; they lacked "
        f"{one.missing} events"
        for one in report.folded
    ]
    if any(row.is_over for row in rows):
        remarks.append(
            "over: a later start was seen; what came after the last event cannot be "
            "known"
        )
    return remarks
