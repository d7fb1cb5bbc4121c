"""Parsers with a bug that somebody put there: the runners must find each (R19)."""

from __future__ import annotations

from contextlib import suppress

from tallystick_merkle.errors import KernelError, MalformedError
from tallystick_merkle.spelling import format_hash, parse_hash
from tests.fuzz.target import Target, check_spelling

_SEED = b"old 7\n" + b"A" * 43 + b"=\n"


class BudgetError(AssertionError):
    """A target that took more steps than its input can explain."""


def _parse(data: bytes) -> tuple[int, bytes]:
    """Read a size and a hash, carelessly."""
    head, _, rest = data.partition(b"\n")
    if not head.startswith(b"old ") or not rest.endswith(b"\n"):
        raise MalformedError("planted", "expected an old line and a hash")
    return int(head[4:]), parse_hash(rest[:-1], what="planted", where="hash")


def foreign(data: bytes) -> None:
    """Let ValueError out: the size is not looked at before it is converted."""
    with suppress(KernelError):
        _parse(data)


def spelling(data: bytes) -> None:
    """Take two spellings: Python's int reads signs, zeros, spaces and underscores."""
    with suppress(KernelError, ValueError):
        size, value = _parse(data)
        check_spelling(data, b"old %d\n%s\n" % (size, format_hash(value)))


def quadratic(data: bytes) -> None:
    """Copy what is left at each step."""
    steps, rest = 0, data
    while rest:
        steps += len(rest)
        rest = rest[1:]
        if steps > 1_000_000:
            raise BudgetError(f"{steps} steps for {len(data)} bytes")


PLANTED: dict[str, Target] = {
    "planted-foreign": foreign,
    "planted-spelling": spelling,
}


def seeds() -> list[bytes]:
    """Good inputs of the planted parsers."""
    return [_SEED]
