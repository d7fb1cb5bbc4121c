"""The events of a batch are told apart, or the batch is refused whole."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick_merkle import canonical
from tallystick_merkle.event import Event
from tallystick_merkle.exchange.appending import MAX_BATCH, MAX_BATCH_BYTES
from tallystick_server.errors import (
    BadRequestError,
    RequestError,
    TooLargeError,
    UnsupportedTypeError,
)
from tallystick_server.ingest.framing import (
    BATCH_TYPES,
    MAX_MARKS,
    _cut_slowly,
    has_many_heads,
    split_batch,
)
from tests.fakes.decoded import Refused, decode_batch
from tests.unit.server.ingest.drawn import FULL, SERVICE, made, usual

JSON, NDJSON, CBOR, CBOR_SEQ = BATCH_TYPES
GOOD = json.dumps(usual()).encode()
TREE = st.recursive(
    st.none() | st.integers(-9, 99) | st.text('a",[]{}\\: \n', max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text('a",\\', max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


def outcomes(body: bytes, media: str) -> list[str]:
    """For each event `taken`, or why it was refused."""
    return [
        "taken" if isinstance(one, Event) else one.why
        for one in decode_batch(body, media, service=SERVICE)
    ]


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (b"1", "expected an object"),
        (b"[]", "expected an object"),
        (b"{}", "a member is missing"),
        (b'{"a":tru}', "not JSON"),
        (b"nonsense", "not JSON"),
        (b"", "not JSON"),
        (GOOD.replace(b"admin", b"\xff"), "not UTF-8"),
        (GOOD.replace(b"admin", b"\\ud800"), "a lone surrogate"),
        (GOOD.replace(b"admin", b"\\q"), "not JSON"),
        (GOOD.replace(b"17", b"1.7"), "decimals as text"),
        (GOOD.replace(b"17", b"NaN"), "not a finite number"),
        (b"[" * 5000 + b"]" * 5000, "nested"),
        (b'{"a":1]', "not JSON"),
        (GOOD.replace(b'"actor"', b'"action"'), "a member"),
    ],
    ids=lambda value: None if isinstance(value, str) else value[:12].decode(),
)
def test_a_bad_event_never_loses_its_neighbours(bad: bytes, why: str) -> None:
    for body, media in (
        (b"[%s, %s ,%s]" % (GOOD, bad, GOOD), JSON),
        (b"%s\n%s\n%s" % (GOOD, bad, GOOD), NDJSON),
    ):
        first, second, third = outcomes(body, media)
        assert (first, third) == ("taken", "taken")
        assert why in second or "twice" in second


def test_a_bad_event_of_cbor_never_loses_its_neighbours() -> None:
    good = canonical.encode(usual())
    bad = [
        b"\x01",
        b"\xa0",
        b"\x41a",
        b"\xfb\x3f\xf8\0\0\0\0\0\0",
        b"\xc1\x01",
        b"\xa1\x61a\x18\x01",
        b"\xa2\x61a\x01\x61a\x01",
        b"\xf7",
    ]
    items = [good, *bad, good]
    body = b"".join(items)

    for framed, media in ((body, CBOR_SEQ), (b"\x8a" + body, CBOR)):
        results = outcomes(framed, media)
        assert [one == "taken" for one in results] == [True, *[False] * 8, True]


def test_positions_are_those_of_the_batch() -> None:
    results = decode_batch(b"1\n%s\n2\n" % GOOD, NDJSON, service=SERVICE)

    assert results == [
        Refused(0, "", "expected an object"),
        made(usual()),
        Refused(2, "", "expected an object"),
    ]


@pytest.mark.parametrize(
    ("body", "media"),
    [
        (b"", JSON),
        (b"{}", JSON),
        (GOOD, JSON),
        (b"[", JSON),
        (b"]", JSON),
        (b"[]", JSON),
        (b"[ ]", JSON),
        (b"[1]]", JSON),
        (b"[[1]", JSON),
        (b"[1][2]", JSON),
        (b'["a]', JSON),
        (b'["a",1,"]', JSON),
        (b"\xef\xbb\xbf[1]", JSON),
        ("[1]".encode("utf-16"), JSON),
        (b"", NDJSON),
        (b"", CBOR),
        (b"\x80", CBOR),
        (b"\xa0", CBOR),
        (b"\x81", CBOR),
        (b"\x82\x01", CBOR),
        (b"\x81\x01\x01", CBOR),
        (b"\x9f\x01\xff", CBOR),
        (b"\x81\x9f\x01\xff", CBOR),
        (b"\x81\x5b\xff\xff\xff\xff\xff\xff\xff\xff", CBOR),
        (b"\x81\x9b\xff\xff\xff\xff\xff\xff\xff\xff", CBOR),
        (b"\x81\x62a", CBOR),
        (b"\x81\x1a\0", CBOR),
        (b"", CBOR_SEQ),
        (b"\x01\x62a", CBOR_SEQ),
        (b"\xff", CBOR_SEQ),
        (b"\x1c", CBOR_SEQ),
    ],
    ids=repr,
)
def test_a_batch_whose_events_cannot_be_told_apart_is_refused(
    body: bytes, media: str
) -> None:
    with pytest.raises(BadRequestError):
        split_batch(body, media)


@pytest.mark.parametrize("media", ["", "text/plain", "application/octet-stream"])
def test_another_content_type_is_refused(media: str) -> None:
    with pytest.raises(UnsupportedTypeError, match="cbor-seq"):
        split_batch(b"[1]", media)


@pytest.mark.parametrize(
    ("unit", "media", "most"),
    [
        (b"[%s1]", JSON, MAX_BATCH - 1),
        (b"%s1", NDJSON, MAX_BATCH - 1),
        (b"%s", CBOR_SEQ, MAX_BATCH),
    ],
    ids=["array", "lines", "sequence"],
)
def test_a_batch_has_so_many_events_at_most(unit: bytes, media: str, most: int) -> None:
    each = {JSON: b"1,", NDJSON: b"1\n", CBOR_SEQ: b"\x01"}[media]

    assert len(split_batch(unit % (each * most), media)) == MAX_BATCH
    with pytest.raises(TooLargeError, match="10000 events"):
        split_batch(unit % (each * (most + 1)), media)


def test_a_cbor_array_that_promises_more_is_refused_by_its_head() -> None:
    with pytest.raises(TooLargeError, match="10000 events"):
        split_batch(b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff", CBOR)


@pytest.mark.parametrize("unit", [b"1,", b"{},", b"[],", b'"",', b"\n,"], ids=repr)
def test_millions_of_small_items_are_refused_too(unit: bytes) -> None:
    body = b"[" + unit * 400_000 + b"1]"

    with pytest.raises(TooLargeError, match="10000 events"):
        split_batch(body, JSON)


@pytest.mark.parametrize("media", [JSON, NDJSON])
@pytest.mark.parametrize("unit", [b"1,", b"[],", b"{},"], ids=repr)
def test_a_batch_of_json_has_so_many_values_at_most(unit: bytes, media: str) -> None:
    item = b"[" + unit * 10_000 + b"1]"
    body = b"[" + b",".join([item] * 100) + b"]"

    with pytest.raises(TooLargeError, match="over 1000000 values"):
        split_batch(body if media == JSON else body + b"\n", media)


def test_texts_that_no_comma_parts_are_counted_too() -> None:
    with pytest.raises(TooLargeError, match="over 2000000 texts and values"):
        split_batch(b"[" + b'""' * (MAX_MARKS + 1) + b"]", JSON)


@pytest.mark.parametrize("head", [b"\x00", b"\x80", b"\x60"], ids=repr)
def test_a_batch_of_cbor_has_so_many_data_items_at_most(head: bytes) -> None:
    item = b"\x99\xff\xf0" + head * 0xFFF0  # 65,521 data items
    fits, over = item * 15, item * 16

    assert len(split_batch(fits, CBOR_SEQ)) == 15
    assert len(split_batch(b"\x8f" + fits, CBOR)) == 15
    for body, media in ((over, CBOR_SEQ), (b"\x90" + over, CBOR)):
        with pytest.raises(TooLargeError, match="over 1000000 data items"):
            split_batch(body, media)


def test_what_promises_more_than_there_is_has_not_many_heads() -> None:
    assert not has_many_heads(b"\x99\xff\xff\x00", 2)
    assert not has_many_heads(b"\x82\x00\x00", 3)
    assert has_many_heads(b"\x83\x00\x00\x00", 3)


@pytest.mark.parametrize("media", BATCH_TYPES)
def test_a_batch_over_the_limit_is_refused(media: str) -> None:
    with pytest.raises(TooLargeError, match="8388608 bytes"):
        split_batch(b"[" + b" " * MAX_BATCH_BYTES, media)


def test_an_array_of_many_commas_is_cut_all_the_same() -> None:
    odd = json.dumps({"a": [0] * 300_000}).encode()
    body = b"[%s,%s,%s]" % (GOOD, odd, GOOD)

    assert outcomes(body, JSON) == ["taken", "an event may have 262144 bytes", "taken"]


@given(st.lists(TREE, min_size=1, max_size=5), st.sampled_from([None, 1]))
def test_both_ways_to_cut_an_array_cut_alike(values: list[object], indent: int) -> None:
    body = json.dumps(values, indent=indent).encode()

    quick = [json.loads(item) for item in split_batch(body, JSON)]
    slow = [json.loads(item) for item in _cut_slowly(body)]

    assert quick == slow == values


@given(st.binary(max_size=40) | st.text('[]{}",\\ 1a', max_size=30).map(str.encode))
def test_any_bytes_are_cut_or_refused(body: bytes) -> None:
    for media in BATCH_TYPES:
        try:
            items = split_batch(body, media)
        except RequestError:
            continue
        assert 1 <= len(items) <= MAX_BATCH
        assert sum(map(len, items)) <= len(body)


@given(st.lists(st.sampled_from([usual(), FULL]), min_size=1, max_size=300))
def test_cbor_arrays_of_any_length_are_cut(datas: list[dict[str, object]]) -> None:
    items = [canonical.encode(data) for data in datas]
    body = canonical.encode([0] * len(items), most=2**20)
    head = body[: len(body) - len(items)]

    assert split_batch(head + b"".join(items), CBOR) == items
    assert split_batch(b"".join(items), CBOR_SEQ) == items
