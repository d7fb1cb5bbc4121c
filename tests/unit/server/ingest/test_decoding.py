"""Odd events are refused at their place, and no refusal quotes a value."""

from __future__ import annotations

import json
from typing import Any
from unicodedata import category

import pytest
from hypothesis import given

from tallystick_merkle import canonical
from tallystick_server.errors import EventError, TooLargeError, UnsupportedTypeError
from tallystick_server.ingest.decoding import (
    MAX_EVENT_BYTES,
    MAX_VALUES,
    decode_event,
)
from tests.fakes.decoded import Refused, decode_batch
from tests.unit.server.ingest.drawn import SERVICE, Json, made, shapes, usual

JSON, NDJSON, CBOR = "application/json", "application/x-ndjson", "application/cbor"
USUAL = json.dumps(usual(), separators=(",", ":")).encode()
PLAIN = b'"role":"admin"'


def refusal(body: bytes, media: str = JSON) -> EventError:
    with pytest.raises(EventError) as refused:
        decode_event(body, media, service=SERVICE)
    return refused.value


def changed(path: str, value: object) -> bytes:
    """The usual event with one value put, or cut where it is ..., at a pointer."""
    data = usual()
    within: Any = data
    *above, last = path.split("/")[1:]
    for part in above:
        within = within[int(part) if isinstance(within, list) else part]
    place = int(last) if isinstance(within, list) else last
    if value is ...:
        del within[place]
    else:
        within[place] = value
    return json.dumps(data).encode()


@pytest.mark.parametrize(
    ("body", "pointer", "why"),
    [
        (b"", "", "not JSON (character 0)"),
        (b" ", "", "not JSON (character 1)"),
        (b"null", "", "expected an object"),
        (b"[]", "", "expected an object"),
        (b"\xef\xbb\xbf" + USUAL, "", "not JSON (character 0)"),
        (USUAL.decode().encode("utf-16"), "", "not UTF-8 (byte 0)"),
        (USUAL + b"{}", "", f"not JSON (character {len(USUAL)})"),
        (USUAL + b"\0", "", f"not JSON (character {len(USUAL)})"),
        (USUAL[:-1], "", f"not JSON (character {len(USUAL) - 1})"),
        (USUAL.replace(b"admin", b"\xff"), "", "not UTF-8"),
        (USUAL.replace(b"admin", b"\xed\xa0\x80"), "", "not UTF-8"),
        (USUAL.replace(b"admin", b"a\nb"), "", "not JSON"),
        (USUAL.replace(b"admin", b"\\x"), "", "not JSON"),
        (USUAL.replace(b":17", b":017"), "", "not JSON"),
        (USUAL.replace(b":17", b":+17"), "", "not JSON"),
        (USUAL.replace(b":17", b":0x11"), "", "not JSON"),
        (USUAL.replace(b'"admin"', b"'admin'"), "", "not JSON"),
        (USUAL.replace(b'"admin"', b'"admin",'), "", "not JSON"),
        (USUAL.replace(b'"admin"', b'/**/"admin"'), "", "not JSON"),
        (USUAL.replace(b'"admin"', b"True"), "", "not JSON"),
        (USUAL.replace(b"admin", b"\\ud800"), "/after/role", "a lone surrogate"),
        (USUAL.replace(b"admin", b"\\udc00\\ud800"), "/after/role", "a lone surrogate"),
        (USUAL.replace(PLAIN, b'"\\ud800":1'), "/after", "a control character"),
        (USUAL.replace(b'"admin"', b"1.5"), "/after/role", "send decimals as text"),
        (USUAL.replace(b'"admin"', b"-0.0"), "/after/role", "send decimals as text"),
        (USUAL.replace(b'"admin"', b"1e2"), "/after/role", "send decimals as text"),
        (USUAL.replace(b'"admin"', b"1e999"), "/after/role", "send decimals as text"),
        (USUAL.replace(b'"admin"', b"NaN"), "/after/role", "not a finite number"),
        (USUAL.replace(b'"admin"', b"-Infinity"), "/after/role", "not a finite number"),
        (USUAL.replace(b":17", b":17.0"), "/producer/sequence", "decimals as text"),
        (USUAL.replace(b'"admin"', b"[[{}],1.5]"), "/after/role/1", "decimals"),
        (USUAL.replace(b'"admin"', b"18446744073709551616"), "/after/role", "64 bits"),
        (USUAL.replace(b'"admin"', b"9" * 8000), "/after/role", "64 bits"),
        (USUAL.replace(b'"admin"', b"-9223372036854775809"), "/after/role", "64 bits"),
        (USUAL.replace(b'"admin"', b"[" * 17 + b"]" * 17), "/after/role", "nested"),
        (USUAL.replace(b'"admin"', b"[" * 8000 + b"]" * 8000), "", "nested"),
        (USUAL.replace(b'"admin"', b'{"a":' * 8000 + b"1" + b"}" * 8000), "", "nested"),
        (USUAL.replace(b'"admin"', b"[" * 8000), "", "n"),
    ],
    ids=lambda value: None if isinstance(value, bytes) else str(value)[:40],
)
def test_what_is_no_event_is_refused_at_its_place(
    body: bytes, pointer: str, why: str
) -> None:
    error = refusal(body)

    assert why in error.detail
    assert pointer == error.pointer or error.pointer.startswith(f"{pointer}/")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("/event_id", "0197A3B2-7C11-7D4E-8F00-0123456789AB"),
        ("/event_id", "0197a3b2-7c11-4d4e-8f00-0123456789ab"),
        ("/event_id", "0197a3b2-7c11-7d4e-8f00-0123456789ab\n"),
        ("/event_id", ...),
        ("/action", "login"),
        ("/action", "User.login"),
        ("/action", "user.login\n"),
        ("/action", ".".join(["a" * 64] * 3)),
        ("/actor/id", ""),
        ("/actor/id", "x" * 257),
        ("/actor/id", "e\u0301"),
        ("/actor/id", "a\x7f"),
        ("/actor/id", 7),
        ("/actor/type", "User"),
        ("/actor/type", None),
        ("/targets", [{"type": "file", "id": "f"}] * 11),
        ("/targets", ...),
        ("/targets/0/person", 1),
        ("/occurred_at", "2026-11-23 12:00:00Z"),
        ("/occurred_at", "2026-11-23T12:00:00"),
        ("/occurred_at", "2026-11-31T12:00:00Z"),
        ("/occurred_at", "1969-12-31T23:59:59.999Z"),
        ("/occurred_at", 1795435200000),
        ("/outcome/result", "ok"),
        ("/outcome/code", "no such code"),
        ("/outcome/code", None),
        ("/producer/sequence", -1),
        ("/producer/sequence", 2**53),
        ("/producer/sequence", True),
        ("/producer/sequence", "17"),
        ("/producer/epoch", None),
        ("/producer/service", "another"),
        ("/region", "eu central"),
        ("/corrects", "that one"),
        ("/schema", None),
        ("/reason", ""),
        ("/reason", "x" * 4097),
        ("/reason", {"a": "b"}),
        ("/before", []),
        ("/request/ip", 7),
        ("/request/ip", "x" * 1025),
        ("/correlation_id", "x" * 129),
        ("/roles", ["x"] * 65),
        ("/roles", "editor"),
        ("/details", "text"),
        ("/after", {"x": "y" * (16 * 1024)}),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_member_that_breaks_its_rule_is_refused_at_its_place(
    path: str, value: object
) -> None:
    error = refusal(changed(path, value))

    assert error.pointer == path or error.pointer.startswith(f"{path}/")


