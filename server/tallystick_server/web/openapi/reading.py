"""Operations that read a log: static resources, facts, proofs and receipts.

Of a log that is not for everybody, tiles, proofs and receipts need a token.
"""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import hdrs

from tallystick_merkle.tile import MAX_LEVEL, TILE_WIDTH
from tallystick_server.errors import NotFoundError, UnauthorizedError, UnavailableError
from tallystick_server.web.openapi.parts import (
    FOR_READERS,
    answer,
    named,
    parameter,
    problems,
    unchanged,
)
from tallystick_server.web.openapi.schemas import Node, number, ref, text, whole
from tallystick_server.web.proofs import (
    FACTS_HEADERS,
    PROOF_HEADERS,
    RECEIPT_HEADERS,
    STATUS,
)
from tallystick_server.web.tiles import (
    BUNDLE_HEADERS,
    CHECKPOINT_HEADERS,
    TILE_HEADERS,
)

_GROUPS = "(?:x[0-9]{3}/){0,5}[0-9]{3}"
_TILE = "/t/{log}/tile/{level}/{tile}"
_BUNDLE = "/t/{log}/tile/entries/{tile}"


def reading() -> dict[str, Node]:
    """Give the paths of reads."""
    return {
        "/t/{log}/checkpoint": {"get": _checkpoint()},
        _TILE: {"get": _tile("getTile", TILE_HEADERS, _level())},
        _TILE + ".p/{width}": {
            "get": _tile("getPartialTile", TILE_HEADERS, _level(), _width())
        },
        _BUNDLE: {"get": _tile("getEntries", BUNDLE_HEADERS)},
        _BUNDLE + ".p/{width}": {
            "get": _tile("getPartialEntries", BUNDLE_HEADERS, _width())
        },
        "/v1/logs/{log}": {"get": _log()},
        "/v1/logs/{log}/proof/inclusion": {"get": _inclusion()},
        "/v1/logs/{log}/proof/consistency": {"get": _consistency()},
        "/v1/logs/{log}/receipts/{index}": {"get": _receipt()},
    }


def _checkpoint() -> Node:
    found = answer(
        "The checkpoint: a signed note.",
        CHECKPOINT_HEADERS,
        ref("Checkpoint"),
        extra=named(hdrs.ETAG),
        example="checkpoint",
    )
    return {
        "operationId": "getCheckpoint",
        "tags": ["tiles"],
        "summary": "The published checkpoint, with its cosignatures",
        "description": "Not there until the first one is published. A query is"
        " ignored.",
        "parameters": _parameters("log", "if-none-match"),
        "responses": {
            "200": found,
            "304": unchanged(CHECKPOINT_HEADERS),
            **_missing(),
        },
    }


def _tile(name: str, served: Mapping[str, str], *more: Node) -> Node:
    """A hash tile or a bundle of entries, whole or partial."""
    is_bundle, is_partial = served is BUNDLE_HEADERS, name.startswith("getPartial")
    what = "bundle of entries" if is_bundle else "hash tile"
    width = f"1 to {TILE_WIDTH - 1}" if is_partial else str(TILE_WIDTH)
    held = (
        "entries, each after its length in two bytes, the high one first"
        if is_bundle
        else "hashes of 32 bytes"
    )
    found = answer(
        f"{width} {held}.",
        served,
        None,
        extra=named(hdrs.CONTENT_ENCODING) if is_bundle else None,
        is_guarded=True,
    )
    tile = parameter(
        "path",
        "tile",
        "The tile's number in groups of three digits, all but the last after an `x`:"
        " 1234067 is `x001/x234/067`. The slashes are sent as they are, not escaped.",
        text("Groups of digits.", pattern=whole(_GROUPS)),
        example="000",
    )
    shared = ("log", "accept-encoding") if is_bundle else ("log",)
    return {
        "operationId": name,
        "tags": ["tiles"],
        "summary": f"A {'partial' if is_partial else 'full'} {what}",
        "description": "A static resource of c2sp.org/tlog-tiles: it is there as soon"
        " as it is committed, and never changes or goes away. A query is ignored.",
        "security": FOR_READERS,
        "parameters": [*_parameters(*shared), *more, tile],
        "responses": {"200": found, **_guarded()},
    }


