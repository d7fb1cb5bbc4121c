from __future__ import annotations

from typing import Any

import pytest

from tallystick_merkle.errors import MalformedError
from tallystick_server.ingest.schemas.compiling import compile_schema
from tests.fakes.intakes import event_json
from tests.unit.merkle.schemas import details, schema

TEXT = {"type": "string"}


def fault(named: dict[str, Any], **values: object) -> tuple[str, str] | None:
    """What a schema of some details says of values for them."""
    return compile_schema(details(1, named)).check(event_json(details=values))


def test_an_event_that_fits_has_no_fault() -> None:
    assert fault({"a": TEXT}, a="x") is None


@pytest.mark.parametrize(
    ("asked", "value", "where", "why"),
    [
        (TEXT, 7, "/details/a", 'expected type "string"'),
        ({"type": ["null", "string"]}, 7, "/details/a", 'type ["null", "string"]'),
        ({"maxLength": 3}, "secret", "/details/a", "expected maxLength 3"),
        ({"enum": ["x", "y"]}, "secret", "/details/a", 'expected enum ["x", "y"]'),
        ({"enum": list(range(99))}, "secret", "/details/a", "does not fit enum"),
        ({"format": "ipv4"}, "secret", "/details/a", 'expected format "ipv4"'),
        ({"pattern": "^x"}, "secret", "/details/a", 'expected pattern "^x"'),
        ({"not": TEXT}, "secret", "/details/a", "does not fit not"),
        ({"uniqueItems": True}, ["secret"] * 2, "/details/a", "not fit uniqueItems"),
        (False, "secret", "/details/a", "nothing is taken here"),
        ({"required": ["b"]}, {"c": "secret"}, "/details/a", "b is required"),
        (
            {"additionalProperties": False},
            {"b": "secret"},
            "/details/a/b",
            "a member that the schema does not name",
        ),
        (
            {"additionalProperties": False, "properties": {"c": True}},
            {"b": "secret"},
            "/details/a/b",
            "a member that the schema does not name",
        ),
        (
            {"additionalProperties": False, "properties": {"c": True}},
            {"c": "secret", "b/~": "secret", "d": "secret"},
            "/details/a/b~1~0",
            "a member that the schema does not name",
        ),
        (
            {"additionalProperties": False, "properties": {"c": True}},
            {"secret" * 30: "secret"},
            "/details/a",
            "a member that the schema does not name",
        ),
        (
            {"additionalProperties": False},
            {"secret\n": "secret"},
            "/details/a",
            "a member that the schema does not name",
        ),
        (
            {"properties": {"additionalProperties": False}},
            {"additionalProperties": "secret"},
            "/details/a/additionalProperties",
            "a member that the schema does not name",
        ),
        ({"items": {"maxLength": 1}}, ["", "secret"], "/details/a/1", "maxLength 1"),
        (
            {"properties": {"b/c": TEXT}},
            {"b/c": 1},
            "/details/a/b~1c",
            'type "string"',
        ),
        ({"$ref": "#/$defs/short"}, "secret", "/details/a", "expected maxLength 3"),
    ],
)
def test_a_fault_is_told_with_its_place_and_never_with_what_came(
    asked: object, value: object, where: str, why: str
) -> None:
    below = {"properties": {"a": asked}}
    defs = {"short": {"maxLength": 3}}
    compiled = compile_schema(
        schema(1, properties={"details": below}, **{"$defs": defs})
    )

    place, said = compiled.check(event_json(details={"a": value})) or ("", "")

    assert (place, why in said) == (where, True)
    assert "secret" not in place + said


def test_the_first_fault_is_told() -> None:
    assert fault({"a": {"items": TEXT}}, a=["", 1, 2]) == (
        "/details/a/1",
        'expected type "string"',
    )


def test_a_pattern_takes_no_longer_than_its_text_is_long() -> None:
    nested = {"type": "string", "pattern": "^(a+)+$"}

    assert fault({"a": nested}, a="a" * 15_000 + "!") == (
        "/details/a",
        'expected pattern "^(a+)+$"',
    )


@pytest.mark.parametrize(
    "pattern", ["(?=a)b", r"(a)\1", "[", "a{1000}{1000}", "(a{500}){500}"]
)
def test_a_pattern_that_the_engine_cannot_bound_is_refused(pattern: str) -> None:
    with pytest.raises(MalformedError, match="/properties/details/properties/a"):
        compile_schema(details(1, {"a": {"pattern": pattern}}))


def test_a_pattern_of_names_is_compiled_too() -> None:
    below = {"patternProperties": {"(?=a)b": True}}

    with pytest.raises(MalformedError, match="/properties/details"):
        compile_schema(schema(1, properties={"details": below}))


def test_the_marks_are_at_hand() -> None:
    mark = {"subject": "target/0", "sensitive": True}
    compiled = compile_schema(
        details(
            1,
            {
                "a": {"x-tallystick": mark},
                "b": {**TEXT, "x-tallystick": {"indexed": True}},
            },
        )
    )

    assert compiled.places == {"details/a": 0}
    assert compiled.sensitive == {"details/a"}
    assert compiled.indexed == ("details/b",)
