"""Random bytes in small portions, drawn from the system in large ones.

Each call of the system lets go of Python's lock, and gets it back only when the
writer's thread gives it up: for every event, that costs more than sealing it.
"""

from __future__ import annotations

from collections.abc import Callable

PORTION = 16 * 1024
"""Bytes that are drawn at a time."""


class Noise:
    """Gives random bytes, none of them twice. For one thread; not to be forked."""

    def __init__(self, draw: Callable[[int], bytes]) -> None:
        """Take what draws from the system: `draw(n)` gives n random bytes."""
        self._draw = draw
        self._store = b""
        self._at = 0

    def __call__(self, count: int) -> bytes:
        """Give so many random bytes."""
        end = self._at + count
        if end > len(self._store):
            if count >= PORTION:
                return self._draw(count)
            self._store, self._at, end = self._draw(PORTION), 0, count
        given = self._store[self._at : end]
        self._at = end
        return given
