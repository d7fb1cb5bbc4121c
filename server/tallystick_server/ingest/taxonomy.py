"""The taxonomy: which actions have a meaning of their own, and what belongs to each.

Its data are in `taxonomy.toml`, the one place: the documentation is compared with it,
and it is served as it is.  Actions that are not in it are taken like any other; what a
log makes of unknown ones is the business of its schemas.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

STATES = ("none", "before", "after", "both")
"""Which of `before` and `after` an event should have."""


@dataclass(frozen=True, slots=True)
class Action:
    """An action and what makes up its event.

    `state` is one of STATES; `members` are names of other members that belong to it;
    `codes` are outcome codes that readers may rely on.
    """

    name: str
    category: str
    means: str
    targets: tuple[str, ...]
    state: str
    members: tuple[str, ...]
    codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Category:
    """A category: its name and what belongs in it."""

    name: str
    about: str
    actions: tuple[Action, ...]


@cache
def taxonomy() -> tuple[Category, ...]:
    """Give all categories, in the order of the file."""
    data = tomllib.loads(
        files("tallystick_server.ingest").joinpath("taxonomy.toml").read_text("utf-8")
    )
    return tuple(
        Category(
            name,
            table["about"],
            tuple(_action(one, name, about) for one, about in table["actions"].items()),
        )
        for name, table in data.items()
    )


@cache
def actions() -> dict[str, Action]:
    """Give all actions by name."""
    return {one.name: one for category in taxonomy() for one in category.actions}


def format_taxonomy() -> dict[str, Any]:
    """Give the taxonomy as a JSON document."""
    return {
        "categories": [
            {
                "name": category.name,
                "about": category.about,
                "actions": [
                    {
                        "action": action.name,
                        "means": action.means,
                        "targets": list(action.targets),
                        "state": action.state,
                        "with": list(action.members),
                        "codes": list(action.codes),
                    }
                    for action in category.actions
                ],
            }
            for category in taxonomy()
        ]
    }


def _action(name: str, category: str, table: dict[str, Any]) -> Action:
    return Action(
        name,
        category,
        table["means"],
        tuple(table["targets"]),
        table["state"],
        tuple(table.get("with", ())),
        tuple(table["codes"]),
    )
