"""The schemas of values and of JSON bodies (JSON Schema 2020-12).

Patterns and bounds come from the code that reads or writes the value.
"""

from __future__ import annotations

import re
from typing import Any

from tallystick_merkle.exchange.appending import MAX_BATCH
from tallystick_merkle.genesis import KINDS
from tallystick_merkle.hashing import HASH_SIZE, MAX_SIZE
from tallystick_merkle.keys import MAX_NAME, MAX_VKEY
from tallystick_merkle.note import MAX_NOTE
from tallystick_merkle.receipt import HEADER, MAX_PATH, MAX_RECEIPT
from tallystick_server.config.model import LOG_NAME
from tallystick_server.errors import UnprocessableError
from tallystick_server.web.health import Level
from tallystick_server.web.problems import MAX_DETAIL, SANE_ID, TYPES

Node = dict[str, Any]
"""A part of the document."""


def ref(name: str, kind: str = "schemas") -> Node:
    """Refer to a component."""
    return {"$ref": f"#/components/{kind}/{name}"}


def whole(pattern: str) -> str:
    """Make a pattern that the whole text has to match."""
    return f"^{pattern}$"


def text(description: str, **more: object) -> Node:
    """A text."""
    return {"type": "string", "description": description, **more}


def number(description: str, *, least: int = 0, most: int = MAX_SIZE) -> Node:
    """A whole number within bounds."""
    return {
        "type": "integer",
        "minimum": least,
        "maximum": most,
        "description": description,
    }


def record(description: str, **members: Node) -> Node:
    """An object; it has all of the members."""
    return {
        "type": "object",
        "description": description,
        "required": list(members),
        "properties": members,
    }


def several(items: Node, *, least: int = 0, most: int) -> Node:
    """An array."""
    return {"type": "array", "items": items, "minItems": least, "maxItems": most}


def schemas() -> dict[str, Node]:
    """Give the schemas that others refer to, by name."""
    return {
        **_values(),
        **_writing(),
        **_reading(),
        **_health(),
        "Problem": _problem(),
        "Faults": _faults(),
    }


