"""The document: put together once, and always the same bytes for one version."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version

from tallystick_server.web.openapi.describing import describing
from tallystick_server.web.openapi.enveloped import enveloped
from tallystick_server.web.openapi.eventpaths import event_paths
from tallystick_server.web.openapi.eventschemas import event_schemas
from tallystick_server.web.openapi.keeping import keeping, kept
from tallystick_server.web.openapi.parts import BEARER, headers, parameters, responses
from tallystick_server.web.openapi.reading import reading
from tallystick_server.web.openapi.registering import registered, registering
from tallystick_server.web.openapi.schemas import Node, schemas
from tallystick_server.web.openapi.writing import writing

_ABOUT = """\
A tamper-evident log: entries go in, receipts come out, and anybody can check them \
offline.

Numbers are decimal without leading zeros; hashes are hex where they name a leaf, \
base64 elsewhere. Outside `/t/`, a query parameter that is unknown, escaped or \
repeated is refused. A `GET` path takes `HEAD` too; any other method is refused with \
405. Whatever is not there has one answer, 404.

429, 503 and 507 may be tried again with the same key, after the `Retry-After` \
if there is one: the same key never appends twice."""

_TAGS = {
    "write": "Append entries to a log of raw entries; needs a token that may append.",
    "events": "Submit events to a log of events, read them, and prove single fields.",
    "tiles": "The log as static resources (c2sp.org/tlog-tiles), for anybody; tiles of"
    " a log of events that is not public need a token that may read.",
    "proofs": "What a log is, for anybody; proofs and receipts, as tiles are.",
    "keep": "Schemas, producers and refused events of a log of events; most of it needs"
    " a token that may administer the log.",
    "server": "The server itself.",
}


@cache
def document() -> Node:
    """Give the document; it must not be changed."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Tallystick log server",
            "version": version("tallystick"),
            "summary": "Append to tamper-evident logs, read them, and prove it",
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "Where this document came from."}],
        "tags": [{"name": name, "description": about} for name, about in _TAGS.items()],
        "paths": {
            **writing(),
            **event_paths(),
            **reading(),
            **registering(),
            **keeping(),
            **describing(),
        },
        "components": {
            "schemas": {
                **schemas(),
                **event_schemas(),
                **enveloped(),
                **registered(),
                **kept(),
            },
            "parameters": parameters(),
            "headers": headers(),
            "responses": responses(),
            "securitySchemes": {
                BEARER: {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A token of the log, made by `tallystick server"
                    " token add`.",
                }
            },
        },
    }
