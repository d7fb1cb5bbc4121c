"""A small mutator with a seed: the quick form's inputs, the same on every run.

It knows what breaks parsers: numbers near their limits, other spellings of one value,
deep nesting, repeats, pieces of another input in the wrong place.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from random import Random

MOST = 64 * 1024
"""Longest input made, in bytes."""

_NUMBER = re.compile(rb"[0-9]+")
_NUMBERS = (
    b"0", b"00", b"-1", b"+1", b"1_0", b"1e9", b"1e999", b"NaN", b"256", b"65536",
    b"4611686018427387904", b"4611686018427387905", b"9223372036854775808",
    b"18446744073709551616", b"9" * 20, b"9" * 4300, b"9" * 4301,
)  # fmt: skip
_PIECES = (
    b"\n", b"\n\n", b"\r", b"\r\n", b" ", b"\t", b"\0", b"\x7f", b"\x85", b"\xff",
    b"\xc2\xa0", b"\xe2\x80\xa8", b"\xed\xa0\x80", b"\xe2\x80\x94 ", b"\xd9\xa3",
    b"\xc2\xb2",
    b"=", b"==", b"+", b"#", b"%", b'"', b"\\ud800", b"[" * 2000, b"{" * 50,
    b'{"a":' * 2000, b"\x81" * 40, b"\xa1" * 40, b"\x9f", b"\xfb", b"x000/", b"~x/",
    b"null", b"true", b"[]", b"{}", b"=" * 64, b"A" * 64, b"__", b"//", b"@", b"[::1",
)  # fmt: skip


def mutate(rng: Random, sample: bytes, others: Sequence[bytes]) -> bytes:
    """Make one to four changes."""
    data = sample
    for _ in range(rng.choice((1, 1, 2, 4))):
        data = rng.choice(_CHANGES)(rng, data, rng.choice(others))
    return data[:MOST]


def enlarge(sample: bytes) -> list[bytes]:
    """Make inputs of the longest length: what costs too much for its size shows."""
    lines = sample.splitlines(keepends=True) or [b"\n"]
    middle = len(sample) // 2
    big = [_fill(sample), *(_fill(line) for line in lines[:4])]
    big += [
        sample[:at] + _fill(piece)
        for piece in (b"A", b"0", b"\n", b"[", b"a.", b"\xa1a", b"9" * 50)
        for at in {len(sample), middle, 1}
    ]
    return [data[:MOST] for data in big]


def _fill(piece: bytes) -> bytes:
    return piece * (MOST // max(1, len(piece)) + 1)


def _flip(rng: Random, data: bytes, _: bytes) -> bytes:
    if not data:
        return b"\0"
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]


def _cut(rng: Random, data: bytes, _: bytes) -> bytes:
    start, stop = _span(rng, data)
    return data[:start] + data[stop:]


def _end(rng: Random, data: bytes, _: bytes) -> bytes:
    return data[: rng.randint(0, len(data))]


def _insert(rng: Random, data: bytes, _: bytes) -> bytes:
    at = rng.randint(0, len(data))
    return data[:at] + rng.choice(_PIECES) + data[at:]


def _replace(rng: Random, data: bytes, _: bytes) -> bytes:
    start, stop = _span(rng, data)
    return data[:start] + rng.choice(_PIECES) + data[stop:]


def _repeat(rng: Random, data: bytes, _: bytes) -> bytes:
    start, stop = _span(rng, data)
    return data[:start] + data[start:stop] * rng.choice((2, 3, 300)) + data[stop:]


def _renumber(rng: Random, data: bytes, _: bytes) -> bytes:
    found = list(_NUMBER.finditer(data))
    if not found:
        return data
    place = rng.choice(found)
    number = rng.choice((*_NUMBERS, b"0" + place[0], place[0] + b"0"))
    return data[: place.start()] + number + data[place.end() :]


def _splice(rng: Random, data: bytes, other: bytes) -> bytes:
    start, stop = _span(rng, other)
    at, end = _span(rng, data)
    return data[:at] + other[start:stop] + data[rng.choice((at, end)) :]


def _recase(rng: Random, data: bytes, _: bytes) -> bytes:
    start, stop = _span(rng, data)
    return data[:start] + data[start:stop].swapcase() + data[stop:]


def _span(rng: Random, data: bytes) -> tuple[int, int]:
    start = rng.randint(0, len(data))
    return start, min(len(data), start + rng.choice((1, 1, 2, 4, 16, 200)))


_CHANGES: tuple[Callable[[Random, bytes, bytes], bytes], ...] = (
    _flip, _flip, _cut, _end, _insert, _insert, _replace, _repeat, _renumber,
    _renumber, _splice, _recase,
)  # fmt: skip