@pytest.mark.parametrize("path", ["/x", "/actor/name", "/targets/0/name", "/request/x"])
def test_a_member_that_there_is_not_is_refused(path: str) -> None:
    error = refusal(changed(path, "x"))

    assert "member" in error.detail
    assert error.pointer == path


@pytest.mark.parametrize(
    ("details", "why"),
    [
        ({str(number): number for number in range(65)}, "fields"),
        ({"a": {str(one): {str(two): 0 for two in range(9)} for one in range(8)}}, "f"),
        ({str(number): "x" * 16_000 for number in range(4)}, "bytes of fields"),
        ({"": 1}, "characters"),
        ({"x" * 129: 1}, "characters"),
        ({"e\u0301": 1}, "NFC"),
        ({"a\n": 1}, "control"),
    ],
    ids=["fields", "nested-fields", "bytes", "no-name", "long-name", "nfd", "control"],
)
def test_details_have_bounds(details: Json, why: str) -> None:
    assert why in refusal(json.dumps(usual() | {"details": details}).encode()).detail


SECRET = "Sesame 4711"


@pytest.mark.parametrize(
    "path",
    [
        "/event_id",
        "/action",
        "/actor",
        "/actor/type",
        "/targets",
        "/targets/0",
        "/occurred_at",
        "/outcome",
        "/outcome/result",
        "/producer",
        "/producer/sequence",
        "/producer/service",
        "/schema",
        "/region",
        "/corrects",
        "/before",
        "/request",
        "/roles",
        "/details",
    ],
)
@pytest.mark.parametrize("put", [SECRET, f"{SECRET} \n", [SECRET, 1.5]], ids=repr)
def test_no_refusal_quotes_a_value(path: str, put: object) -> None:
    error = refusal(changed(path, put))

    assert SECRET not in f"{error.detail} {error.pointer} {error}"


