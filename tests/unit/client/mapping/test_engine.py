"""Any record at all: it becomes an event that the kernel takes, and nothing is lost."""

from __future__ import annotations

import json
from contextlib import suppress
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tallystick_client.mapping.engine import RecordMapping
from tallystick_client.mapping.reading import load_mapping
from tallystick_client.mapping.records import RecordError, parse_json
from tallystick_merkle.event import MAX_FIELDS, Value
from tests.unit.client.mapping.samples import KEY, event_of, lost

MINIMAL = """
name = "any"
version = 3
action = "any.thing.happened"
actor = { type = "system", id = "it" }
occurred_at = ["/when", "/at"]
outcome = "success"
"""


def mapping_of(text: str = "", *, base: str = MINIMAL) -> RecordMapping:
    return load_mapping((base + text).encode(), file="own.toml")


def apply(record: dict[str, Value], text: str = "", line: int = 1) -> dict[str, Any]:
    event = mapping_of(text).apply({"at": WHEN, **record}, line=line, key=KEY)
    assert event is not None
    event_of(event)
    return event


WHEN = "2026-01-02T03:04:05.678Z"

TEXTS = st.text(st.characters(exclude_categories=[]), max_size=12)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=5)
    ),
    max_leaves=40,
)


def read_as_json(value: object) -> Value:
    """Take a value the way all records come."""
    text = json.dumps(value).replace("NaN", "0").replace("-Infinity", "1")
    return parse_json(text.replace("Infinity", "2"))


@given(st.dictionaries(TEXTS, VALUES, max_size=90))
@settings(max_examples=200, deadline=None)
def test_any_record_becomes_an_event_and_nothing_is_lost(
    members: dict[str, Any],
) -> None:
    record = read_as_json({**members, "when": WHEN})
    assert isinstance(record, dict)

    event = mapping_of().apply(record, line=1, key=KEY)

    assert event is not None
    event_of(event)
    assert lost(record, event) == []


@given(st.binary(max_size=200))
def test_bytes_that_are_no_json_are_refused_as_our_own_error(data: bytes) -> None:
    with suppress(RecordError):
        parse_json(data)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"a":1,"a":2}', "twice"),
        ('{"a":NaN}', "not a number"),
        ("[" * 100 + "]" * 100, "nested over 64 deep"),
        ("[" * 100_000, "nested over 64 deep"),
        ("{", "not JSON"),
        (b"\xff", "not UTF-8"),
    ],
    ids=["repeated name", "NaN", "deep", "very deep", "cut short", "bytes"],
)
def test_json_is_read_strictly(text: str | bytes, why: str) -> None:
    with pytest.raises(RecordError, match=why):
        parse_json(text)


def test_decimals_and_long_integers_stay_what_was_written() -> None:
    assert parse_json('{"a":1234.50,"b":1e400,"c":123456789012345678901234}') == {
        "a": "1234.50",
        "b": "1e400",
        "c": "123456789012345678901234",
    }


def test_what_is_taken_unchanged_leaves_the_details() -> None:
    event = apply({"who": "alice", "what": "x"}, '[fields]\n"reason" = "/who"')

    assert event["reason"] == "alice"
    assert event["details"] == {"what": "x", "mapping": {"name": "any/3"}}


def test_what_was_changed_on_the_way_stays_in_the_details() -> None:
    event = apply({"who": "Alice B"}, '[fields]\n"reason" = { template = "{/who}!" }')

    assert event["reason"] == "Alice B!"
    assert event["details"]["who"] == "Alice B"


def test_a_value_that_a_field_cannot_have_stays_in_the_details() -> None:
    event = apply({"ip": ["192.0.2.1"]}, '[fields]\n"request/ip" = "/ip"')

    assert "request" not in event
    assert event["details"]["ip"] == ["192.0.2.1"]


def test_a_record_without_a_time_is_refused() -> None:
    with pytest.raises(RecordError, match="no time that can be read at /when or /at"):
        mapping_of().apply({"when": "yesterday"}, line=1, key=KEY)


def test_a_value_that_is_no_object_is_refused() -> None:
    with pytest.raises(RecordError, match="not a JSON object"):
        mapping_of().apply([1], line=1, key=KEY)


def test_the_same_record_on_another_line_is_another_event() -> None:
    record: dict[str, Value] = {"a": 1}

    assert apply(record, line=1)["event_id"] == apply(record, line=1)["event_id"]
    assert apply(record, line=1)["event_id"] != apply(record, line=2)["event_id"]


def test_a_record_with_an_identity_is_the_same_event_on_any_line() -> None:
    own = 'identity = ["/seq"]'

    first = apply({"seq": 5}, own, line=1)

    assert first["event_id"] == apply({"seq": 5, "x": 1}, own, line=9)["event_id"]
    assert first["event_id"] != apply({"seq": 6}, own, line=1)["event_id"]
    assert first["event_id"] != apply({}, own, line=1)["event_id"]


