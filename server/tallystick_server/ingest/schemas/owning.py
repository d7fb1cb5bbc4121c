"""Fields that a schema gives to a person whom an event does not name.

Such a field stays with the actor (see `layout`): the submitter is told, by the schema's
own name of the field.  Where the schema calls it sensitive the event is refused: it
would be sealed with the key of a person whose data it is not, and outlive its own.
"""

from __future__ import annotations

from tallystick_merkle.event import Event
from tallystick_merkle.schema_marks import above_of
from tallystick_server.errors import EventError
from tallystick_server.ingest.schemas.compiling import Compiled


def check_owners(event: Event, compiled: Compiled) -> str:
    """Say which field of an event has no such person; nothing where all have.

    Raises EventError for one that is sensitive.
    """
    places = compiled.places
    if not places:
        return ""
    warning = ""
    for field in event.fields:
        above = tuple(above_of(field.name))
        owned = next((name for name in above if name in places), None)
        if owned is None or _is_person(event, places[owned]):
            continue
        why = f"{owned} belongs to target/{places[owned]}, and that is no person"
        if not compiled.sensitive.isdisjoint(above):
            raise EventError(f"{why}: it is sensitive", pointer=f"/{owned}")
        warning = warning or why
    return warning


def _is_person(event: Event, index: int) -> bool:
    return index < len(event.targets) and event.targets[index].person
