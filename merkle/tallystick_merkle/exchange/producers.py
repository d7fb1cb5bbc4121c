"""Ask a log of events what it knows of its producers.

    GET <api>/producers?limit=N&after=INDEX

Needs a token with the scope `admin`.
"""

from __future__ import annotations

from dataclasses import dataclass

from tallystick_merkle.errors import MalformedError
from tallystick_merkle.exchange.appending import LogAddress
from tallystick_merkle.exchange.base import Exchange, Retry
from tallystick_merkle.exchange.keeping import (
    MAX_PAGES,
    PAGE,
    Body,
    ask_log,
    cursor_of,
    flag_of,
    number_of,
    rows_of,
    text_of,
)


@dataclass(frozen=True, slots=True)
class Gap:
    """Numbers [start, stop) of which `missing` have not come."""

    start: int
    stop: int
    missing: int


@dataclass(frozen=True, slots=True)
class ProducerRow:
    """One start (`epoch`) of one instance of a producer, as the log tells it.

    `missing` lie between the first and the last number; `overdue` of them have been
    missing for longer than the grace.  Times are RFC 3339.
    """

    principal: str
    instance: str
    epoch: int
    is_over: bool
    events: int
    first_sequence: int
    last_sequence: int
    missing: int
    overdue: int
    gaps: tuple[Gap, ...]
    lost: int
    filled: int
    duplicates: int
    resets: int
    late: int
    max_late_ms: int
    ahead: int
    max_ahead_ms: int
    heartbeat_s: int
    is_silent: bool
    first_index: int
    last_index: int
    last_occurred_at: str
    last_received_at: str


@dataclass(frozen=True, slots=True)
class Folded:
    """Starts of a principal that are not followed any more, and what they lacked."""

    principal: str
    count: int
    missing: int


@dataclass(frozen=True, slots=True)
class ProducerReport:
    """All producers of a log, at the time `as_of` of the last page."""

    as_of: str
    rows: tuple[ProducerRow, ...]
    folded: tuple[Folded, ...]


def list_producers(
    log: LogAddress, *, retry: Retry | None = None
) -> Exchange[ProducerReport]:
    """Ask for every start of an instance that the log follows.

    Raises RefusedError, UnreachableError and MalformedError.
    """
    rows: list[ProducerRow] = []
    query = f"?limit={PAGE}"
    after: int | None = None
    for _ in range(MAX_PAGES):
        more = "" if after is None else f"&after={after}"
        body = yield from ask_log(log, "GET", f"/producers{query}{more}", retry=retry)
        rows += [_read_row(row) for row in rows_of(body, "producers")]
        before, after = after, cursor_of(body, "next_after")
        if after is None:
            return ProducerReport(text_of(body, "as_of"), tuple(rows), _folded(body))
        if before is not None and after <= before:
            break
    raise MalformedError("answer", "the pages of producers do not end")


def _read_row(row: Body) -> ProducerRow:
    return ProducerRow(
        principal=text_of(row, "principal"),
        instance=text_of(row, "instance"),
        epoch=number_of(row, "epoch"),
        is_over=flag_of(row, "is_over"),
        events=number_of(row, "events"),
        first_sequence=number_of(row, "first_sequence"),
        last_sequence=number_of(row, "last_sequence"),
        missing=number_of(row, "missing"),
        overdue=number_of(row, "overdue"),
        gaps=tuple(
            Gap(
                number_of(one, "start"),
                number_of(one, "stop"),
                number_of(one, "missing"),
            )
            for one in rows_of(row, "gaps")
        ),
        lost=number_of(row, "lost"),
        filled=number_of(row, "filled"),
        duplicates=number_of(row, "duplicates"),
        resets=number_of(row, "resets"),
        late=number_of(row, "late"),
        max_late_ms=number_of(row, "max_late_ms"),
        ahead=number_of(row, "ahead"),
        max_ahead_ms=number_of(row, "max_ahead_ms"),
        heartbeat_s=number_of(row, "heartbeat_s"),
        is_silent=flag_of(row, "is_silent"),
        first_index=number_of(row, "first_index"),
        last_index=number_of(row, "last_index"),
        last_occurred_at=text_of(row, "last_occurred_at"),
        last_received_at=text_of(row, "last_received_at"),
    )


def _folded(body: Body) -> tuple[Folded, ...]:
    return tuple(
        Folded(
            text_of(one, "principal"),
            number_of(one, "count"),
            number_of(one, "missing"),
        )
        for one in rows_of(body, "folded")
    )