@given(shapes())
def test_a_pointer_leads_into_the_event_and_is_of_bounded_length(data: Json) -> None:
    (result,) = decode_batch(json.dumps(data).encode(), NDJSON, service=SERVICE)

    if isinstance(result, Refused):
        assert not result.pointer or result.pointer.startswith("/")
        assert len(result.pointer) <= 16 * 257
        assert not any(category(mark) in ("Cc", "Cs") for mark in result.pointer)
        assert result.why


def test_a_time_is_kept_as_utc_milliseconds() -> None:
    for spelled in (
        "2026-11-23T12:00:00.000Z",
        "2026-11-23t12:00:00z",
        "2026-11-23T13:30:00.000999999+01:30",
        "2026-11-23T00:00:00-12:00",
    ):
        body = changed("/occurred_at", spelled)
        assert decode_event(body, JSON, service=SERVICE).occurred_ms == 1795435200000


def test_the_service_is_the_principal_and_may_be_left_out() -> None:
    named = changed("/producer/service", SERVICE)

    assert decode_event(USUAL, JSON, service=SERVICE).producer.service == SERVICE
    assert decode_event(named, JSON, service=SERVICE).producer.service == SERVICE
    assert decode_event(named, JSON).producer.service == SERVICE
    with pytest.raises(EventError):
        decode_event(named, JSON, service="another")
    with pytest.raises(EventError):
        decode_event(USUAL, JSON)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "CBOR"),
        (b"\xa0\xa0", "after the value"),
        (canonical.encode(usual())[:-1], "cut short"),
        (b"\xbf\xff", "indefinite"),
        (b"\xa1\x61a\xfb\x3f\xf8\0\0\0\0\0\0", "send decimals as text"),
        (b"\xc0\xa0", "tag"),
        (b"\xa2\x61b\x01\x61a\x01", "not the deterministic encoding"),
        (b"\xa2\x61a\x01\x61a\x01", "decode"),
        (b"\xa1\x61a\x18\x01", "not the deterministic encoding"),
        (canonical.encode(usual() | {"reason": b"x"}), "expected a text"),
        (canonical.encode(usual() | {"details": {"a": b"x"}}), "a type"),
    ],
    ids=lambda value: None if isinstance(value, bytes) else str(value),
)
def test_cbor_that_is_no_event_is_refused(body: bytes, why: str) -> None:
    assert why in refusal(body, CBOR).detail


@pytest.mark.parametrize(
    "media",
    [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        'application/json;charset="UTF-8"',
    ],
)
def test_a_content_type_may_name_its_charset(media: str) -> None:
    assert decode_event(USUAL, media, service=SERVICE) == made(usual())


@pytest.mark.parametrize(
    "media",
    [
        "",
        "text/json",
        "application/jsonx",
        "application/json; charset=latin-1",
        "application/json; profile=x",
        "application/cbor; charset=utf-8",
        NDJSON,
        "application/cbor-seq",
    ],
)
def test_another_content_type_is_refused_and_the_right_ones_named(media: str) -> None:
    with pytest.raises(UnsupportedTypeError, match="application/json or application"):
        decode_event(USUAL, media, service=SERVICE)


def test_a_body_over_the_limit_is_refused_before_it_is_read() -> None:
    body = USUAL + b" " * (MAX_EVENT_BYTES - len(USUAL))

    assert decode_event(body, JSON, service=SERVICE) == made(usual())
    with pytest.raises(TooLargeError, match="262144 bytes"):
        decode_event(body + b" ", JSON, service=SERVICE)


def test_an_item_of_a_batch_over_the_limit_is_refused_alone() -> None:
    body = USUAL + b" " * MAX_EVENT_BYTES + b"\n" + USUAL

    assert decode_batch(body, NDJSON, service=SERVICE) == [
        Refused(0, "", "an event may have 262144 bytes"),
        made(usual()),
    ]


@pytest.mark.parametrize("inner", ["1", "[]", "{}", '""'])
def test_an_event_has_so_many_values_at_most_in_json(inner: str) -> None:
    many = ",".join([inner] * (MAX_VALUES + 1)).encode()

    error = refusal(USUAL.replace(b'"admin"', b"[%s]" % many))

    assert (error.pointer, error.detail) == ("", "an event may have 10000 values")


def test_an_event_has_so_many_values_at_most_in_cbor() -> None:
    data = usual()
    data["details"] = {"a": [0] * MAX_VALUES}

    error = refusal(canonical.encode(data), CBOR)

    assert (error.pointer, error.detail) == ("", "an event may have 10000 values")


def test_many_values_are_taken_and_what_stands_in_texts_is_none() -> None:
    data = usual()
    data["details"] = {"a": [0] * 9_000, "b": '\\",[{' * 2_600, "c": ",[{" * 2_600}
    event = decode_event(json.dumps(data).encode(), JSON, service=SERVICE)

    assert decode_event(canonical.encode(data), CBOR, service=SERVICE) == event
