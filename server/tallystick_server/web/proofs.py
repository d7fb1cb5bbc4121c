"""Proofs, receipts and facts about a log.

    GET /v1/logs/{log}                                what it is and where it stands
    GET /v1/logs/{log}/proof/inclusion?index=&size=
    GET /v1/logs/{log}/proof/consistency?old=&new=
    GET /v1/logs/{log}/receipts/{index}               tlog-proof text

Everything can be made from tiles too; these spare a client the work.  Proofs are given
at any committed size.  A receipt is witnessed if the published checkpoint covers the
entry and meets the policy, and promised otherwise (D1).

Anybody may read the facts; proofs and receipts of a log of events need a token, unless
the log is public (see `gating`).
"""

from __future__ import annotations

import json
from base64 import b64encode
from binascii import b2a_base64

from aiohttp import hdrs, web

from tallystick_merkle.errors import MalformedError
from tallystick_merkle.keys import format_vkey
from tallystick_merkle.spelling import parse_decimal
from tallystick_server.errors import BadRequestError, NotFoundError
from tallystick_server.log import answers
from tallystick_server.log.log import Log
from tallystick_server.log.standing import is_witnessed
from tallystick_server.log.tokens import SCOPE_EMIT
from tallystick_server.storage.base import Published
from tallystick_server.web.gating import admit_reader, read_headers
from tallystick_server.web.headers import PUBLIC
from tallystick_server.web.incoming import read_number, read_query
from tallystick_server.web.services import find_log

_JSON = {
    hdrs.CONTENT_TYPE: "application/json",
    **PUBLIC,
}
PROOF_HEADERS = {**_JSON, hdrs.CACHE_CONTROL: "public, max-age=31536000, immutable"}
"""Headers of proofs: between two sizes there is only one."""

FACTS_HEADERS = {**_JSON, hdrs.CACHE_CONTROL: "no-cache"}
"""Headers of what changes when the log grows."""

RECEIPT_HEADERS = {**FACTS_HEADERS, hdrs.CONTENT_TYPE: "text/plain; charset=utf-8"}
"""Headers of receipts."""

STATUS = "Tallystick-Status"
"""Header that says what a receipt is: promised or witnessed."""


async def get_log(request: web.Request) -> web.Response:
    """Say what a log is and where it stands."""
    log = find_log(request).log
    read_query(request.rel_url.raw_query_string)
    published = log.published
    facts = {
        "log": log.name,
        "kind": log.kind,
        "origin": log.origin,
        "vkey": format_vkey(log.key),
        "size": log.head.size,
        "published_size": published.size if published else 0,
        "witnessed": witnessed_head(log) is not None,
        "read_path": f"/t/{log.name}",
    }
    return web.Response(body=json.dumps(facts).encode(), headers=FACTS_HEADERS)


async def get_inclusion(request: web.Request) -> web.Response:
    """Prove that leaf `index` is in the tree of `size`."""
    hosted = find_log(request)
    admit_reader(request, hosted, SCOPE_EMIT)
    log = hosted.log
    query = read_query(request.rel_url.raw_query_string, "index", "size")
    index, size = read_number(query, "index"), read_number(query, "size")
    if not index < size <= log.head.size:
        raise BadRequestError(f"expected index < size <= {log.head.size}")
    proven = log.reader.prove(index=index, size=size)
    body = b'{"index": %d, "size": %d, "leaf_hash": "%s", "path": [%s], "root": %s}' % (
        index,
        size,
        proven.leaf.hex().encode(),
        _quote(proven.path),
        _quote((proven.root,)),
    )
    return web.Response(body=body, headers=read_headers(hosted, PROOF_HEADERS))


async def get_consistency(request: web.Request) -> web.Response:
    """Prove that the tree of `old` is a prefix of the tree of `new`."""
    hosted = find_log(request)
    admit_reader(request, hosted, SCOPE_EMIT)
    log = hosted.log
    query = read_query(request.rel_url.raw_query_string, "old", "new")
    old, new = read_number(query, "old"), read_number(query, "new")
    if not 0 < old <= new <= log.head.size:
        raise BadRequestError(f"expected 0 < old <= new <= {log.head.size}")
    proof = {
        "old": old,
        "new": new,
        "proof": _base64(log.reader.consistency(old=old, new=new)),
        "old_root": b64encode(log.reader.root(old)).decode(),
        "new_root": b64encode(log.reader.root(new)).decode(),
    }
    return web.Response(
        body=json.dumps(proof).encode(), headers=read_headers(hosted, PROOF_HEADERS)
    )


async def get_receipt(request: web.Request) -> web.Response:
    """Give the best receipt of an entry that there is now."""
    hosted = find_log(request)
    admit_reader(request, hosted, SCOPE_EMIT)
    log = hosted.log
    read_query(request.rel_url.raw_query_string)
    index = _read_index(request.match_info["index"])
    if index >= log.head.size:
        raise NotFoundError("no such entry")
    leaf = log.reader.leaf(index)
    published = witnessed_head(log)
    if published is not None and index < published.size:
        receipt = answers.witnessed(log, published, index, leaf)
        headers = {**RECEIPT_HEADERS, STATUS: "witnessed"}
    else:
        head = log.head
        receipt = log.reader.receipt(
            index=index, size=head.size, root=head.root, note=head.note
        )
        headers = {**RECEIPT_HEADERS, STATUS: "promised"}
    return web.Response(body=receipt, headers=read_headers(hosted, headers))


def witnessed_head(log: Log) -> Published | None:
    """Give the published checkpoint if it meets a policy that asks for witnesses."""
    published = log.published
    if published is None or not is_witnessed(published.note, log.key, log.policy):
        return None
    return published


def _read_index(text: str) -> int:
    """Read an index of a path; another spelling is not there."""
    try:
        return parse_decimal(text.encode(), what="path", where="index")
    except (MalformedError, UnicodeEncodeError) as error:
        raise NotFoundError("no such entry") from error


def _quote(hashes: tuple[bytes, ...]) -> bytes:
    """Write hashes as JSON texts with commas between: base64 needs no escape."""
    texts = [b2a_base64(value, newline=False) for value in hashes]
    return b'"%s"' % b'", "'.join(texts) if texts else b""


def _base64(hashes: tuple[bytes, ...]) -> list[str]:
    return [b64encode(one).decode() for one in hashes]
