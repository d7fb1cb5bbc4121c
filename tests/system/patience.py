"""Waiting for another process: ask again and again, but not for ever."""

from __future__ import annotations

from collections.abc import Callable

MANY = 20_000
"""How often something is looked at before it is given up."""


def until(happens: Callable[[], bool]) -> bool:
    """Ask again and again; a whole request each time, so this takes a while."""
    return any(happens() for _ in range(MANY))
