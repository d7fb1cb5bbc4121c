from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick_client.mapping.rules import kebab
from tallystick_client.mapping.spelling import (
    action_of,
    code_of,
    id_of,
    time_of,
    type_of,
)
from tallystick_merkle.event import ACTION, CODE, MAX_ACTION, MAX_ID, TYPE, check_plain


@pytest.mark.parametrize(
    ("text", "action"),
    [
        ("user.role.updated", "user.role.updated"),
        ("com.example.Order.Created", "com.example.order.created"),
        ("login", "own.login"),
        ("a.b.c.d.e.f.g.h", "a.b-c-d.e.f.g.h"),
        ("3d.Print", "x3d.print"),
        ("..", None),
    ],
)
def test_actions_are_spelt_like_actions(text: str, action: str | None) -> None:
    assert action_of(text, name="own") == action


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("DescribeDBInstances", "describe-db-instances"),
        ("getHTTP", "get-http"),
        ("Process Create (rule: X)", "process-create-rule-x"),
        ("snake_case", "snake_case"),
    ],
)
def test_names_are_spelt_as_parts_of_actions(name: str, part: str) -> None:
    assert kebab(name) == part


@given(st.text(max_size=400))
def test_whatever_is_said_is_spelt_as_it_must_be_or_not_at_all(text: str) -> None:
    action, kind, code, name = (
        action_of(text, name="own"),
        type_of(text),
        code_of(text),
        id_of(text),
    )

    assert action is None or (
        re.fullmatch(ACTION, action, re.ASCII) and len(action) <= MAX_ACTION
    )
    assert kind is None or re.fullmatch(TYPE, kind, re.ASCII)
    assert not code or re.fullmatch(CODE, code, re.ASCII)
    if name is not None:
        check_plain(name, most=MAX_ID, where="")


def test_ids_that_are_too_long_stay_apart() -> None:
    first, second = id_of("x" * 300 + "a"), id_of("x" * 300 + "b")

    assert first != second
    assert first is not None
    assert len(first) <= MAX_ID


def test_an_id_with_a_character_that_nobody_sees_is_not_the_id_without() -> None:
    assert id_of("alice\u200b") == "alice\ufffd"
    assert id_of("a\tb\x00") == "a b"


@given(
    st.text(max_size=40) | st.integers(),
    st.sampled_from(["rfc3339", "unix-s", "unix-ns", "%Y-%m-%d", "%c%Z"]),
)
def test_what_is_no_time_is_none(value: str | int, how: str) -> None:
    found = time_of(value, how=how, zone_minutes=0)

    assert found is None or 0 <= found <= 253402300799999
