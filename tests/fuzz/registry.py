"""All targets: each a group of parsers that are fed the same bytes.

Parsers of one kind of input share a target, and so its time and its corpus.
"""

from __future__ import annotations

from itertools import chain

from tests.fuzz.target import Target
from tests.fuzz.targets import (
    answers,
    backups,
    client,
    ev1,
    events,
    kernel,
    schemas,
    server,
    trees,
    witness,
)

_MODULES = (
    answers,
    backups,
    client,
    ev1,
    events,
    kernel,
    schemas,
    server,
    trees,
    witness,
)
_PARSERS: dict[str, Target] = {
    name: parser for module in _MODULES for name, parser in module.TARGETS.items()
}

GROUPS: dict[str, tuple[str, ...]] = {
    "add-checkpoint": ("add-checkpoint", "submission"),
    "anchors": ("server-anchor", "witness-anchor"),
    "append-answer": ("append-answer",),
    "backup": ("manifest", "marker"),
    "batch-answer": ("batch-answer",),
    "bundle": ("bundle", "batch", "batch-body", "entry-lines"),
    "cbor": ("cbor", "genesis"),
    "configs": ("server-config", "witness-config", "client-config"),
    "cosignatures": ("cosignatures",),
    "disclosures": ("disclosure", "evidence"),
    "environments": ("server-environment", "witness-environment", "client-environment"),
    "event-json": ("event", "opening"),
    "event-records": ("record", "plaintext", "leaf", "index-entry"),
    "json-files": ("token-file", "edge", "demo-setup"),
    "lines": (
        "vkey",
        "skey",
        "tile-path",
        "url",
        "query",
        "accept-encoding",
        "authorization",
        "witness-size",
    ),
    "note": ("note", "checkpoint", "signature-lines", "believed"),
    "policy": ("policy", "user-files"),
    "proofs": ("proofs", "range-proof", "tile-hashes"),
    "receipt": ("receipt", "held-receipt"),
    "schemas": ("schema", "schema-answer"),
    "served-checkpoint": ("served-checkpoint", "signed-checkpoint"),
    "served-tile": ("served-tile",),
    "server-records": ("server-records",),
    "submitted-events": ("submitted-json", "submitted-cbor", "submitted-batch"),
    "witness-answer": ("witness-answer",),
    "witness-records": ("witness-records",),
    "witness-request": ("witness-request",),
}
"""The parsers of each target, by name."""


def parsers() -> frozenset[str]:
    """Name all parsers."""
    return frozenset(_PARSERS)


def target(name: str) -> Target:
    """Give a target: it feeds its bytes to each of its parsers."""
    members = [_PARSERS[parser] for parser in GROUPS[name]]

    def feed(data: bytes) -> None:
        for parser in members:
            parser(data)

    return feed


def seeds(name: str) -> list[bytes]:
    """Give good inputs of a target, made from vectors and by our own writers."""
    found = {
        parser: made
        for module in _MODULES
        for parser, made in module.seeds().items()
        if parser in GROUPS[name]
    }
    return list(chain.from_iterable(found.values()))
