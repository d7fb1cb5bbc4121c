"""The events of the `ev1` vectors, and what a sealer who lies makes of them.

Everything comes from the reference implementation, none of it from the kernel.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

from tests.reference import dcbor, ev1
from tests.reference import ev1_disclosure as reference
from tests.reference.ev1_layout import groups_of
from tests.unit.merkle.events import PLACES, TENANT, Json, example

TIME_MS = 1_795_435_200_123

Place = tuple[int, int]
"""Group and slot of a field."""


@dataclass(frozen=True)
class Sealed:
    """An event laid out, honestly or not, and the seeds of its groups."""

    groups: list[ev1.Group]
    seeds: list[bytes]
    origin: Json

    @property
    def entry(self) -> bytes:
        """Its index entry: four tags that mean nothing."""
        tags = [sha256(self.seeds[0] + bytes([at])).digest()[:16] for at in range(4)]
        return ev1.index_entry(0, tags, ev1.blind(self.seeds[0]))

    @property
    def leaf(self) -> bytes:
        """Its leaf."""
        committed = ev1.commit(self.groups, self.seeds)
        return ev1.leaf(TIME_MS, committed, ev1.index_digest(self.entry))

    def show(self, fields: Collection[Place], names: Collection[int] = ()) -> bytes:
        """A disclosure of some fields, and of the names of some groups."""
        return reference.disclose(self.groups, self.seeds, fields=fields, names=names)

    def opened(self, fields: Collection[Place], names: Collection[int] = ()) -> Any:  # noqa: ANN401 -- nested lists
        """The same as nested lists, to be edited."""
        return dcbor.decode(self.show(fields, names))

    def place(self, name: str) -> Place:
        """Where a name stands."""
        return next(
            (group, slot)
            for group, fields in enumerate(self.groups)
            for slot, (found, _) in enumerate(fields)
            if found == name
        )

    def places(self, *names: str) -> list[Place]:
        """Where some names stand."""
        return [self.place(name) for name in names]

    def whole(self) -> bytes:
        """A disclosure of everything, names included."""
        every = [
            (group, slot)
            for group, fields in enumerate(self.groups)
            for slot in range(len(fields))
        ]
        return self.show(every, range(len(self.groups)))


def seal(
    event: Json, *, places: dict[str, int] | None = None, salt: bytes = b""
) -> Sealed:
    """Lay an event out, with seeds that are made of its number and a salt."""
    groups = groups_of(event, tenant=TENANT, places=places or {})
    seeds = [
        sha256(b"seed" + salt + bytes([number])).digest()[:16]
        for number in range(len(groups))
    ]
    origin = {"event": event, "places": places or {}, "tenant": TENANT}
    return Sealed(groups, seeds, origin)


def base() -> Sealed:
    """The event of the examples: three groups, a person and a thing as targets."""
    return seal(example(), places=PLACES)


def other() -> Sealed:
    """Another event, alike but for a value and the seeds."""
    event = example()
    event["after"] = {"role": "owner"}
    return seal(event, places=PLACES, salt=b"other")


def lie(
    change: Callable[[list[ev1.Group]], None],
    *,
    names: dict[int, list[str]] | None = None,
    honest_names: bool = False,
) -> Sealed:
    """Seal the example with its groups changed.

    The digests of the names are those of the changed groups, or those of `names`; with
    `honest_names` they stay as they were.
    """
    sealed = base()
    groups = [list(group) for group in sealed.groups]
    change(groups)
    for number, group in enumerate(groups):
        if len(group) > 1 and group[1][0] == "names" and not honest_names:
            listed = (names or {}).get(number, [name for name, _ in group])
            group[1] = ("names", ev1.names_digest(listed))
    seeds = [*sealed.seeds, *[bytes([at]) * 16 for at in range(12)]][: len(groups)]
    return replace(sealed, groups=groups, seeds=seeds)


def fact(name: str, value: object) -> Sealed:
    """Seal the example with another value in a slot of group 0."""

    def change(groups: list[ev1.Group]) -> None:
        slot = reference.GROUP_0.index(name)
        groups[0][slot] = (name, value)

    return lie(change)


def put(group: int, slot: int, name: str, value: object) -> Sealed:
    """Seal the example with another field at a place."""

    def change(groups: list[ev1.Group]) -> None:
        groups[group][slot] = (name, value)

    return lie(change)


def add(group: int, name: str, value: object) -> Sealed:
    """Seal the example with one more field in a group, at its end."""

    def change(groups: list[ev1.Group]) -> None:
        groups[group].append((name, value))

    return lie(change)
