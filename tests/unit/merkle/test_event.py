"""The event and its fields: names of four parts, values of few kinds, bounds."""

from typing import Any
from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick_merkle.errors import MalformedError
from tallystick_merkle.event import (
    EXTRA_ROOTS,
    MAX_FIELD,
    MAX_FIELDS,
    Value,
    check_plain,
    check_value,
    escape,
    flatten,
    id_bytes,
    id_text,
    is_event_id,
    make_field,
    unescape,
)
from tests.reference import dcbor
from tests.reference import ev1_layout as reference
from tests.unit.merkle.events import MAPS, NAMES, event_ids


def nested(levels: int) -> Any:  # noqa: ANN401 -- lists in lists
    value: object = 1
    for _ in range(levels):
        value = [value]
    return value


@given(st.dictionaries(st.sampled_from(sorted(EXTRA_ROOTS)), MAPS, max_size=3))
def test_fields_are_those_of_the_reference_in_order(extra: dict[str, Any]) -> None:
    expected = [
        (dcbor.encode(name), name, dcbor.encode([name, value]))
        for root, nodes in extra.items()
        for name, value in reference.flatten([root], nodes)
    ]

    assert [tuple(one) for one in flatten(extra)] == sorted(expected)


def test_the_roots_are_those_of_the_reference() -> None:
    assert frozenset(reference.EXTRA_ROOTS) == EXTRA_ROOTS


@pytest.mark.parametrize(
    ("extra", "names"),
    [
        ({"reason": "r"}, ["reason"]),
        ({"details": {}}, ["details"]),
        ({"details": {"a": {}}}, ["details/a"]),
        ({"details": {"a": [{"b": 1}]}}, ["details/a"]),
        ({"details": {"a/b": 1, "a": {"b": 2}}}, ["details/a/b", "details/a~1b"]),
        ({"details": {"~": 1, "~1": 2}}, ["details/~0", "details/~01"]),
        ({"details": {"a": {"b": {"c": {"d": 1}}}}}, ["details/a/b/c"]),
        ({"details": {"bb": 1}, "roles": []}, ["roles", "details/bb"]),
        ({"details": {"bb": 1, "a": 2}}, ["details/a", "details/bb"]),
    ],
    ids=str,
)  # fmt: skip
def test_a_map_becomes_names_of_at_most_four_parts(
    extra: dict[str, Any], names: list[str]
) -> None:
    assert [one.name for one in flatten(extra)] == names


@given(NAMES)
def test_a_part_of_a_name_is_read_as_it_was_written(part: str) -> None:
    assert unescape(escape(part)) == part
    assert "/" not in escape(part)


@pytest.mark.parametrize("text", ["~", "a~", "~2", "~~0", "~0~"])
def test_an_escape_that_there_is_not_is_refused(text: str) -> None:
    with pytest.raises(MalformedError, match="escape"):
        unescape(text)


@pytest.mark.parametrize(
    ("extra", "why"),
    [
        ({"other": 1}, "no such member"),
        ({"targets": 1}, "no such member"),
        ({"details": {"a": 1.0}}, "write decimals as text"),
        ({"details": {"a": [1, {"b": float("nan")}]}}, "/details/a/1/b"),
        ({"details": {"a": b"bytes"}}, "a type that events do not have"),
        ({"details": {"a": (1, 2)}}, "a type that events do not have"),
        ({"details": {"a": 2**64}}, "an integer of over 64 bits"),
        ({"details": {"a": -(2**63) - 1}}, "an integer of over 64 bits"),
        ({"details": {"a": "\ud800"}}, "not valid Unicode"),
        ({"details": {"a": ["\udfff"]}}, "not valid Unicode"),
        ({"details": {1: 1}}, "a name that is not a text"),
        ({"details": {"a": [{1: 1}]}}, "a name that is not a text"),
        ({"details": {"": 1}}, "expected 1 to 128 characters"),
        ({"details": {"x" * 129: 1}}, "expected 1 to 128 characters"),
        ({"details": {"a\n": 1}}, "a control character"),
        ({"details": {"é\x00": 1}}, "a control character"),
        ({"details": {"\udc00": 1}}, "a control character"),
        ({"details": {"e\u0301": 1}}, "not in Unicode normal form NFC"),
        ({"details": {"a": nested(12)}}, "nested too deep"),
        ({"details": {"a": [[{"b": nested(9)}]]}}, "nested too deep"),
        ({"details": {f"n{at}": 1 for at in range(65)}}, "over 64 fields"),
        (
            {root: {f"n{at}": 1 for at in range(33)} for root in ("before", "after")},
            "66 fields, at most 64",
        ),
        ({"details": {"a": "x" * MAX_FIELD}}, "bytes, at most 16384 a field"),
        (
            {"details": {f"n{at}": "x" * 16_300 for at in range(4)}},
            "more than 49152 bytes of fields",
        ),
    ],
)
def test_what_no_event_holds_is_refused(extra: dict[str, Any], why: str) -> None:
    with pytest.raises(MalformedError, match=why):
        flatten(extra)


