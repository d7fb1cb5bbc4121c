"""Operations about the server itself: front page, health, and this description."""

from __future__ import annotations

from aiohttp import hdrs

from tallystick_server.web import health, index
from tallystick_server.web.envelope import SCHEMA_HEADERS, TAXONOMY_HEADERS
from tallystick_server.web.openapi.headers import DOCUMENT_HEADERS, PAGE_HEADERS
from tallystick_server.web.openapi.parts import answer, named, problems, unchanged
from tallystick_server.web.openapi.schemas import Node, ref


def describing() -> dict[str, Node]:
    """Give the paths that are about the server, not about one log."""
    return {
        "/": {"get": _front()},
        "/livez": {"get": _live()},
        "/readyz": {"get": _ready()},
        "/healthz": {"get": _health()},
        "/v1/schemas/event.json": {"get": _envelope()},
        "/v1/taxonomy": {"get": _taxonomy()},
        "/openapi.json": {"get": _document()},
        "/docs": {"get": _page()},
    }


def _operation(
    name: str, tag: str, summary: str, replies: dict[str, Node], *parameters: str
) -> Node:
    """An operation that takes nothing of its own."""
    return {
        "operationId": name,
        "tags": [tag],
        "summary": summary,
        "parameters": [ref(one, "parameters") for one in (*parameters, "request-id")],
        "responses": {**replies, **problems()},
    }


def _front() -> Node:
    page = answer(
        "Names, keys and paths of the logs.",
        index.HEADERS,
        {"type": "string"},
        example="front",
    )
    return _operation("getIndex", "server", "Which logs are here", {"200": page})


def _live() -> Node:
    alive = answer("It answers.", health.HEADERS, ref("Alive"), example="live")
    summary = "Whether the process answers"
    return _operation("getLive", "server", summary, {"200": alive})


def _ready() -> Node:
    replies = {
        "200": answer("It may.", health.HEADERS, ref("Ready"), example="ready"),
        "503": answer(
            "It should go elsewhere: entries would be refused, or publishing has stood"
            " still for too long.",
            health.HEADERS,
            ref("NotReady"),
            example="not-ready",
        ),
    }
    return _operation("getReady", "server", "Whether traffic may come", replies)


def _health() -> Node:
    checks = answer(
        "All checks, whatever they found.",
        health.HEADERS,
        ref("Health"),
        example="health",
    )
    return _operation("getHealth", "server", "Every check", {"200": checks})


def _envelope() -> Node:
    schema: Node = {"type": "object", "required": ["$schema", "$id", "properties"]}
    held = answer(
        "JSON Schema 2020-12.", SCHEMA_HEADERS, schema, extra=named(hdrs.ETAG)
    )
    replies = {"200": held, "304": unchanged(SCHEMA_HEADERS)}
    summary = "What every event looks like"
    return _operation("getEventSchema", "server", summary, replies, "if-none-match")


def _taxonomy() -> Node:
    schema: Node = {"type": "object", "required": ["categories"]}
    held = answer(
        "Actions by category.", TAXONOMY_HEADERS, schema, extra=named(hdrs.ETAG)
    )
    replies = {"200": held, "304": unchanged(TAXONOMY_HEADERS)}
    summary = "Actions that have a meaning of their own"
    return _operation("getTaxonomy", "server", summary, replies, "if-none-match")


def _document() -> Node:
    schema: Node = {"type": "object", "required": ["openapi", "info", "paths"]}
    replies = {
        "200": answer("OpenAPI 3.1.", DOCUMENT_HEADERS, schema, extra=named(hdrs.ETAG)),
        "304": unchanged(DOCUMENT_HEADERS),
    }
    summary = "This document"
    return _operation("getOpenApi", "server", summary, replies, "if-none-match")


def _page() -> Node:
    replies = {
        "200": answer(
            "HTML.", PAGE_HEADERS, {"type": "string"}, extra=named(hdrs.ETAG)
        ),
        "304": unchanged(PAGE_HEADERS),
    }
    summary = "This document as a page"
    return _operation("getDocs", "server", summary, replies, "if-none-match")
