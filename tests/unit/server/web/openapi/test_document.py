"""The description is a valid document, and says what the code says."""

from __future__ import annotations

import re
from collections.abc import Iterator

import jsonschema_rs
import pytest
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR

from tallystick_server.errors import RequestError, UnprocessableError
from tallystick_server.web.app import ROUTES
from tallystick_server.web.openapi.document import document
from tallystick_server.web.problems import INTERNAL, METHOD_NOT_ALLOWED, TYPES, Kind
from tests.fakes.openapi import Node, described, nodes, operations, resolve

WHOLE = described()


def test_the_document_is_openapi_3_1() -> None:
    assert WHOLE["openapi"].startswith("3.1.")
    assert [str(error) for error in OPENAPI_31_VALIDATOR.iter_errors(WHOLE)] == []


def test_a_planted_fault_of_the_document_is_found() -> None:
    planted = described()
    del planted["paths"]["/livez"]["get"]["responses"]["200"]["description"]

    assert list(OPENAPI_31_VALIDATOR.iter_errors(planted)) != []


def schemas_of(whole: Node) -> Iterator[tuple[str, Node]]:
    """Every schema that stands in the document."""
    yield from whole["components"]["schemas"].items()
    for path, node in nodes(whole):
        if "schema" in node and "/examples" not in path:
            yield path, node["schema"]


@pytest.mark.parametrize(("path", "schema"), list(schemas_of(WHOLE)))
def test_every_schema_is_one(path: str, schema: Node) -> None:
    assert path
    jsonschema_rs.meta.validate(
        {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
    )


def test_every_reference_leads_somewhere_and_every_component_is_used() -> None:
    used = {node["$ref"] for _, node in nodes(WHOLE) if "$ref" in node}
    there = {
        f"#/components/{kind}/{name}"
        for kind, held in WHOLE["components"].items()
        for name in held
        if kind != "securitySchemes"
    }
    never = {f"#/components/responses/{METHOD_NOT_ALLOWED.code}"}  # of no operation

    assert used <= there
    assert there - used == never


def as_pattern(path: str) -> re.Pattern[str]:
    """What a route of the router matches, where it is given a documented path."""
    parts = re.split(r"\{(\w+)(?::([^}]*))?\}", path)
    texts, kinds = parts[::3], parts[2::3]
    joined = re.escape(texts[0]) + "".join(
        f"(?:{kind or '[^{}/]+|{[^{}]+}'})" + re.escape(text)
        for kind, text in zip(kinds, texts[1:], strict=True)
    )
    return re.compile(joined)


def test_every_route_is_described_and_no_other() -> None:
    routes = {(route.method, route.path) for route in ROUTES}
    found = {
        (method.upper(), path): [
            route
            for route in routes
            if route[0] == method.upper() and as_pattern(route[1]).fullmatch(path)
        ]
        for path, item in WHOLE["paths"].items()
        for method in item
    }

    assert [one for one, served_by in found.items() if len(served_by) != 1] == []
    assert {route for served_by in found.values() for route in served_by} == routes


def test_parameters_of_a_path_are_those_that_it_names() -> None:
    for name, operation in operations(WHOLE).items():
        given = [resolve(WHOLE, one) for one in operation["parameters"]]
        in_path = sorted(one["name"] for one in given if one["in"] == "path")

        assert in_path == sorted(re.findall(r"\{(\w+)\}", operation["path"])), name
        assert len({(one["in"], one["name"]) for one in given}) == len(given), name


def test_every_problem_is_described_with_its_status_and_title() -> None:
    kinds: list[type[RequestError]] = [RequestError, *RequestError.__subclasses__()]
    declared = {Kind(one.status, one.code, one.title) for one in kinds}
    declared |= {METHOD_NOT_ALLOWED, INTERNAL}
    found = set()
    for code, node in WHOLE["components"]["responses"].items():
        schema = node["content"]["application/problem+json"]["schema"]["properties"]
        found.add((schema["status"]["const"], code, schema["title"]["const"]))
        assert schema["type"]["const"] == TYPES + code

    assert found == declared
    refused = WHOLE["components"]["schemas"]["BatchResult"]["oneOf"][1]["properties"]
    assert refused["status"]["const"] == UnprocessableError.status
    assert refused["type"]["const"] == TYPES + UnprocessableError.code


def test_a_refusal_stands_under_its_own_status() -> None:
    for name, operation in operations(WHOLE).items():
        for status, node in operation["responses"].items():
            content = resolve(WHOLE, node).get("content", {})
            problem = content.get("application/problem+json")
            if problem is None:
                assert int(status) < 400 or name == "getReady"
            else:
                said = problem["schema"]["properties"]["status"]["const"]
                assert str(said) == status


def test_links_lead_to_operations_and_give_what_these_need() -> None:
    known = operations(WHOLE)
    links = [
        link
        for operation in known.values()
        for node in operation["responses"].values()
        for link in node.get("links", {}).values()
    ]

    assert links
    for link in links:
        target = known[link["operationId"]]
        given = [resolve(WHOLE, one) for one in target["parameters"]]
        needed = {one["name"] for one in given if one.get("required")}
        assert set(link["parameters"]) == needed


def test_appends_need_a_token_and_reads_may_need_one() -> None:
    ways = {
        name: node["security"]
        for name, node in operations(WHOLE).items()
        if "security" in node
    }
    scheme = WHOLE["components"]["securitySchemes"]["token"]

    assert {name for name, way in ways.items() if way == [{}, {"token": []}]} == {
        "getTile",
        "getPartialTile",
        "getEntries",
        "getPartialEntries",
        "getInclusionProof",
        "getConsistencyProof",
        "getReceipt",
    }
    assert {"appendEntry", "appendBatch"} <= {
        name for name, way in ways.items() if way == [{"token": []}]
    }
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")


def test_the_document_is_the_same_each_time_and_names_no_host() -> None:
    assert document() is document()
    assert [server["url"] for server in WHOLE["servers"]] == ["/"]
