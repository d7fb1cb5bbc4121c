"""The bytes of the store's records.

    value = SHA-256(key || body)[:16] || body         body: deterministic CBOR

LMDB does not notice a flipped bit, and a page in the wrong place holds a valid value
of another key; the checksum over key and body finds both.  Keys:

    logs       SHA-256(origin)
    evidence   SHA-256(origin) || kind, one byte || u64be size || root
    meta       "witness"
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Any, TypeVar

from tallystick_merkle.canonical import decode, encode
from tallystick_merkle.errors import KernelError, MalformedError
from tallystick_merkle.keys import format_vkey, parse_vkey
from tallystick_witness.errors import IntegrityError, UsageError
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

T = TypeVar("T")
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
    return head_key(evidence_prefix(evidence.origin, evidence.kind), evidence)


def head_key(prefix: bytes, head: Head | Evidence) -> bytes:
    """Give the key below a prefix of the evidence that has a head's size and root."""
    return prefix + head.size.to_bytes(8, "big") + head.root


def pack_identity(identity: Identity) -> bytes:
    """Write the meta record."""
    body = {"format": FORMAT, "name": identity.name, "vkeys": list(identity.vkeys)}
    return seal(META_KEY, body)


def unpack_identity(value: bytes) -> Identity:
    """Read the meta record; raise UsageError for a store of another format."""
    body = unseal(META_KEY, value)
    found = body.get("format") if isinstance(body, dict) else None
    if type(found) is not int:
        raise IntegrityError("the store does not say in which format it is")
    if found != FORMAT:
        advice = (
            "run the newer version" if found > FORMAT else "it is not read any more"
        )
        raise UsageError(
            f"the store has format {found} and this version of tallystick knows "
            f"{FORMAT}; {advice}"
        )
    return _read(META_KEY, value, lambda: _identity_of(body), pack_identity)


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
    return _read(key, value, lambda: _log_of(body), pack_log)


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
    return _read(key, value, lambda: _evidence_of(body), pack_evidence)


def _read(
    key: bytes, value: bytes, read: Callable[[], T], pack: Callable[[T], bytes]
) -> T:
    """Read a record that is what `pack` writes; raise IntegrityError for any other."""
    try:
        record = read()
        is_same = pack(record) == value
    except (
        AttributeError,
        KernelError,
        KeyError,
        OverflowError,
        TypeError,
        ValueError,
    ) as error:
        raise IntegrityError(f"the record {key.hex()} is not ours: {error}") from error
    if not is_same:
        raise IntegrityError(f"the record {key.hex()} is not as it was written")
    return record


def _identity_of(body: dict[str, Any]) -> Identity:
    vkeys = tuple(_typed(vkey, str) for vkey in body["vkeys"])
    return Identity(_typed(body["name"], str), vkeys)


def _log_of(body: dict[str, Any]) -> FollowedLog:
    head = None
    if body["head"] is not None:
        size, root, time_s, note = body["head"]
        head = Head(
            _typed(size, int), _typed(root, bytes), _typed(time_s, int),
            _typed(note, bytes),
        )  # fmt: skip
    since_s = _typed(body["since_s"], int)
    return FollowedLog(parse_vkey(body["vkey"]), LogState(body["state"]), since_s, head)


def _evidence_of(body: dict[str, Any]) -> Evidence:
    return Evidence(
        origin=_typed(body["origin"], str),
        kind=EvidenceKind(body["kind"]),
        size=_typed(body["size"], int),
        root=_typed(body["root"], bytes),
        time_s=_typed(body["time_s"], int),
        note=_typed(body["note"], bytes),
        held=_typed(body["held"], bytes),
    )


def _typed(value: object, kind: type[T]) -> T:
    """Give a value of a type; numbers of ours are never negative."""
    if type(value) is not kind or (isinstance(value, int) and value < 0):
        raise TypeError(f"expected {kind.__name__}, found {type(value).__name__}")
    return value


def _checksum(key: bytes, data: bytes) -> bytes:
    return sha256(key + data).digest()[:_CHECKSUM_SIZE]
