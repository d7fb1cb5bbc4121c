from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick_merkle.errors import MalformedError
from tallystick_merkle.schema import (
    MAX_DEPTH,
    MAX_INPUT,
    MAX_MEMBERS,
    MAX_NODES,
    MAX_TEXT,
    parse_schema,
)
from tests.unit.merkle.schemas import DEFS, NODES, document, schema


def refusal(data: bytes) -> str:
    """What is said of a document that is refused."""
    with pytest.raises(MalformedError) as caught:
        parse_schema(data)
    return str(caught.value)


def refused(**keywords: Any) -> str:  # noqa: ANN401 -- any value of JSON
    return refusal(json.dumps(document(**keywords)).encode())


def test_a_schema_has_the_id_version_and_action_of_its_head() -> None:
    head = {"action": "user.role.updated", "version": 3, "id": "roles"}

    found = schema(**{"x-tallystick": head})

    assert (found.id, found.version, found.action) == ("roles", 3, head["action"])


def test_the_id_is_the_action_unless_another_is_given() -> None:
    assert schema().id == "user.role.updated"


def test_the_text_has_one_spelling_whatever_the_order_and_the_spaces() -> None:
    one = document(title="Ä", properties={"details": True, "after": {}})
    other = dict(reversed(one.items()))

    first = parse_schema(json.dumps(one, indent=2).encode())
    second = parse_schema(json.dumps(other, ensure_ascii=False).encode())

    assert first.text == second.text
    assert first.digest == sha256(second.text.encode()).digest()
    assert parse_schema(first.text.encode()).text == first.text


def test_references_are_followed_and_notes_left_out() -> None:
    found = schema(
        **{
            "properties": {"details": {"$ref": "#/$defs/pair", "title": "A pair"}},
            "$defs": DEFS,
        }
    )

    text = {"$ref": {"type": "string", "maxLength": 2}}
    pair = {"properties": {"a": text}, "required": ["a"]}
    assert found.root["properties"] == {"details": {"$ref": pair}}


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"{", "expected JSON"),
        (b"\xff", "expected JSON"),
        (b"[" * 5000, "expected JSON"),
        (b"[]", "expected an object"),
        (b'{"a": 1, "a": 1}', "stands twice"),
        (b'{"a": 1.5}', "1.5 is no integer"),
        (b'{"a": NaN}', "NaN is no integer"),
        (b'{"a": 123456789012345678901234}', "more than 64 bits"),
        (b'{"a": "\\ud800"}', "not valid Unicode"),
        (b" " * (MAX_INPUT + 1), f"more than {MAX_INPUT} bytes"),
        (b'{"a": "' + b"a" * MAX_TEXT + b'"}', f"more than {MAX_TEXT} bytes"),
    ],
    ids=[
        "cut", "utf-8", "deep", "list", "twice", "float", "nan", "long", "surrogate",
        "large", "wide",
    ],
)  # fmt: skip
def test_what_is_no_document_of_ours_is_refused(data: bytes, why: str) -> None:
    assert why in refusal(data)


@pytest.mark.parametrize(
    ("keywords", "where"),
    [
        ({"x-tallystick": None}, "/x-tallystick"),
        ({"x-tallystick": {"action": "a.b", "version": 1, "b": 1}}, "/x-tallystick"),
        ({"x-tallystick": {"action": "A.b", "version": 1}}, "/x-tallystick/action"),
        ({"x-tallystick": {"action": "a", "version": 1}}, "/x-tallystick/action"),
        ({"x-tallystick": {"action": "a.b", "version": 0}}, "/x-tallystick/version"),
        ({"x-tallystick": {"action": "a.b", "version": True}}, "/x-tallystick/version"),
        ({"x-tallystick": {"action": "a.b"}}, "/x-tallystick/version"),
        (
            {"x-tallystick": {"action": "a.b", "version": 1, "id": "/"}},
            "/x-tallystick/id",
        ),
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, "/$schema"),
        ({"$id": "https://example.com/a"}, "/$id"),
        ({"$id": 1}, "/$id"),
        ({"type": "string"}, "/type"),
        ({"$defs": []}, "/$defs"),
        ({"$defs": {"a": 1}}, "/$defs/a"),
        ({"$defs": {"a b": {}}}, "/$defs/a b"),
        ({"$anchor": "a"}, "/$anchor"),
        ({"properties": {"a": {"$id": "urn:a:b"}}}, "/properties/a/$id"),
        ({"properties": {"a": {"$dynamicRef": "#a"}}}, "/properties/a/$dynamicRef"),
        ({"properties": {"a": 1}}, "/properties/a"),
        ({"properties": {"a/~": 1}}, "/properties/a~1~0"),
        ({"properties": {"": True}}, "/properties/"),
        ({"properties": {"a\n": True}}, "/properties/a"),
        ({"properties": {"e\u0301": True}}, "/properties/"),
        ({"properties": []}, "/properties"),
        ({"patternProperties": {"a" * 257: True}}, "/patternProperties/a"),
        ({"allOf": []}, "/allOf"),
        ({"anyOf": {}}, "/anyOf"),
        ({"oneOf": [True] * (MAX_MEMBERS + 1)}, "/oneOf"),
        ({"not": {"minLength": -1}}, "/not/minLength"),
    ],
)
def test_a_fault_is_named_with_its_place(keywords: dict[str, Any], where: str) -> None:
    assert f"({where}" in refused(**keywords)


@pytest.mark.parametrize(
    "reference",
    [
        "https://example.com/a", "file:///etc/passwd", "#", "#/properties/details",
        "#/$defs/none", "#/$defs/a%20b", "#/$defs/a/properties/b", 1,
    ],
)  # fmt: skip
def test_a_reference_leads_to_a_definition_of_the_document(reference: object) -> None:
    properties = {"details": {"$ref": reference}}

    found = refused(**{"properties": properties, "$defs": {"a": {}}})

    assert "(/properties/details/$ref)" in found


def test_a_reference_in_a_circle_is_refused() -> None:
    circle = {"a": {"not": {"$ref": "#/$defs/b"}}, "b": {"$ref": "#/$defs/a"}}

    assert "circle" in refused(**{"$defs": circle})


def test_references_that_multiply_are_counted_as_often_as_they_are_followed() -> None:
    doubled = {
        f"a{n}": {"allOf": [{"$ref": f"#/$defs/a{n + 1}"}] * 4} for n in range(6)
    }

    found = refused(**{"$defs": {**doubled, "a6": {}}})

    assert f"over {MAX_NODES} schemas" in found


def test_schemas_nested_too_deep_are_refused() -> None:
    node: Any = {}
    for _ in range(MAX_DEPTH + 1):
        node = {"not": node}

    assert f"over {MAX_DEPTH} deep" in refused(**node)


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_read_or_refused_with_our_error(data: bytes) -> None:
    try:
        found = parse_schema(data)
    except MalformedError:
        return
    assert found.version


@given(NODES)
def test_any_schema_is_read_from_its_own_text_again(node: object) -> None:
    try:
        found = schema(**{"properties": {"details": node}, "$defs": DEFS})
    except MalformedError:
        return

    assert parse_schema(found.text.encode()) == found