def _level() -> Node:
    schema = number("0 is the level of the leaf hashes.", most=MAX_LEVEL)
    return parameter("path", "level", "The tile's level.", schema, example=0)


def _width() -> Node:
    schema = number("Hashes, or entries.", least=1, most=TILE_WIDTH - 1)
    return parameter("path", "width", "How many of them.", schema, example=4)


def _log() -> Node:
    links = {
        "inclusion": {
            "operationId": "getInclusionProof",
            "parameters": {
                "log": "$request.path.log",
                "index": "0",
                "size": "$response.body#/size",
            },
        }
    }
    return {
        "operationId": "getLog",
        "tags": ["proofs"],
        "summary": "What a log is, and where it stands",
        "parameters": _parameters("log"),
        "responses": {
            "200": answer(
                "Its name, its key and its sizes.",
                FACTS_HEADERS,
                ref("Log"),
                example="log",
                links=links,
            ),
            **_missing(),
        },
    }


def _inclusion() -> Node:
    return {
        "operationId": "getInclusionProof",
        "tags": ["proofs"],
        "summary": "Prove that an entry is in a tree",
        "description": "For any index below any committed size; another pair is"
        " refused.",
        "security": FOR_READERS,
        "parameters": [
            *_parameters("log"),
            _required("index", "The entry's index.", ref("Index"), 1),
            _required("size", "The size of the tree.", _size(), 4),
        ],
        "responses": {
            "200": answer(
                "The proof; it never changes.",
                PROOF_HEADERS,
                ref("InclusionProof"),
                example="inclusion",
                is_guarded=True,
            ),
            **_guarded(),
        },
    }


def _consistency() -> Node:
    return {
        "operationId": "getConsistencyProof",
        "tags": ["proofs"],
        "summary": "Prove that one tree is the beginning of another",
        "description": "For two committed sizes, the old one at most the new one;"
        " another pair is refused.",
        "security": FOR_READERS,
        "parameters": [
            *_parameters("log"),
            _required("old", "The size of the smaller tree.", _size(), 2),
            _required("new", "The size of the larger tree.", _size(), 4),
        ],
        "responses": {
            "200": answer(
                "The proof; it never changes.",
                PROOF_HEADERS,
                ref("ConsistencyProof"),
                example="consistency",
                is_guarded=True,
            ),
            **_guarded(),
        },
    }


def _receipt() -> Node:
    status = {
        "description": "What the receipt is.",
        "required": True,
        "schema": ref("Status"),
    }
    return {
        "operationId": "getReceipt",
        "tags": ["proofs"],
        "summary": "The best receipt of an entry that there is now",
        "security": FOR_READERS,
        "parameters": _parameters("log", "index"),
        "responses": {
            "200": answer(
                "The receipt, as tlog-proof text.",
                RECEIPT_HEADERS,
                ref("Receipt"),
                extra={STATUS: status},
                example="receipt",
                is_guarded=True,
            ),
            **_guarded(),
        },
    }


def _parameters(*names: str) -> list[Node]:
    return [ref(name, "parameters") for name in (*names, "request-id")]


def _required(name: str, description: str, schema: Node, example: int) -> Node:
    found = parameter("query", name, description, schema, example=example)
    return {**found, "required": True}


def _size() -> Node:
    return number("Entries.", least=1)


def _missing() -> dict[str, Node]:
    """Refusals of every read of a log."""
    return problems(NotFoundError, UnavailableError)


def _guarded() -> dict[str, Node]:
    """Refusals of a read that may need a token."""
    return {**problems(UnauthorizedError), **_missing()}