def _values() -> dict[str, Node]:
    """Values that stand in more than one place."""
    hexes = 2 * HASH_SIZE
    return {
        "LogName": text("The name of a log.", pattern=whole(LOG_NAME.pattern)),
        "Index": number("The index of an entry; 0 is the first.", most=MAX_SIZE - 1),
        "Size": number("How many entries a tree has."),
        "LeafHash": text(
            "SHA-256(0x00 || entry), in hex.", pattern=whole(f"[0-9a-f]{{{hexes}}}")
        ),
        "Hash": text(
            "A hash of the tree, in base64.",
            pattern=whole("[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]="),
        ),
        "Path": several(ref("Hash"), most=MAX_PATH),
        "Time": text(
            "A time in UTC, with milliseconds.",
            format="date-time",
            pattern=whole(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{3}Z"),
        ),
        "Checkpoint": text(
            "A checkpoint of the log, as a signed note.",
            minLength=1,
            maxLength=MAX_NOTE,
            pattern=r"\n\n— ",
        ),
        "Receipt": text(
            "A receipt, as tlog-proof text: it is checked without the log.",
            maxLength=MAX_RECEIPT,
            pattern=f"^{HEADER.decode()}\n",
        ),
        "Status": text(
            "Whether the head in the answer meets the log's policy, or is signed by the"
            " log alone.",
            enum=["promised", "witnessed"],
        ),
        "Witnessed": {
            "type": "boolean",
            "description": "Whether the status is `witnessed`.",
        },
    }


def _writing() -> dict[str, Node]:
    """Answers to appends."""
    return {
        "EntryAnswer": record(
            "Where an entry is in the log, and its receipt.",
            index=ref("Index"),
            leaf_hash=ref("LeafHash"),
            size=ref("Size"),
            received_at=ref("Time"),
            status=ref("Status"),
            witnessed=ref("Witnessed"),
            receipt=ref("Receipt"),
        ),
        "BatchAnswer": record(
            "Where the entries of a batch are in the log, and one proof for all.",
            size=ref("Size"),
            received_at=ref("Time"),
            status=ref("Status"),
            witnessed=ref("Witnessed"),
            checkpoint=ref("Checkpoint"),
            first_index={
                "description": "The index of the first entry that was taken; null when"
                " none was.",
                "anyOf": [ref("Index"), {"type": "null"}],
            },
            count=number("How many entries were taken.", most=MAX_BATCH),
            proof=record(
                "The range proof of the entries that were taken: hashes to the left"
                " and to the right of them.",
                left=ref("Path"),
                right=ref("Path"),
            ),
            results={
                **several(ref("BatchResult"), least=1, most=MAX_BATCH),
                "description": "One result for each entry that came, in order.",
            },
        ),
        "BatchResult": {
            "oneOf": [
                record(
                    "An entry that was taken.",
                    status={"const": 201},
                    index=ref("Index"),
                    leaf_hash=ref("LeafHash"),
                ),
                record(
                    "An empty entry: it was refused alone.",
                    status={"const": UnprocessableError.status},
                    type={"const": TYPES + UnprocessableError.code},
                    detail=text("What was expected."),
                ),
            ]
        },
    }


def _reading() -> dict[str, Node]:
    """What a log says of itself, and proofs."""
    return {
        "Log": record(
            "What a log is, and where it stands.",
            log=ref("LogName"),
            kind=text("The kind of log.", enum=list(KINDS)),
            origin=text(
                "The log's name in checkpoints.", minLength=1, maxLength=MAX_NAME
            ),
            vkey=text("The log's public key, as a vkey.", maxLength=MAX_VKEY),
            size=ref("Size"),
            published_size={
                **ref("Size"),
                "description": "The size of the published checkpoint; 0 before the"
                " first.",
            },
            witnessed={
                "type": "boolean",
                "description": "Whether the published checkpoint meets a policy that"
                " asks for witnesses.",
            },
            read_path=text(
                "Where its checkpoint and tiles are.",
                pattern=whole(f"/t/{LOG_NAME.pattern}"),
            ),
        ),
        "InclusionProof": record(
            "A proof that leaf `index` is in the tree of `size`.",
            index=ref("Index"),
            size=ref("Size"),
            leaf_hash=ref("LeafHash"),
            path=ref("Path"),
            root=ref("Hash"),
        ),
        "ConsistencyProof": record(
            "A proof that the tree of `old` is a prefix of the tree of `new`.",
            old=ref("Size"),
            new=ref("Size"),
            proof=ref("Path"),
            old_root=ref("Hash"),
            new_root=ref("Hash"),
        ),
    }


def _health() -> dict[str, Node]:
    """Answers of the health paths."""
    levels = [level.name.lower() for level in Level]
    level = text("How it went; the worst is the server's.", enum=levels)
    return {
        "Alive": record("The process answers.", status={"const": "ok"}),
        "Ready": record("Traffic may come.", status={"const": "ready"}),
        "NotReady": record(
            "Traffic should go elsewhere.",
            status={"const": "not ready"},
            reasons={"type": "array", "items": {"type": "string"}, "minItems": 1},
        ),
        "Health": record(
            "Every check.",
            status=level,
            checks={
                "type": "array",
                "minItems": 1,
                "items": record(
                    "One thing that was looked at.",
                    name=text("The log and what was looked at."),
                    status=level,
                    detail=text("What was found."),
                ),
            },
        ),
    }


def _problem() -> Node:
    """The shape of every refusal; one of an event says where it is wrong."""
    described = record(
        "Why a request was refused (RFC 9457).",
        type=text("Stable; ends in the code.", pattern=f"^{re.escape(TYPES)}[a-z-]+$"),
        title=text("The kind of problem in words."),
        status=number("The HTTP status.", least=400, most=599),
        detail=text(  # what was cut ends in an ellipsis
            "What was expected and what came.", maxLength=MAX_DETAIL + 1
        ),
        request_id=text(
            "Names the request; also in the header X-Request-ID.",
            pattern=whole(SANE_ID.pattern),
        ),
    )
    members: Node = {**described["properties"], "errors": ref("Faults")}
    return {**described, "properties": members}


def _faults() -> Node:
    """What is wrong with an event, and where."""
    return {
        "type": "array",
        "description": "What is wrong with an event, and where.",
        "minItems": 1,
        "items": record(
            "One fault.",
            pointer=text(
                "The place in the event, a JSON Pointer; empty for all of it."
            ),
            detail=text("What was expected there."),
        ),
    }
