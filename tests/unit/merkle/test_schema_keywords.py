from __future__ import annotations

from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator

from tallystick_merkle.errors import MalformedError
from tallystick_merkle.schema_keywords import CHECKS, FORMATS, MAX_CHOICES, TYPES

GOOD: list[tuple[str, Any]] = [
    ("$comment", "why"),
    ("const", {"a": [1, True, None, "x"]}),
    ("default", 7),
    ("dependentRequired", {"a": ["b"]}),
    ("deprecated", True),
    ("description", ""),
    ("enum", [1, "a", None]),
    ("examples", []),
    ("exclusiveMaximum", -(2**63)),
    ("exclusiveMinimum", 2**64 - 1),
    ("format", "ipv4"),
    ("maxContains", 0),
    ("maxItems", 1),
    ("maxLength", 1),
    ("maxProperties", 1),
    ("maximum", 0),
    ("minContains", 1),
    ("minItems", 1),
    ("minLength", 0),
    ("minProperties", 1),
    ("minimum", -1),
    ("multipleOf", 5),
    ("pattern", "^a"),
    ("readOnly", False),
    ("required", []),
    ("title", "A"),
    ("type", ["string", "null"]),
    ("type", "string"),
    ("uniqueItems", True),
    ("writeOnly", True),
]

_DEEP: Any = 0
for _ in range(9):
    _DEEP = [_DEEP]

BAD: list[tuple[str, Any]] = [
    ("title", 1),
    ("const", 2**64),
    ("const", _DEEP),
    ("const", {"a": _DEEP}),
    ("dependentRequired", []),
    ("dependentRequired", {"a": "b"}),
    ("deprecated", 1),
    ("enum", []),
    ("enum", "a"),
    ("enum", [0] * (MAX_CHOICES + 1)),
    ("examples", "a"),
    ("maximum", "1"),
    ("maximum", True),
    ("minimum", -(2**63) - 1),
    ("format", "regex"),
    ("format", 1),
    ("maxLength", -1),
    ("multipleOf", 0),
    ("pattern", 1),
    ("pattern", "a" * 257),
    ("required", "a"),
    ("required", [1]),
    ("required", ["a", "a"]),
    ("type", []),
    ("type", "text"),
    ("type", ["null", "null"]),
    ("type", [[]]),
]


def test_every_keyword_has_a_good_value_here() -> None:
    assert {keyword for keyword, _ in GOOD} == set(CHECKS)


@pytest.mark.parametrize(("keyword", "value"), GOOD)
def test_what_is_taken_is_json_schema(keyword: str, value: object) -> None:
    CHECKS[keyword](value, "/here")

    assert Draft202012Validator({keyword: value}, offline=True).is_valid is not None


@pytest.mark.parametrize(
    ("keyword", "value"), BAD, ids=[f"{n}-{key}" for n, (key, _) in enumerate(BAD)]
)
def test_another_value_is_refused_with_its_place(keyword: str, value: object) -> None:
    with pytest.raises(MalformedError) as caught:
        CHECKS[keyword](value, "/here")

    assert caught.value.where.startswith("/here")


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_every_format_is_one_that_the_validator_checks(name: str) -> None:
    judge = Draft202012Validator(
        {"format": name},
        validate_formats=True,
        ignore_unknown_formats=False,
        offline=True,
    )

    assert not judge.is_valid("a b\0")


@pytest.mark.parametrize("name", sorted(TYPES))
def test_every_type_is_one_of_json_schema(name: str) -> None:
    assert Draft202012Validator({"type": name}, offline=True).is_valid is not None