@pytest.mark.parametrize(
    "value",
    [-(2**63), 2**64 - 1, True, None, "e\u0301\x00", [], {}, nested(11), [{"b": 1}]],
    ids=str,
)
def test_what_an_event_holds_is_taken(value: Any) -> None:  # noqa: ANN401 -- any value
    check_value(value, where="/details")

    assert dcbor.decode(flatten({"details": {"a": value}})[0].pair)[1] == value


def test_the_longest_field_and_the_most_fields_are_taken() -> None:
    longest = "x" * (MAX_FIELD - 3)
    many: dict[str, Value] = {f"n{at}": at for at in range(MAX_FIELDS)}

    assert len(flatten({"details": {"a": longest}})) == 1
    assert len(flatten({"details": many})) == MAX_FIELDS


def test_a_field_is_its_name_and_its_value() -> None:
    made = make_field("targets/0", "apollo")

    assert made == (
        dcbor.encode("targets/0"),
        "targets/0",
        dcbor.encode(["targets/0", "apollo"]),
    )


@given(event_ids())
def test_an_event_id_is_sixteen_bytes(event_id: str) -> None:
    assert is_event_id(event_id)
    assert len(id_bytes(event_id)) == 16
    assert id_text(id_bytes(event_id)) == event_id


@pytest.mark.parametrize(
    "text",
    [
        "",
        "01980f3a-5c2e-4d41-9b6a-0123456789ab",
        "01980f3a-5c2e-7d41-cb6a-0123456789ab",
        "01980F3A-5c2e-7d41-9b6a-0123456789ab",
        "01980f3a5c2e7d419b6a0123456789ab",
        "01980f3a-5c2e-7d41-9b6a-0123456789ab\n",
        "٠1980f3a-5c2e-7d41-9b6a-0123456789ab",
    ],
)
def test_another_text_is_no_event_id(text: str) -> None:
    assert not is_event_id(text)


@pytest.mark.parametrize("text", ["a", "a b", "x" * 256, "é", "\U0001f600", "日本"])
def test_a_plain_text_may_be_an_id(text: str) -> None:
    check_plain(text, most=256, where="/actor/id")


@pytest.mark.parametrize(
    "text", ["", "x" * 257, "a\x7f", "a\x85", "\t", "e\u0301", "\u212b", "é\ud800"]
)
def test_another_text_may_not_be_an_id(text: str) -> None:
    with pytest.raises(MalformedError, match="/actor/id"):
        check_plain(text, most=256, where="/actor/id")


@pytest.mark.parametrize("mark", ["\u200b", "\u202e", "\ufeff", "\xad", "\U000e0041"])
def test_a_character_that_nobody_sees_is_named(mark: str) -> None:
    with pytest.raises(
        MalformedError, match=rf"a format character, U\+{ord(mark):04X}"
    ):
        check_plain(f"alice{mark}", most=256, where="/actor/id")


def test_what_is_refused_is_control_and_format_and_nothing_else() -> None:
    refused, unseen = set(), set()
    for code in range(0x110000):
        one = chr(code)
        if category(one) in ("Cc", "Cf", "Cs"):
            unseen.add(code)
        try:
            check_plain(f"é{one}é", most=3, where="")
        except MalformedError as error:
            if "NFC" not in error.why:
                refused.add(code)

    assert refused == unseen | set(range(0x13439, 0x13440))
