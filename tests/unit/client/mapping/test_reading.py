from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick_client.errors import UsageError
from tallystick_client.mapping.catalogue import shipped_file
from tallystick_client.mapping.reading import load_mapping
from tallystick_merkle.event import Value
from tests.unit.client.mapping.samples import KEY
from tests.unit.client.mapping.test_engine import MINIMAL, WHEN, apply


def refusal(text: str, base: str = MINIMAL) -> str:
    with pytest.raises(UsageError) as caught:
        load_mapping((base + text).encode(), file="own.toml")
    assert str(caught.value).startswith("own.toml")
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("acton = 1", "'acton' is not one of"),
        ('code = { path = "/a", value = "b" }', "exactly one of path, value"),
        ('code = { path = "a" }', "'a' is not a JSON Pointer"),
        ('code = { path = "/a~2" }', "not a JSON Pointer"),
        ('code = { path = "/a", pattern = "(" }', "is not a pattern"),
        ('code = { path = "/a", pattern = "(a)(b)" }', "more than one group"),
        ('code = { path = "/a", style = "camel" }', "the only style is 'kebab'"),
        ('code = { path = "/a", lookup = "none" }', "tables.none: expected a table"),
        ('code = { part = "none" }', "there is no part 'none' above it"),
        ('code = { template = "{none}" }', "there is no part 'none' above it"),
        ('code = { path = "/a", where = { "/b" = { least = "1" } } }', "is an integer"),
        ('code = { path = "/a", where = { "/b" = { exists = 1 } } }', "true or false"),
        ("code = 1.5", "expected a table"),
        ('unwrap = "soap"', "the only wrapping is 'cloudevents'"),
        ('[fields]\n"details/x" = "/a"', "a name begins with one of"),
        ('[fields]\n"what" = "/a"', "a name begins with one of"),
        ('[[targets]]\ntype = "a"', "id is missing"),
        ('[[targets]]\ntype = "a"\nid = "b"\nperson = 1', "person is true or false"),
        ("=", "is not TOML"),
        ("identity = [1]", "expected a text"),
    ],
)
def test_what_is_misspelt_is_named(text: str, why: str) -> None:
    assert why in refusal(text)


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("version = 3", "version = 0", "version: expected an integer"),
        ('name = "any"', 'name = "Any Name"', "name: expected lower-case"),
        ('action = "any.thing.happened"', "", "action is missing"),
        ('["/when", "/at"]', '{ path = "/a", format = "iso" }', "format is rfc3339"),
        ('["/when", "/at"]', '{ path = "/a", zone = "CET" }', "zone is an offset"),
        ('{ type = "system", id = "it" }', '{ type = "a", id = "b", each = "/c" }', ""),
    ],
    ids=["version", "name", "missing", "format", "zone", "actor with each"],
)
def test_what_every_mapping_needs_is_checked(old: str, new: str, why: str) -> None:
    assert why in refusal("", MINIMAL.replace(old, new))


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_any_bytes_are_a_mapping_or_a_usage_error(data: bytes) -> None:
    with pytest.raises(UsageError):
        load_mapping(data, file="own.toml")


@given(st.integers(0, 10_000), st.sampled_from(["", "{", "'", "[", "=", "/~"]))
def test_a_damaged_mapping_is_a_mapping_or_a_usage_error(at: int, mark: str) -> None:
    data = shipped_file("windows").decode()
    at %= len(data)
    with suppress(UsageError):
        load_mapping((data[:at] + mark + data[at + 1 :]).encode(), file="own.toml")


def test_parts_lookups_patterns_and_conditions_work_together() -> None:
    own = """
code = [
    { part = "number", where = { "/level" = { least = 3, most = 5 } } },
    { value = "LOW", where = { "/level" = { exists = true } } },
]
[parts]
first = { path = "/text", pattern = "no=([a-z]+)" }
number = { template = "E-{first}-{/level}", where = { "/kind" = ["a", "b"] } }
[fields]
"reason" = { path = "/kind", lookup = "reasons" }
[tables.reasons]
a = "because"
"""
    record: dict[str, Value] = {"text": "x no=abc y", "level": 4, "kind": "a"}

    event = apply({**record}, own)

    assert event["outcome"] == {"result": "success", "code": "E-abc-4"}
    assert event["reason"] == "because"
    assert apply({**record, "level": 6}, own)["outcome"]["code"] == "LOW"
    assert "code" not in apply({"kind": "z"}, own)["outcome"]
    assert "reason" not in apply({"kind": "z"}, own)


def test_texts_that_mean_nothing_find_nothing() -> None:
    own = 'empty = ["-"]\n[fields]\n"reason" = ["/a", "/b"]'

    assert apply({"a": "-", "b": "x"}, own)["reason"] == "x"
    assert apply({"a": "-", "b": "x"}, own)["details"]["a"] == "-"


@pytest.mark.parametrize(
    ("value", "how", "when"),
    [
        (1_700_000_000, "unix-s", "2023-11-14T22:13:20.000Z"),
        ("1700000000.5", "unix-s", "2023-11-14T22:13:20.500Z"),
        (1_700_000_000_123, "unix-ms", "2023-11-14T22:13:20.123Z"),
        (1_700_000_000_123_456, "unix-us", "2023-11-14T22:13:20.123Z"),
        (1_700_000_000_123_456_789, "unix-ns", "2023-11-14T22:13:20.123Z"),
        ("14/11/2023 23:13", "%d/%m/%Y %H:%M", "2023-11-14T22:13:00.000Z"),
    ],
    ids=["s", "decimal s", "ms", "us", "ns", "pattern"],
)
def test_times_are_read_as_they_are_written(
    value: int | str, how: str, when: str
) -> None:
    base = MINIMAL.replace(
        '["/when", "/at"]', f'{{ path = "/t", format = "{how}", zone = "+01:00" }}'
    )
    mapping = load_mapping(base.encode(), file="own.toml")

    event = mapping.apply({"t": value}, line=1, key=KEY)

    assert event is not None
    assert event["occurred_at"] == when
    assert event["occurred_at"] != WHEN
