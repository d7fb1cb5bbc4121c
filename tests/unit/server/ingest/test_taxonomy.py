"""The taxonomy is complete, its actions are actions, and the document shows it all."""

from __future__ import annotations

import re

import pytest

from tallystick_merkle.event import ACTION, CODE, TYPE
from tallystick_merkle.eventjson import parse_event
from tallystick_server.ingest.producers import GAP, REFUSED
from tallystick_server.ingest.streams import HEARTBEAT
from tallystick_server.ingest.taxonomy import (
    STATES,
    Action,
    actions,
    format_taxonomy,
    taxonomy,
)
from tests.unit.house.source_tree import ROOT
from tests.unit.server.ingest.drawn import FULL, SERVICE

DOCUMENT = (ROOT / "docs" / "reference" / "events.md").read_text("utf-8")

ALL = sorted(actions().values(), key=lambda action: action.name)


def row(action: Action) -> str:
    """The row that the document has to show."""
    state = {"none": [], "both": ["before", "after"]}.get(action.state, [action.state])
    cells = (
        f"`{action.name}`",
        action.means,
        ", ".join(action.targets) or "–",
        ", ".join([*state, *action.members]) or "–",
        ", ".join(action.codes) or "–",
    )
    return f"| {' | '.join(cells)} |"


def test_the_categories_are_those_that_are_asked_for() -> None:
    assert [category.name for category in taxonomy()] == [
        "data",
        "authentication",
        "permission",
        "workflow",
        "account",
        "financial",
        "export",
        "configuration",
        "log",
    ]
    assert len(ALL) >= 60


def test_no_action_stands_twice() -> None:
    assert len(ALL) == sum(len(category.actions) for category in taxonomy())


@pytest.mark.parametrize("action", ALL, ids=lambda action: action.name)
def test_an_action_names_what_events_can_hold(action: Action) -> None:
    assert re.fullmatch(ACTION, action.name)
    assert action.means
    assert not action.means.endswith(".")
    assert all(re.fullmatch(TYPE, kind) for kind in action.targets)
    assert action.state in STATES
    assert set(action.members) <= set(FULL) - {"before", "after"}
    assert all(re.fullmatch(CODE, code) for code in action.codes)
    assert list(action.codes) == sorted(set(action.codes))


@pytest.mark.parametrize("action", ALL, ids=lambda action: action.name)
def test_an_event_made_as_the_taxonomy_says_is_one(action: Action) -> None:
    kept = {"both": ("before", "after"), "none": ()}.get(action.state, (action.state,))
    optional = {"schema", "region", "corrects", "reason", "decision", "request"}
    optional |= {"correlation_id", "trace_id", "roles", "details", "before", "after"}
    data = {
        name: value
        for name, value in FULL.items()
        if name not in optional or name in (*kept, *action.members)
    } | {
        "action": action.name,
        "targets": [{"type": kind, "id": "x"} for kind in action.targets],
        "outcome": {"result": "failure"},
    }

    for code in action.codes:
        data["outcome"] = {"result": "failure", "code": code}
        assert parse_event(data, service=SERVICE).code == code
    assert parse_event(data, service=SERVICE).action == action.name


def test_the_document_shows_every_action_as_it_is_and_no_other() -> None:
    shown = DOCUMENT.partition("## The taxonomy")[2]
    rows = re.findall(r"^\| `.*\|$", shown, re.MULTILINE)

    assert rows == [
        row(action) for category in taxonomy() for action in category.actions
    ]


def test_the_document_shows_every_category_as_it_is() -> None:
    heads = re.findall(r"^### (\w+)\n\n(.+)$", DOCUMENT, re.MULTILINE)

    assert heads == [(category.name, category.about) for category in taxonomy()]


def test_the_events_of_the_log_itself_are_in_it() -> None:
    named = {name for name, action in actions().items() if action.category == "log"}

    assert named == {"schema.registered", GAP, REFUSED, HEARTBEAT}


def test_what_is_served_names_every_action() -> None:
    served = format_taxonomy()["categories"]

    assert [one["action"] for each in served for one in each["actions"]] == [
        action.name for category in taxonomy() for action in category.actions
    ]
