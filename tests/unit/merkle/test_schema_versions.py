from __future__ import annotations

from typing import Any

import pytest

from tallystick_merkle.schema import Schema
from tallystick_merkle.schema_versions import differences
from tests.unit.merkle.schemas import details, schema

TEXT = {"type": "string"}


def marked(**mark: object) -> dict[str, Any]:
    return {**TEXT, "x-tallystick": mark}


def told(old: Schema, new: Schema) -> list[tuple[str, str]]:
    return [(one.where, one.why) for one in differences(old, new)]


def test_a_closed_object_may_get_a_property_and_a_mark() -> None:
    old = details(1, a=TEXT)
    new = details(2, a=marked(sensitive=True), b=marked(indexed=True))

    assert told(old, new) == []


@pytest.mark.parametrize(
    ("head", "where"),
    [
        ({"action": "user.role.updated", "version": 3}, "version"),
        ({"action": "user.role.updated", "version": 1}, "version"),
        (
            {"action": "user.role.set", "version": 2, "id": "user.role.updated"},
            "action",
        ),
        ({"action": "user.role.updated", "version": 2, "id": "roles"}, "id"),
    ],
)
def test_the_next_version_has_the_next_number_and_the_same_names(
    head: dict[str, Any], where: str
) -> None:
    new = schema(**{"x-tallystick": head})

    found = told(schema(1), new)

    assert [place for place, _ in found] == [f"/x-tallystick/{where}"]


def test_what_is_narrower_is_told() -> None:
    found = told(details(1, a=TEXT), details(2, a={"type": "null"}))

    assert found == [
        ("/properties/details/properties/a/type", "no longer taken: string")
    ]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"subject": "target/0"}, {"subject": "target/1"}),
        ({"subject": "target/0"}, {"sensitive": True}),
        ({"sensitive": True}, {"sensitive": True, "subject": "target/0"}),
    ],
)
def test_a_field_never_gets_another_subject(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    found = told(details(1, a=marked(**before)), details(2, a=marked(**after)))

    assert [place for place, _ in found if "subject" in _] == [
        "/properties/details/properties/a"
    ]


def test_a_field_does_not_get_another_subject_by_a_mark_above_it() -> None:
    old = schema(1, properties={"details": {"properties": {"a": TEXT}}})
    above = {"properties": {"a": TEXT}, "x-tallystick": {"subject": "target/0"}}
    new = schema(2, properties={"details": above})

    places = [place for place, _ in told(old, new)]

    assert places == ["/properties/details", "/properties/details/properties/a"]


def test_a_new_field_may_have_any_subject() -> None:
    assert told(details(1), details(2, a=marked(subject="target/0"))) == []


@pytest.mark.parametrize("named", [{"a": TEXT}, {}], ids=["unmarked", "gone"])
def test_what_was_sensitive_stays_so(named: dict[str, Any]) -> None:
    old = details(1, rest=True, a=marked(sensitive=True))
    new = details(2, named, rest=True)

    assert told(old, new) == [("/properties/details/properties/a", "it was sensitive")]


def test_what_was_indexed_stays_so() -> None:
    found = told(details(1, a=marked(indexed=True)), details(2, a=TEXT))

    assert found == [("/properties/details/properties/a", "it was indexed")]


def test_what_becomes_sensitive_leaves_the_index() -> None:
    old, new = details(1, a=marked(indexed=True)), details(2, a=marked(sensitive=True))

    assert told(old, new) == []
