"""Queries about events: one spelling, every name of a field, and nothing else taken."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick_merkle.event import MAX_FIELDS
from tallystick_server.errors import BadRequestError
from tallystick_server.web.eventquery import (
    DEFAULT_EVENTS,
    MAX_EVENTS,
    MAX_QUERY,
    EventQuery,
    PageQuery,
    read_event_query,
    read_page_query,
)

NAMES = st.lists(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20),
    min_size=1,
    max_size=8,
    unique=True,
)
PARTS = st.sampled_from(
    [
        "fields", "names", "sensitive", "after", "limit", "=", "&", ",", "%", "%2C",
        "%2c", "%FF", "%C3%A9", "shown", "hidden", "action", "details/x", "1", "+",
        "é", "\ud800", "\0", "#",
    ]
)  # fmt: skip
RAW = st.one_of(st.text(), st.lists(PARTS, max_size=12).map("".join))


@given(NAMES, st.sampled_from(["", "shown", "all", "hidden"]))
def test_any_names_of_fields_are_read_as_they_were_escaped(
    names: list[str], shown: str
) -> None:
    raw = "fields=" + ",".join(quote(name, safe="/") for name in names)
    raw += f"&names={shown}" if shown else ""

    assert read_event_query(raw) == EventQuery(
        tuple(names), shown != "hidden", False, shown == "all"
    )


@given(RAW)
def test_any_query_is_read_or_refused(raw: str) -> None:
    for read in (read_event_query, read_page_query):
        try:
            read(raw)
        except BadRequestError:
            continue


@given(RAW)
def test_a_name_has_no_other_spelling_with_escapes_in_small_letters(raw: str) -> None:
    try:
        fields = read_event_query(raw).fields
    except BadRequestError:
        return
    for name in fields:
        again = read_event_query("fields=" + quote(name, safe="/"))
        assert again.fields == (name,)


def test_where_nothing_is_said_all_is_shown_that_is_not_sensitive() -> None:
    assert read_event_query("") == EventQuery((), True, False)
    assert read_page_query("") == PageQuery(0, DEFAULT_EVENTS, False)


def test_a_page_begins_after_an_index() -> None:
    query = read_page_query("after=41&limit=7&sensitive=shown")

    assert query == PageQuery(42, 7, True)


def test_as_many_fields_may_be_named_as_an_event_has() -> None:
    names = [f"details/{number}" for number in range(MAX_FIELDS)]

    assert read_event_query("fields=" + ",".join(names)).fields == tuple(names)
    with pytest.raises(BadRequestError, match="at most 64 names"):
        read_event_query("fields=" + ",".join([*names, "details"]))


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        ("fields=", "escaped with %XX"),
        ("fields=a,", "escaped with %XX"),
        ("fields=a%2c", "escaped with %XX"),
        ("fields=a%2", "escaped with %XX"),
        ("fields=a b", "escaped with %XX"),
        ("fields=é", "escaped with %XX"),
        ("fields=%C3", "not UTF-8"),
        ("fields=%ED%A0%80", "not UTF-8"),
        ("fields=a,a", "each once"),
        ("fields=a,%61", "each once"),
        ("fields=a&fields=b", "each once"),
        ("fields", "escaped with %XX"),
        ("x=1", "expected fields, names or sensitive"),
        ("&", "expected fields, names or sensitive"),
        ("names=shown", "names goes with fields"),
        ("fields=a&names=", "shown or hidden"),
        ("fields=a&names=Shown", "shown or hidden"),
        ("names=all", "names goes with fields"),
        ("sensitive=all", "shown or hidden"),
        ("sensitive=true", "shown or hidden"),
        ("fields=a&sensitive=hidden", "sensitive is for none"),
        ("fields=" + "a" * MAX_QUERY, "at most 8192 characters"),
    ],
)
def test_what_is_no_query_for_an_event_is_refused(raw: str, why: str) -> None:
    with pytest.raises(BadRequestError, match=why):
        read_event_query(raw)


@pytest.mark.parametrize(
    "raw", [f"limit={MAX_EVENTS + 1}", "limit=0", "sensitive=1", "names=shown", "after"]
)
def test_what_is_no_query_for_a_page_is_refused(raw: str) -> None:
    with pytest.raises(BadRequestError):
        read_page_query(raw)
