"""Sum up a drill as checks: one for each thing that must hold after a crash."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tallystick_server.selftest.ledger import Fault, Kind
from tallystick_server.selftest.report import Check, Counts, Result

_LISTED = 3


def drill_checks(
    counts: Counts,
    faults: Sequence[Fault],
    *,
    has_witness: bool,
    noticed: Sequence[str],
) -> Iterator[Check]:
    """Give a check for each kind of fault.

    `noticed` names who noticed that the log was set back, of anchor and witness.
    """
    for kind in Kind:
        texts = [fault.text for fault in faults if fault.kind is kind]
        if texts:
            more = len(texts) - _LISTED
            why = "; ".join(texts[:_LISTED]) + (
                f"; and {more} more" if more > 0 else ""
            )
            figure = "after " + _kills(counts)
            yield Check(kind.value, Result.FAILED, figure, why)
        else:
            yield _passed(kind, counts, has_witness=has_witness, noticed=noticed)


def _passed(
    kind: Kind, counts: Counts, *, has_witness: bool, noticed: Sequence[str]
) -> Check:
    """Give the check of a kind of which there is no fault."""
    name = kind.value
    if kind is Kind.WITNESS and not has_witness and counts.logs:
        figure = "no witness is installed: pip install 'tallystick[witness]'"
        return Check(name, Result.NOT_TRIED, figure)
    if kind is Kind.ROLLBACK:
        if not noticed:
            return Check(name, Result.NOT_TRIED, "")
        figure = f"an older copy was refused, by the {' and by the '.join(noticed)}"
        return Check(name, Result.OK, figure)
    if not counts.rounds:
        return Check(name, Result.NOT_TRIED, "")
    return Check(name, Result.OK, _figure(kind, counts))


def _figure(kind: Kind, counts: Counts) -> str:
    """Say how much was tried."""
    return {
        Kind.RESTART: f"{counts.restarts} after {_kills(counts)}, none refused",
        Kind.STORED: f"fsck {counts.fscks} times, sound",
        Kind.ACKED: f"{counts.acked:,} acked, each at its index after every restart",
        Kind.RECEIPTS: f"{counts.receipts:,} verified",
        Kind.HEADS: f"{counts.heads:,} signed, each a prefix of the next",
        Kind.REPEATS: f"{counts.repeated:,} repeated by key, each entry there once",
        Kind.WITNESS: f"{counts.witness_kills} kills, never behind what it answered",
    }[kind]


def _kills(counts: Counts) -> str:
    """Count the kills of the server."""
    text = f"{counts.server_kills} kills"
    if counts.start_kills:
        text += f" and {counts.start_kills} kills while starting"
    return text
