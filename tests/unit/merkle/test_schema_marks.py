from __future__ import annotations

from typing import Any

import pytest

from tallystick_merkle.errors import MalformedError
from tests.unit.merkle.schemas import details, schema

TEXT = {"type": "string"}


def marked(mark: object, **keywords: object) -> dict[str, Any]:
    return {**TEXT, **keywords, "x-tallystick": mark}


def test_marks_are_known_by_the_flattened_names_of_their_fields() -> None:
    found = details(
        1,
        {
            "owner": marked({"subject": "target/1"}),
            "a/b~c": marked({"sensitive": True}),
            "ticket": marked({"indexed": True}),
        },
    ).marks

    assert found.places == {"details/owner": 1}
    assert found.sensitive == {"details/a~1b~0c"}
    assert found.indexed == ("details/ticket",)


def test_a_mark_holds_for_all_that_is_below() -> None:
    found = details(
        person={
            "x-tallystick": {"subject": "target/0", "sensitive": True},
            "properties": {"name": TEXT},
        }
    ).marks

    assert found.subject_of("details/person/name/first") == "target/0"
    assert found.is_sensitive("details/person/name")
    assert found.subject_of("details/other") == "actor"
    assert not found.is_sensitive("details")


def test_a_field_may_be_said_to_be_the_actors_who_has_it_anyway() -> None:
    assert details(a=marked({"subject": "actor"})).marks.places == {}


def test_the_same_subject_may_be_named_again_below() -> None:
    below = {"name": marked({"subject": "target/0"})}
    person = {"x-tallystick": {"subject": "target/0"}, "properties": below}

    assert details(person=person).marks.places == {
        "details/person": 0,
        "details/person/name": 0,
    }


@pytest.mark.parametrize(
    "mark",
    [
        None, {}, {"subject": 1}, {"subject": "target/10"}, {"subject": "target"},
        {"secret": True}, {"sensitive": 1}, {"indexed": None},
        {"sensitive": True, "indexed": True},
    ],
)  # fmt: skip
def test_another_mark_is_refused(mark: object) -> None:
    with pytest.raises(MalformedError, match="/properties/a/x-tallystick"):
        details(a=marked(mark))


@pytest.mark.parametrize(
    "keywords",
    [
        {"properties": {"actor": marked({"sensitive": True})}},
        {"properties": {"details": {"items": marked({"sensitive": True})}}},
        {"properties": {"details": {"allOf": [marked({"sensitive": True})]}}},
        {"properties": {"roles": {"not": {"properties": {"a": marked({})}}}}},
        {"$defs": {"a": marked({"sensitive": True})}},
    ],
    ids=["core", "items", "allOf", "not", "definition"],
)
def test_a_mark_stands_only_on_a_field(keywords: dict[str, Any]) -> None:
    with pytest.raises(MalformedError, match="a mark stands on"):
        schema(**keywords)


def test_what_is_no_field_of_its_own_has_no_mark() -> None:
    node: Any = marked({"sensitive": True})
    for name in ("d", "c", "b", "a"):
        node = {"properties": {name: node}}

    with pytest.raises(MalformedError, match="below 4 names"):
        schema(properties={"details": node})


def test_another_subject_below_a_subject_is_refused() -> None:
    below = {"name": marked({"subject": "actor"})}
    person = {"x-tallystick": {"subject": "target/0"}, "properties": below}

    with pytest.raises(MalformedError, match="belongs to target/0"):
        details(person=person)


def test_what_is_below_something_sensitive_is_not_indexed() -> None:
    below = {"name": marked({"indexed": True})}
    person = {"x-tallystick": {"sensitive": True}, "properties": below}

    with pytest.raises(MalformedError, match="cannot be indexed"):
        details(person=person)


@pytest.mark.parametrize("kind", ["object", "number", ["string", "null"]])
def test_an_indexed_field_has_one_simple_type(kind: object) -> None:
    with pytest.raises(MalformedError, match="one type of"):
        details(a=marked({"indexed": True}, type=kind))


def test_at_most_three_fields_are_indexed() -> None:
    with pytest.raises(MalformedError, match="at most 3"):
        details(1, {name: marked({"indexed": True}) for name in "abcd"})
