from __future__ import annotations

import pytest

from tallystick_client.mapping.catalogue import shipped
from tallystick_client.mapping.cloudevents import unwrap
from tallystick_client.mapping.records import RecordError
from tallystick_merkle.event import Value
from tests.unit.client.mapping.samples import KEY, event_of, lost

STRUCTURED: dict[str, Value] = {
    "specversion": "1.0",
    "id": "A234-1234-1234",
    "source": "/shop/orders",
    "type": "com.example.order.created",
    "time": "2026-01-02T03:04:05.678Z",
    "subject": "order/4711",
    "authtype": "service_account",
    "authid": "checkout",
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "datacontenttype": "application/json; charset=utf-8",
    "data": {"total": "12.50"},
}

BINARY: dict[str, Value] = {
    "headers": {
        "CE-Specversion": "1.0",
        "ce-id": "A234-1234-1234",
        "ce-source": "/shop/orders",
        "ce-type": "com.example.order.created",
        "ce-time": "2026-01-02T03:04:05.678Z",
        "ce-subject": "order%2F4711",
        "ce-authtype": "service_account",
        "ce-authid": "checkout",
        "ce-traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "Content-Type": "application/json; charset=utf-8",
    },
    "body": '{"total":12.50}',
}


def apply(record: Value) -> dict[str, Value]:
    event = shipped("cloudevents").apply(unwrap(record), line=1, key=KEY)
    assert event is not None
    return event


def test_a_structured_event_is_mapped_with_nothing_lost() -> None:
    event = apply(STRUCTURED)
    read = event_of(event)

    assert read.action == "com.example.order.created"
    assert (read.actor.type, read.actor.id) == ("service-account", "checkout")
    assert [target.id for target in read.targets] == ["order/4711"]
    assert event["trace_id"] == "0af7651916cd43dd8448eb211c80319c"
    assert lost(STRUCTURED, event) == []


def test_the_binary_mode_says_the_same() -> None:
    assert apply(BINARY) == apply(STRUCTURED)


def test_other_headers_and_bodies_are_kept() -> None:
    record: dict[str, Value] = {
        "headers": {
            "ce-specversion": "1.0",
            "ce-id": "1",
            "host": "shop.example",
        },
        "body_base64": "AAEC",
        "status": 200,
    }

    assert unwrap(record) == {
        "specversion": "1.0",
        "id": "1",
        "data_base64": "AAEC",
        "http": {"host": "shop.example", "status": 200},
    }


def test_a_body_that_is_no_json_stays_text() -> None:
    record: dict[str, Value] = {
        "headers": {"ce-specversion": "1.0", "content-type": "application/json"},
        "body": "{",
    }

    unwrapped = unwrap(record)

    assert isinstance(unwrapped, dict)
    assert unwrapped["data"] == "{"


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ({"host": "x"}, "no ce-specversion"),
        ({"ce-id": "1", "CE-ID": "2"}, "stands there twice"),
    ],
    ids=["another request", "repeated header"],
)
def test_a_request_that_is_no_cloudevent_is_refused(
    headers: dict[str, Value], why: str
) -> None:
    with pytest.raises(RecordError, match=why):
        unwrap({"headers": headers, "body": ""})


def test_an_event_without_a_time_is_refused() -> None:
    with pytest.raises(RecordError, match="no time"):
        apply({name: item for name, item in STRUCTURED.items() if name != "time"})
