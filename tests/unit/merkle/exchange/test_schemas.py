from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from tallystick_merkle.errors import ExchangeError, MalformedError, RefusedError
from tallystick_merkle.exchange.appending import LogAddress
from tallystick_merkle.exchange.base import NO_RETRY, Response
from tallystick_merkle.exchange.schemas import (
    list_schemas,
    read_schema,
    register_schema,
)
from tests.fakes.driving import Driver, drive
from tests.fakes.memory_log import problem
from tests.unit.merkle.schemas import schema

API = "https://log.example/v1/logs/audit"
LOG = LogAddress("", API, "", "secret")
SCHEMA = schema(2)
ID = SCHEMA.id
FACTS: Mapping[str, object] = {
    "id": ID,
    "version": 2,
    "action": ID,
    "digest": SCHEMA.digest.hex(),
    "index": 7,
    "registered_at": "2026-11-23T12:00:00.000Z",
    "registered_by": "ops",
}


def answer(body: object, status: int = 200) -> Response:
    return Response(status, {}, json.dumps(body).encode())


@pytest.mark.parametrize(("status", "is_new"), [(201, True), (200, False)])
def test_a_schema_is_sent_in_its_one_spelling(status: int, is_new: bool) -> None:
    driver = Driver(lambda _: answer(FACTS, status))

    registered, found = driver.run(register_schema(LOG, SCHEMA))

    (step,) = driver.steps
    assert isinstance(step, tuple)
    (request,) = step
    assert (request.method, request.url) == ("POST", f"{API}/schemas")
    assert request.body == SCHEMA.text.encode()
    assert request.headers["Authorization"] == "Bearer secret"
    assert (registered.index, registered.digest) == (7, SCHEMA.digest)
    assert found is is_new


def test_an_answer_about_another_schema_is_refused() -> None:
    other = {**FACTS, "digest": "0" * 64}

    with pytest.raises(MalformedError, match="another schema"):
        drive(register_schema(LOG, SCHEMA), lambda _: answer(other, 201))


def test_a_refusal_is_told() -> None:
    refused = problem(422, "unprocessable", "expected version 1")

    with pytest.raises(RefusedError, match="expected version 1"):
        drive(register_schema(LOG, SCHEMA, retry=NO_RETRY), lambda _: refused)


def test_all_schemas_are_listed() -> None:
    listed = {"log": "audit", "schemas": [FACTS, FACTS]}

    found = drive(list_schemas(LOG), lambda _: answer(listed))

    assert [(one.id, one.version, one.action) for one in found] == [(ID, 2, ID)] * 2
    assert found[0].registered_at == "2026-11-23T12:00:00.000Z"
    assert found[0].registered_by == "ops"


@pytest.mark.parametrize(
    "row", [{**FACTS, "digest": "x"}, {**FACTS, "version": "2"}, {}, 7]
)
def test_a_row_that_is_none_is_refused(row: object) -> None:
    with pytest.raises(MalformedError):
        drive(list_schemas(LOG), lambda _: answer({"schemas": [row]}))


def test_an_answer_that_is_no_json_is_refused() -> None:
    with pytest.raises(ExchangeError):
        drive(list_schemas(LOG), lambda _: Response(200, {}, b"<html>"))


def test_a_document_is_fetched_and_read() -> None:
    driver = Driver(lambda _: Response(200, {}, SCHEMA.text.encode()))

    assert driver.run(read_schema(LOG, ID, 2)) == SCHEMA
    assert driver.urls == [[f"{API}/schemas/{ID}/2"]]


@pytest.mark.parametrize("body", [schema(1).text.encode(), b"{}"])
def test_another_document_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedError):
        drive(read_schema(LOG, ID, 2), lambda _: Response(200, {}, body))
