"""Look for many needles at once in many bytes.

Every needle stands in a table under its first four bytes.  Each four bytes of the
haystack, at every offset, are looked up there as one number, which costs some tens of
nanoseconds a byte however many needles there are; only where they are found are whole
needles compared.

A short needle of hex digits alone is met by chance within digests, and one of letters
and digits within base64: a hit within a long run of such characters is none.  What is
really written there, in hex or base64, is found by those spellings.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from struct import Struct

from tests.system.events.needles import Needle

_WORD = 4
_NUMBER = Struct("=I")
_STEP = 1 << 20
_SHORT = 10
_RUNS = (
    (re.compile(rb"[0-9a-fA-F]+"), 16),
    (re.compile(rb"[0-9a-zA-Z+/]+"), 40),
)


@dataclass(frozen=True, slots=True)
class Hit:
    """A needle that was found: where, and between which bytes."""

    needle: Needle
    at: int
    around: bytes

    def __str__(self) -> str:
        """Say what was found and where."""
        return f"{self.needle} at byte {self.at}: {self.around!r}"


class Scanner:
    """Finds needles of at least four bytes."""

    def __init__(self, needles: Iterable[Needle]) -> None:
        """Make the table."""
        self._table: dict[int, list[Needle]] = {}
        for needle in needles:
            (word,) = _NUMBER.unpack_from(needle.data)
            self._table.setdefault(word, []).append(needle)
        self._words = frozenset(self._table)

    def find(self, data: bytes) -> Iterator[Hit]:
        """Find every needle at every place, in no particular order."""
        view = memoryview(data)
        for start in range(0, len(data), _STEP):
            stop = min(start + _STEP + _WORD - 1, len(data))
            known: set[int] = set()
            for first in range(start, min(start + _WORD, stop)):
                count = (stop - first) // _WORD
                words = view[first : first + count * _WORD].cast("I")
                known |= self._words.intersection(words)
            for word in known:
                yield from self._compare(data, word, start, stop)

    def _compare(self, data: bytes, word: int, start: int, stop: int) -> Iterator[Hit]:
        """Compare the needles that begin with a word wherever it occurs."""
        begin = _NUMBER.pack(word)
        at = data.find(begin, start, stop)
        while at != -1:
            for needle in self._table[word]:
                if data.startswith(needle.data, at) and not _is_chance(
                    needle, data, at
                ):
                    around = data[max(0, at - 24) : at + len(needle.data) + 24]
                    yield Hit(needle, at, around)
            at = data.find(begin, at + 1, stop)


def _is_chance(needle: Needle, data: bytes, at: int) -> bool:
    """Whether a short needle stands within a long run of digits of a digest."""
    size = len(needle.data)
    if size > _SHORT:
        return False
    for run, long in _RUNS:
        if run.fullmatch(needle.data):
            behind = run.match(data, at, at + size + long)
            ahead = run.match(data[max(0, at - long) : at][::-1])
            count = (behind.end() - at if behind else 0) + (ahead.end() if ahead else 0)
            if count >= long:
                return True
    return False
