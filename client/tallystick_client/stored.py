"""How the state directory spells receipts and audits: strict to read, one spelling.

A stored receipt carries its leaf hash in the extra line, so that it can be upgraded
without the entry; that line is not authenticated, the upgrade checks it.  The receipt
of an event says there, too, for which event the leaf was checked.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from dataclasses import replace
from pathlib import Path

from tallystick_client.errors import StateError
from tallystick_client.trust import HeldEvent
from tallystick_merkle.checkpoint import Checkpoint, parse_checkpoint
from tallystick_merkle.errors import MalformedError
from tallystick_merkle.event import is_event_id
from tallystick_merkle.exchange.trusting import Held
from tallystick_merkle.frontier import Edge, tail_widths
from tallystick_merkle.hashing import HASH_SIZE, MAX_SIZE
from tallystick_merkle.note import parse_note
from tallystick_merkle.receipt import Receipt, format_receipt, parse_receipt

MAX_EDGE = 1024 * 1024
"""Longest stored audit state in bytes: 63 levels of 255 hashes in base64 fit."""

_LEAF = b"tallystick leaf "
_EVENT = b" of event "
_EXTRA = re.compile(_LEAF + rb"([0-9a-f]{64})(?:" + _EVENT + rb"([0-9a-f-]{36}))?\n")


def format_held(held: Held) -> bytes:
    """Write a receipt with its leaf hash, and event if any, in the extra line."""
    extra = _LEAF + held.leaf.hex().encode()
    if isinstance(held, HeldEvent):
        extra += _EVENT + held.event_id.encode()
    return format_receipt(replace(held.receipt, extra=extra + b"\n"))


def parse_held(data: bytes, path: Path) -> Held:
    """Read a stored receipt and its leaf hash."""
    try:
        receipt = parse_receipt(data)
    except MalformedError as error:
        raise StateError(f"{path} is damaged: remove it") from error
    found = _EXTRA.fullmatch(receipt.extra)
    if found is None:
        raise StateError(f"{path} does not say which leaf it is about: remove it")
    leaf = bytes.fromhex(found[1].decode())
    plain = Receipt(receipt.index, receipt.path, receipt.checkpoint)
    if found[2] is None:
        return Held(plain, leaf)
    event_id = found[2].decode()
    if not is_event_id(event_id):
        raise StateError(f"{path} names no event: remove it")
    return HeldEvent(plain, leaf, event_id)


def read_checkpoint(note: bytes, path: Path) -> Checkpoint:
    """Read a checkpoint of our own files, whose signatures were checked before."""
    try:
        return parse_checkpoint(parse_note(note).text)
    except MalformedError as error:
        raise StateError(f"{path} is damaged: {error}") from error


def format_edge(edge: Edge) -> bytes:
    """Write an edge as JSON."""
    tails = [b64encode(tail).decode() for tail in edge.tails]
    return json.dumps({"size": edge.size, "tails": tails}).encode() + b"\n"


def read_edge(data: bytes, path: Path) -> Edge:
    """Read an edge; raise StateError unless its tails are as wide as its size says.

    Formatting it again must give the same bytes.
    """
    try:
        return _parse_edge(data)
    except MalformedError as error:
        raise StateError(
            f"{path} is damaged ({error.why}): remove it to audit from the start"
        ) from error


def _parse_edge(data: bytes) -> Edge:
    try:
        value = json.loads(data)
        size, texts = value["size"], value["tails"]
        tails = tuple(b64decode(text, validate=True) for text in texts)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise MalformedError("audit state", "expected size and tails") from error
    if type(size) is not int or not 0 <= size <= MAX_SIZE:
        raise MalformedError("audit state", "the size is not one")
    if [len(tail) for tail in tails] != [w * HASH_SIZE for w in tail_widths(size)]:
        raise MalformedError("audit state", "the tails do not fit the size")
    edge = Edge(size, tails)
    if format_edge(edge) != data:
        raise MalformedError("audit state", "not as it was written")
    return edge
