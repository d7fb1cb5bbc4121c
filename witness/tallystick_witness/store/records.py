"""The bytes of the store's records.

    value = SHA-256(key || body)[:16] || body         body: deterministic CBOR

LMDB does not notice a flipped bit, and a page in the wrong place holds a valid value
of another key; the checksum over key and body finds both.  Keys:

    logs       SHA-256(origin)
    evidence   SHA-256(origin) || kind, one byte || u64be size || root
    meta       "witness"
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from tallystick_merkle.canonical import decode, encode
from tallystick_merkle.errors import KernelError, MalformedError
from tallystick_merkle.keys import format_vkey, parse_vkey
from tallystick_witness.errors import IntegrityError
from tallystick_witness.state import (
    Evidence,
    EvidenceKind,
    FollowedLog,
    Head,
    Identity,
    LogState,
)
from tallystick_witness.store.base import FORMAT

META_KEY = b"witness"
"""Key of the one record of the meta table."""

_CHECKSUM_SIZE = 16
_KINDS = tuple(EvidenceKind)


def seal(key: bytes, body: object) -> bytes:
    """Write the value of a record."""
    data = encode(body)
    return _checksum(key, data) + data


def unseal(key: bytes, value: bytes) -> Any:  # noqa: ANN401 -- each caller knows its shape
    """Read the value of a record; raise IntegrityError if it is damaged."""
    data = value[_CHECKSUM_SIZE:]
    if value[:_CHECKSUM_SIZE] != _checksum(key, data):
        raise IntegrityError(f"the record {key.hex()} of the store is damaged")
    try:
        return decode(data)
    except MalformedError as error:
        raise IntegrityError(f"the record {key.hex()} is not ours: {error}") from error


def log_key(origin: str) -> bytes:
    """Give the key of a log's record."""
    return sha256(origin.encode()).digest()


def evidence_prefix(origin: str, kind: EvidenceKind) -> bytes:
    """Give what the keys of one log's evidence of one kind begin with."""
    return log_key(origin) + bytes([_KINDS.index(kind)])


def evidence_key(evidence: Evidence) -> bytes:
    """Give the key of a record of evidence."""
    prefix = evidence_prefix(evidence.origin, evidence.kind)
    return prefix + evidence.size.to_bytes(8, "big") + evidence.root


def pack_identity(identity: Identity) -> bytes:
    """Write the meta record."""
    body = {"format": FORMAT, "name": identity.name, "vkeys": list(identity.vkeys)}
    return seal(META_KEY, body)


def unpack_identity(value: bytes) -> Identity:
    """Read the meta record; raise IntegrityError for another format."""
    body = unseal(META_KEY, value)
    if body.get("format") != FORMAT:
        raise IntegrityError(
            f"the store has format {body.get('format')}, this program reads {FORMAT}"
        )
    return Identity(body["name"], tuple(body["vkeys"]))


def pack_log(log: FollowedLog) -> bytes:
    """Write a log's record, its head included."""
    head = log.head
    body = {
        "vkey": format_vkey(log.key),
        "state": str(log.state),
        "since_s": log.since_s,
        "head": head and [head.size, head.root, head.time_s, head.note],
    }
    return seal(log_key(log.origin), body)


def unpack_log(key: bytes, value: bytes) -> FollowedLog:
    """Read a log's record; raise IntegrityError if it is damaged or misplaced."""
    body = unseal(key, value)
    try:
        head = None if body["head"] is None else Head(*body["head"])
        state = LogState(body["state"])
        log = FollowedLog(parse_vkey(body["vkey"]), state, body["since_s"], head)
    except (KernelError, KeyError, TypeError, ValueError) as error:
        raise IntegrityError(f"the record {key.hex()} is not that of a log") from error
    return log


def pack_evidence(evidence: Evidence) -> bytes:
    """Write a record of evidence."""
    body = {
        "origin": evidence.origin,
        "kind": str(evidence.kind),
        "size": evidence.size,
        "root": evidence.root,
        "time_s": evidence.time_s,
        "note": evidence.note,
        "held": evidence.held,
    }
    return seal(evidence_key(evidence), body)


def unpack_evidence(key: bytes, value: bytes) -> Evidence:
    """Read a record of evidence; raise IntegrityError if it is damaged."""
    body = unseal(key, value)
    try:
        return Evidence(**{**body, "kind": EvidenceKind(body["kind"])})
    except (KeyError, TypeError, ValueError) as error:
        raise IntegrityError(f"the record {key.hex()} is not evidence") from error


def _checksum(key: bytes, data: bytes) -> bytes:
    return sha256(key + data).digest()[:_CHECKSUM_SIZE]
