"""The decoder takes what the kernel takes, and nothing else: in both directions."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import event as note
from hypothesis import example, given
from hypothesis import strategies as st

from tallystick_merkle import canonical
from tallystick_merkle.errors import MalformedError
from tallystick_merkle.event import Event
from tallystick_merkle.eventjson import format_event, parse_event
from tallystick_server.errors import EventError
from tallystick_server.ingest.decoding import decode_event
from tallystick_server.ingest.jsonreading import read_json
from tallystick_server.ingest.shapes import read_event
from tests.fakes.decoded import decode_batch
from tests.unit.merkle.hostile import near
from tests.unit.server.ingest.drawn import FULL, SERVICE, Json, made, shapes, usual

JSON, CBOR = "application/json", "application/cbor"

SPELLINGS: list[dict[str, Any]] = [
    {"separators": (",", ":")},
    {"ensure_ascii": False},
    {"separators": (",", " :"), "sort_keys": True},
    {"indent": 1, "separators": (",", "\t:")},
]


def thorough(text: bytes, service: str | None) -> Event:
    """Decode without the quick way."""
    return parse_event(read_json(text), service=service)


def ruling(data: object, service: str | None) -> Event | None:
    """What the kernel makes of it."""
    try:
        return parse_event(data, service=service)
    except MalformedError:
        return None


@given(shapes(), st.sampled_from(SPELLINGS), st.sampled_from([SERVICE, "other", None]))
@example(usual(), SPELLINGS[0], SERVICE)
@example(FULL, SPELLINGS[2], SERVICE)
@example(FULL, SPELLINGS[3], None)
def test_json_is_taken_if_and_only_if_the_kernel_takes_it(
    data: Json, spelling: dict[str, Any], service: str | None
) -> None:
    ruled = ruling(data, service)
    note("taken" if ruled else "refused")
    text = json.dumps(data, **spelling).encode()

    if ruled is None:
        with pytest.raises(EventError):
            decode_event(text, JSON, service=service)
        assert read_event(text, service) is None
    else:
        decoded = decode_event(text, JSON, service=service)
        assert decoded == ruled
        assert decoded.fields == ruled.fields


@given(shapes())
@example(FULL)
def test_cbor_is_taken_if_and_only_if_the_kernel_takes_it(data: Json) -> None:
    try:
        encoded = canonical.encode(data)
    except MalformedError:
        assert ruling(data, SERVICE) is None
        return
    ruled = ruling(data, SERVICE)

    if ruled is None:
        with pytest.raises(EventError):
            decode_event(encoded, CBOR, service=SERVICE)
    else:
        assert decode_event(encoded, CBOR, service=SERVICE) == ruled


@given(st.data())
def test_bytes_that_are_nearly_an_event_are_read_alike_both_ways(
    data: st.DataObject,
) -> None:
    sample = json.dumps(data.draw(st.sampled_from([usual(), FULL]))).encode()
    text = data.draw(near(sample))
    try:
        ruled = thorough(text, SERVICE)
    except MalformedError:
        assert read_event(text, SERVICE) is None
    else:
        assert decode_event(text, JSON, service=SERVICE) == ruled


@given(shapes(), st.data())
def test_a_name_that_stands_twice_is_refused_wherever_it_stands(
    data: Json, drawn: st.DataObject
) -> None:
    pairs: list[str] = []
    text = json.dumps(data)
    names = drawn.draw(st.sampled_from(sorted(data)))
    value = json.dumps(data[names])
    spelled = drawn.draw(st.sampled_from([json.dumps(names), _escaped(names)]))
    gap = drawn.draw(st.sampled_from(["", " ", "\n\t", "\r"]))
    pairs.append(f"{spelled}{gap}:{value}")
    twice = f"{text[:-1]},{pairs[0]}}}".encode()

    with pytest.raises(EventError):
        decode_event(twice, JSON, service=SERVICE)


def _escaped(name: str) -> str:
    return '"' + "".join(f"\\u{ord(mark):04x}" for mark in name) + '"'


@pytest.mark.parametrize(
    "path",
    [
        "/actor/type",
        "/targets/0/id",
        "/outcome/code",
        "/producer/sequence",
        "/schema/version",
        "/before/role",
        "/request/ip",
        "/details/a~1b/b/c",
        "/decision/rule/1/b",
    ],
)
@pytest.mark.parametrize("gap", ["", " "], ids=["close", "apart"])
def test_the_place_of_a_name_that_stands_twice_is_told(path: str, gap: str) -> None:
    data = deepcopy(FULL)
    within: Any = data
    *above, last = [part.replace("~1", "/") for part in path.split("/")[1:]]
    for part in above:
        within = within[int(part) if isinstance(within, list) else part]
    within["@"] = within[last]
    text = json.dumps(data).replace('"@":', f'"{last}"{gap}:').encode()

    with pytest.raises(EventError) as refused:
        decode_event(text, JSON, service=SERVICE)

    assert refused.value.pointer == path
    assert "twice" in refused.value.detail


@pytest.mark.parametrize(
    "value", [":", '":', '\\":', 'a": b', '{"a":{"b" :1}}', "::", '","', "\\"]
)
def test_texts_that_look_like_names_are_taken_as_texts(value: str) -> None:
    data = usual() | {"reason": value, "details": {value: [value, {value: value}]}}
    text = json.dumps(data).encode()

    assert read_event(text, SERVICE) == made(data)


def test_the_quick_way_takes_what_is_usual() -> None:
    for data in (usual(), FULL):
        assert read_event(json.dumps(data).encode(), SERVICE) == made(data)


@given(st.lists(shapes(), min_size=1, max_size=4))
def test_a_batch_is_decoded_as_its_events_are(datas: list[Json]) -> None:
    texts = [json.dumps(data).encode() for data in datas]
    expected = [ruling(data, SERVICE) for data in datas]

    for body, media in (
        (b"[" + b",".join(texts) + b"]", JSON),
        (b"\n".join(texts), "application/x-ndjson"),
        (b"\r\n".join(texts) + b"\n", "application/x-ndjson"),
    ):
        results = decode_batch(body, media, service=SERVICE)
        assert [one if isinstance(one, Event) else None for one in results] == expected


@given(shapes())
def test_what_is_decoded_and_written_again_decodes_to_the_same(data: Json) -> None:
    ruled = ruling(data, SERVICE)
    if ruled is not None:
        text = json.dumps(format_event(ruled)).encode()

        assert decode_event(text, JSON) == ruled
