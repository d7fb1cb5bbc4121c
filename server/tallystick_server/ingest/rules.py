"""The seam between the intake and whoever knows the schemas of a log."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple, Protocol

from tallystick_merkle.event import Event

_NO_PLACES: Mapping[str, int] = {}


class Admitted(NamedTuple):
    """An event that its schema admits, with the schema that applies written into it.

    `places` gives fields to targets (see `layout.lay_out`), `indexed` names the fields
    that get a tag, and `warning` says what is only just let through.
    """

    event: Event
    places: Mapping[str, int] = _NO_PLACES
    indexed: Collection[str] = ()
    warning: str = ""


class Rules(Protocol):
    """Says which schema applies to an event, and whether it fits."""

    def admit(self, event: Event) -> Admitted:
        """Admit an event; raise EventError for one that does not fit its schema."""
        ...

    def sensitive(self, schema: tuple[str, int]) -> frozenset[str]:
        """Name the fields that a schema (id, version) calls sensitive."""
        ...