def test_a_record_that_a_mapping_skips_is_no_event() -> None:
    skipping = mapping_of('[[skip]]\n"/kind" = ["health"]')

    assert skipping.apply({"at": WHEN, "kind": "health"}, line=1, key=KEY) is None
    assert skipping.apply({"at": WHEN, "kind": "other"}, line=1, key=KEY) is not None


def test_too_many_fields_are_folded_where_it_costs_least() -> None:
    record: dict[str, Value] = {
        "small": {"a": 1, "b": 2},
        "large": {f"n{at}": at for at in range(40)},
        **{f"m{at}": at for at in range(30)},
    }

    event = apply(record)

    assert event["details"]["mapping"]["folded"] == ["/details/large"]
    assert json.loads(event["details"]["large"]) == record["large"]
    assert event["details"]["small"] == record["small"]


def test_members_without_a_field_of_their_own_are_kept_together() -> None:
    record: dict[str, Value] = {f"m{at:03}": at for at in range(100)}

    event = apply(record)

    more = json.loads(event["details"]["mapping"]["more"])
    assert len(event_of(event).fields) <= MAX_FIELDS
    assert {**event["details"], **more}.items() >= record.items()


@pytest.mark.parametrize("name", ["", "e\u0301", "a\nb", "x" * 129, "\ud800"])
def test_odd_names_are_folded(name: str) -> None:
    event = apply({name: 1, "inner": {name: 2}})

    assert json.loads(event["details"]["mapping"]["more"]) == {name: 1}
    assert json.loads(event["details"]["inner"]) == {name: 2}


def test_a_member_called_mapping_keeps_its_value() -> None:
    event = apply({"mapping": {"name": "theirs"}})

    assert event["details"]["mapping"] == {
        "name": "any/3",
        "source": {"name": "theirs"},
    }


def test_a_long_text_goes_on_in_another_field() -> None:
    text = "long é" * 4000

    event = apply({"text": text})

    details = event["details"]
    assert details["text"] + details["text (2)"] == text
    assert details["mapping"]["split"] == ["/details/text"]


def test_what_no_event_can_hold_is_cut_and_named_with_its_digest() -> None:
    text = "x" * 100_000

    event = apply({"text": text, "other": 1})

    (cut,) = event["details"]["mapping"]["cut"]
    assert cut == {
        "member": "/details/text",
        "bytes": 100_000,
        "sha256": sha256(text.encode()).hexdigest(),
    }
    assert text.startswith(event["details"]["text"])
    assert len(event["details"]["text"]) > 16_000
    assert event["details"]["other"] == 1


def test_many_long_texts_are_cut_alike() -> None:
    texts: dict[str, Value] = {f"t{at}": "y" * 9_000 for at in range(20)}

    event = apply({**texts, "short": "z" * 500})

    lengths = {len(event["details"][f"t{at}"]) for at in range(20)}
    assert len(event["details"]["mapping"]["cut"]) == 20
    assert max(lengths) - min(lengths) <= 1
    assert event["details"]["short"] == "z" * 500


def test_a_record_of_over_a_megabyte_is_refused() -> None:
    with pytest.raises(RecordError, match="longer than"):
        mapping_of().apply({"at": WHEN, "x": "y" * (1024 * 1024)}, line=1, key=KEY)


def test_targets_are_found_in_lists_each_once_and_ten_at_most() -> None:
    own = '[[targets]]\neach = "/on"\ntype = "thing"\nid = "/id"\nperson = true'
    items: list[Value] = [{"id": f"t{at // 2}"} for at in range(30)]

    event = apply({"on": items}, own)

    assert [target["id"] for target in event["targets"]] == [
        f"t{at}" for at in range(10)
    ]
    assert event["targets"][0]["person"] is True
    assert event["details"]["on"] == items


def test_without_the_key_nobody_can_say_which_record_an_id_is_of() -> None:
    mapping = mapping_of('identity = ["/seq"]\n', base=MINIMAL)
    record: dict[str, Value] = {"at": WHEN, "seq": 5}

    ids = [
        (mapping.apply(record, line=1, key=key) or {})["event_id"]
        for key in (KEY, KEY, b"another key of ids")
    ]

    assert ids[0] == ids[1]
    assert ids[0] != ids[2]


@pytest.mark.parametrize("key", [b"", b"k" * 15])
def test_a_key_that_could_be_tried_is_refused(key: bytes) -> None:
    with pytest.raises(ValueError, match="expected at least 16"):
        mapping_of().apply({"at": WHEN}, line=1, key=key)
