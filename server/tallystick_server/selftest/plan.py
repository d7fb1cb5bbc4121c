"""What a drill does, drawn from its seed: same seed, same rounds and same entries.

When a kill comes is drawn too, as a number of acked entries and a delay after them; the
moment itself is the machine's, so the same seed hits the same kind of moment, not the
same instruction.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

PARCELS = 160
"""Requests of one round, at most."""

_LARGEST_BATCH = 12
_LARGEST_ENTRY = 60_000


@dataclass(frozen=True, slots=True)
class Parcel:
    """One request: its idempotency key, and one entry, or several as one batch."""

    key: str
    entries: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Round:
    """One round: how the log is loaded, and when what is killed.

    The server is killed `delay_ms` after `kill_after` entries were acked in the round.
    The witness is killed after `witness_kill_after`, or together with the server where
    that is 0, or not at all where it is None.  `kill_starting_ms` kills one more start,
    so long after it was begun.  `has_anchor` says whether the next start has one.
    """

    number: int
    connections: int
    kill_after: int
    delay_ms: float
    witness_kill_after: int | None
    kill_starting_ms: int | None
    has_anchor: bool
    parcels: tuple[Parcel, ...]


def draw_round(seed: int, number: int) -> Round:
    """Draw round `number`, counted from 1, of a drill."""
    chance = Random(f"{seed}/{number}")  # noqa: S311 -- to be repeated, not to be secret
    kill_after = chance.randint(1, 120)
    parcels = tuple(_draw_parcel(chance, number, place) for place in range(PARCELS))
    return Round(
        number,
        connections=chance.randint(2, 6),
        kill_after=kill_after,
        delay_ms=chance.choice((0.0, chance.uniform(0, 5), chance.uniform(0, 60))),
        witness_kill_after=chance.choice((None, 0, chance.randint(1, kill_after))),
        kill_starting_ms=chance.choice((None, None, chance.randint(0, 500))),
        has_anchor=chance.random() < 0.6,
        parcels=parcels,
    )


def marker(seed: int, number: int, place: int) -> Parcel:
    """Give an entry that makes the log grow, so that a head over all is published."""
    key = f"marker-{number}-{place}"
    return Parcel(key, (f"selftest {seed} {key}".encode(),))


def _draw_parcel(chance: Random, number: int, place: int) -> Parcel:
    """Draw a request; no two entries of a drill are equal."""
    key = f"round-{number}-{place}"
    count = chance.randint(2, _LARGEST_BATCH) if chance.random() < 0.15 else 1
    entries = tuple(
        f"selftest {key}-{item} ".encode() + chance.randbytes(_draw_length(chance))
        for item in range(count)
    )
    return Parcel(key, entries)


def _draw_length(chance: Random) -> int:
    """Draw the length of an entry: mostly short, now and then over many pages."""
    if chance.random() < 0.01:
        return chance.randint(4_096, _LARGEST_ENTRY)
    return chance.randint(0, 900)
