"""The JSON shape of events: what is read is what is written, and nothing else."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick_merkle.errors import KernelError, MalformedError
from tallystick_merkle.eventjson import (
    MAX_TIME_MS,
    format_event,
    format_time,
    parse_event,
    parse_time,
)
from tests.unit.merkle.events import VALUES, Json, example, json_events

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(json_events())
def test_every_event_round_trips(event: Json) -> None:
    assert format_event(parse_event(event)) == event


@given(json_events(), st.data())
def test_an_event_with_anything_in_it_is_refused_or_read_whole(
    event: Json, data: st.DataObject
) -> None:
    place: Any = event
    name = data.draw(st.sampled_from(sorted(place)))
    while isinstance(place[name], dict) and place[name] and data.draw(st.booleans()):
        place = place[name]
        name = data.draw(st.sampled_from(sorted(place)))
    place[name] = data.draw(ANYTHING | VALUES)

    try:
        read = parse_event(event)
    except KernelError:
        return
    assert parse_event(format_event(read)) == read


@given(ANYTHING)
def test_anything_else_is_refused(value: object) -> None:
    with pytest.raises(MalformedError):
        parse_event(value)


def test_what_is_left_out_has_a_default() -> None:
    event = example()
    del event["producer"]["epoch"], event["producer"]["service"]

    read = parse_event(event, service="iam")

    assert (read.producer.service, read.producer.epoch) == ("iam", 0)
    assert [target.person for target in read.targets] == [True, False]
    assert (read.code, read.region, read.corrects) == (None, None, None)


def test_the_service_is_the_principal() -> None:
    event = example()

    assert parse_event(event, service="iam").producer.service == "iam"
    with pytest.raises(MalformedError, match="not the principal"):
        parse_event(event, service="billing")
    del event["producer"]["service"]
    with pytest.raises(MalformedError, match="/producer/service"):
        parse_event(event)


def without(*names: str) -> Callable[[Json], object]:
    return lambda event: [event.pop(name) for name in names]


def changed(place: str, value: object) -> Callable[[Json], object]:
    *above, last = place.split("/")

    def change(event: Any) -> None:  # noqa: ANN401 -- nested maps and lists
        for part in above:
            event = event[int(part) if part.isdigit() else part]
        event[last] = value

    return change


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("event_id", "01980F3A-5C2E-7D41-9B6A-0123456789AB"),
        ("event_id", "01980f3a-5c2e-4d41-9b6a-0123456789ab"),
        ("event_id", None),
        ("action", "created"),
        ("action", "User.created"),
        ("action", "user..created"),
        ("action", "user.created."),
        ("action", "a.b.c.d.e.f.g"),
        ("action", "user.created\n"),
        ("action", f"{'a' * 64}.{'b' * 64}"),
        ("actor", "alice"),
        ("actor/type", "User"),
        ("actor/type", "u" * 65),
        ("actor/id", ""),
        ("actor/id", 7),
        ("actor/id", "e\u0301"),
        ("actor/id", "x" * 257),
        ("targets", None),
        ("targets", [{"type": "user", "id": "x"}] * 11),
        ("targets/0/person", "yes"),
        ("targets/0/id", "a\x00"),
        ("outcome", "success"),
        ("outcome/result", "maybe"),
        ("outcome/result", None),
        ("outcome/code", "a b"),
        ("outcome/code", ""),
        ("producer/instance", ""),
        ("producer/instance", "a/b"),
        ("producer/service", "IAM"),
        ("producer/epoch", -1),
        ("producer/epoch", True),
        ("producer/sequence", 2**53),
        ("producer/sequence", 1.0),
        ("producer/sequence", "17"),
        ("schema/id", "User.role"),
        ("schema/version", 0),
        ("schema/version", 2**31),
        ("schema/version", True),
        ("region", "eu central"),
        ("region", None),
        ("corrects", "the last"),
        ("reason", ""),
        ("reason", "x" * 4097),
        ("reason", 7),
        ("before", []),
        ("after", "admin"),
        ("decision", None),
        ("details", [1]),
        ("details/a", 1.5),
        ("request", []),
        ("request/ip", 7),
        ("request/ip", "x" * 1025),
        ("correlation_id", "x" * 129),
        ("trace_id", ""),
        ("roles", "admin"),
        ("roles", [""]),
        ("roles", ["r"] * 65),
        ("occurred_at", 1_700_000_000_000),
    ],
    ids=lambda value: str(value)[:40].encode("ascii", "backslashreplace").decode(),
)
def test_a_member_out_of_shape_is_refused_and_named(
    pointer: str, value: object
) -> None:
    event = example() | {"details": {"b": 1}}
    changed(pointer, value)(event)

    with pytest.raises(MalformedError) as caught:
        parse_event(event)

    assert caught.value.where.startswith(f"/{pointer}")


@pytest.mark.parametrize(
    "name",
    ["event_id", "action", "actor", "targets", "occurred_at", "outcome", "producer"],
)
def test_a_missing_member_is_refused_and_named(name: str) -> None:
    event = example()
    without(name)(event)

    with pytest.raises(MalformedError, match="missing") as caught:
        parse_event(event)

    assert caught.value.where == f"/{name}"


@pytest.mark.parametrize(
    "place",
    ["more", "actor/name", "targets/0/name", "outcome/text", "producer/host",
     "schema/name", "request/referer"],
)  # fmt: skip
def test_a_member_that_there_is_not_is_refused(place: str) -> None:
    event = example()
    changed(place, "x")(event)

    with pytest.raises(MalformedError, match="a member that there is not") as caught:
        parse_event(event)

    assert caught.value.where == f"/{place}"


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("a/b~", "/actor/a~1b~0"),
        ("ä" * 128, "/actor/" + "ä" * 128),
        ("a" * 129, "/actor"),
        ("a\nb", "/actor"),
        ("\ud800", "/actor"),
        (7, "/actor"),
    ],
    ids=["escaped", "long", "too long", "a control", "a surrogate", "a number"],
)
def test_a_member_that_there_is_not_is_named_where_it_can_be_shown(
    name: object, where: str
) -> None:
    event: dict[str, Any] = example()
    event["actor"] = {**event["actor"], name: "x"}

    with pytest.raises(MalformedError, match="a member that there is not") as caught:
        parse_event(event)

    assert caught.value.where == where


@pytest.mark.parametrize(
    ("text", "time_ms"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2026-11-23T12:00:00.000Z", 1_795_435_200_000),
        ("2026-11-23t12:00:00z", 1_795_435_200_000),
        ("2026-11-23T14:30:00.5+02:30", 1_795_435_200_500),
        ("2026-11-23T10:00:00.123999999-02:00", 1_795_435_200_123),
        ("2024-02-29T23:59:59.999Z", 1_709_251_199_999),
        ("9999-12-31T23:59:59.999Z", MAX_TIME_MS),
        ("1970-01-01T00:30:00-00:30", 3_600_000),
    ],
)
def test_a_time_is_read_in_milliseconds(text: str, time_ms: int) -> None:
    assert parse_time(text, where="/occurred_at") == time_ms


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-11-23",
        "2026-11-23 12:00:00Z",
        "2026-11-23T12:00:00",
        "2026-11-23T12:00Z",
        "2026-11-23T12:00:00.Z",
        "2026-11-23T12:00:00.1234567890Z",
        "2026-11-23T12:00:00,5Z",
        "2026-11-23T12:00:00+0200",
        "2026-11-23T12:00:00+24:00",
        "2026-11-23T12:00:00+01:60",
        "2026-11-23T12:00:00Z\n",
        "2026-11-23T12:00:0٣Z",
        "2026-02-30T12:00:00Z",
        "2026-11-23T25:00:00Z",
        "2026-11-23T12:00:60Z",
        "0000-01-01T00:00:00Z",
        "1969-12-31T23:59:59.999Z",
        "1970-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59Z".replace("Z", "-00:01"),
        None,
        0,
    ],
    ids=lambda value: str(value).encode("ascii", "backslashreplace").decode(),
)
def test_another_time_is_refused(text: object) -> None:
    with pytest.raises(MalformedError, match="/occurred_at"):
        parse_time(text, where="/occurred_at")


@given(st.integers(0, MAX_TIME_MS))
def test_every_time_round_trips(time_ms: int) -> None:
    text = format_time(time_ms)

    assert parse_time(text, where="") == time_ms
    assert datetime.fromisoformat(text).timestamp() * 1000 == pytest.approx(time_ms)
