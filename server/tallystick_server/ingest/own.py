"""Events that the server itself has to say, before they are sealed and sent on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tallystick_merkle.event import Target, Value

SERVICE = "tallystick"
"""The principal of the server's own events; no token may have it."""


@dataclass(frozen=True, slots=True)
class OwnEvent:
    """An event of the server: what it did or found, and about whom."""

    action: str
    details: Mapping[str, Value]
    targets: tuple[Target, ...] = ()
