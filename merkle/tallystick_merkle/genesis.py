"""The genesis entry: leaf 0 of every log, committed when the log is created (D6).

    0x01 || deterministic CBOR of [3, time_ms, {
        "format": 1, "status": "draft", "kind": "raw" or "events", "origin": text,
        "next_key": 32 bytes, "recovery_key": 32 bytes, "settings": {…}}]

The settings of an `events` log are exactly these, all texts:

    "completeness": "none"           nothing in the log proves that nothing is missing:
                                     index leaf, epochs and registrations are not there
    "event_format": "ev1-draft"      how its events are committed and encrypted
    "tenant": 32 hex digits          whose log it is: a random id, no name (D21)

It says what the log is and what must never change, and it commits to the keys that a
later rotation has to be signed with (D22): SHA-256 of the vkey string of the next
signing key and of the offline recovery key.  Since it is there, no inclusion path is
ever empty.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256

from tallystick_merkle import canonical
from tallystick_merkle.checkpoint import check_origin
from tallystick_merkle.errors import MalformedError
from tallystick_merkle.hashing import HASH_SIZE
from tallystick_merkle.keys import VerifierKey, format_vkey

FORMAT = 1
"""Version of the genesis format."""

STATUS = "draft"
"""Until the formats are frozen, every log says that it is a draft."""

RAW = "raw"
"""A log whose entries are the submitter's bytes, readable by anybody."""

EVENTS = "events"
"""A log whose entries commit to events; what they say is encrypted beside it."""

KINDS = (RAW, EVENTS)
"""Kinds of log this version knows."""

EVENT_FORMAT = "ev1-draft"
"""How the events of an `events` log are sealed."""

COMPLETENESS = "none"
"""What an `events` log proves about what is missing: nothing yet."""

TENANT_BYTES = 16
"""Random bytes of a tenant's id; it is written as lower-case hex."""

LEAF_TYPE = 3
"""The type number of a configuration leaf."""

MAX_TIME_MS = 2**53 - 1
"""Latest creation time, in POSIX milliseconds: every reader's number holds it."""

_VERSION = b"\x01"
_TENANT = re.compile(rf"[0-9a-f]{{{2 * TENANT_BYTES}}}", re.ASCII)
_FIELDS = {
    "format",
    "status",
    "kind",
    "origin",
    "next_key",
    "recovery_key",
    "settings",
}


@dataclass(frozen=True, slots=True)
class Genesis:
    """What leaf 0 says. `time_ms` is the creation time, POSIX milliseconds.

    `settings` are unchanging settings of the log: names to integers or texts.
    """

    kind: str
    origin: str
    time_ms: int
    next_key: bytes
    recovery_key: bytes
    settings: tuple[tuple[str, int | str], ...] = ()


def key_commitment(key: VerifierKey) -> bytes:
    """Hash a key as the genesis entry commits to it: SHA-256 of its vkey string."""
    return sha256(format_vkey(key).encode()).digest()


def event_settings(tenant: bytes) -> tuple[tuple[str, int | str], ...]:
    """Give the settings of an `events` log; `tenant` is 16 random bytes."""
    return (
        ("completeness", COMPLETENESS),
        ("event_format", EVENT_FORMAT),
        ("tenant", tenant.hex()),
    )


def tenant_of(genesis: Genesis) -> str:
    """Give the tenant's id of an `events` log, in hex. Raises KeyError for another."""
    return str(dict(genesis.settings)["tenant"])


def format_genesis(genesis: Genesis) -> bytes:
    """Write the genesis entry; raise MalformedError for one we would not read."""
    entry = _encode(genesis)
    parse_genesis(entry)
    return entry


def parse_genesis(entry: bytes) -> Genesis:
    """Read entry 0 of a log; raise MalformedError for anything else."""
    genesis = _decode(entry)
    if _encode(genesis) != entry:
        raise MalformedError("genesis entry", "not the canonical spelling")
    return genesis


def _encode(genesis: Genesis) -> bytes:
    body = {
        "format": FORMAT,
        "status": STATUS,
        "kind": genesis.kind,
        "origin": genesis.origin,
        "next_key": genesis.next_key,
        "recovery_key": genesis.recovery_key,
        "settings": dict(genesis.settings),
    }
    return _VERSION + canonical.encode([LEAF_TYPE, genesis.time_ms, body])


def _decode(entry: bytes) -> Genesis:
    if not entry.startswith(_VERSION):
        raise MalformedError("genesis entry", "expected version byte 0x01")
    value = canonical.decode(entry[1:])
    if not (isinstance(value, list) and len(value) == 3 and value[0] == LEAF_TYPE):
        raise MalformedError("genesis entry", "expected a leaf of type 3")
    _, time_ms, body = value
    if type(time_ms) is not int or not 0 <= time_ms <= MAX_TIME_MS:
        raise MalformedError("genesis entry", "expected a time in milliseconds")
    if not isinstance(body, dict):
        raise MalformedError("genesis entry", "expected a map")
    if set(body) != _FIELDS:
        raise MalformedError("genesis entry", f"expected the fields {sorted(_FIELDS)}")
    return _read_body(time_ms, body)


def _read_body(time_ms: int, body: dict[str, object]) -> Genesis:
    """Check each field of the map."""
    kind, origin, settings = body["kind"], body["origin"], body["settings"]
    if (body["format"], body["status"]) != (FORMAT, STATUS):
        raise MalformedError("genesis entry", f"expected format {FORMAT}, {STATUS!r}")
    if not isinstance(kind, str) or kind not in KINDS:
        raise MalformedError("genesis entry", f"expected a kind of {KINDS}")
    if not isinstance(origin, str):
        raise MalformedError("genesis entry", "the origin is not a text")
    check_origin(origin)
    if not isinstance(settings, dict) or not all(
        type(item) in (int, str) for item in settings.values()
    ):
        raise MalformedError("genesis entry", "settings are names to numbers or texts")
    if kind == EVENTS:
        _check_event_settings(settings)
    return Genesis(
        kind,
        origin,
        time_ms,
        _read_hash(body["next_key"], "next_key"),
        _read_hash(body["recovery_key"], "recovery_key"),
        tuple(sorted(settings.items())),
    )


def _check_event_settings(settings: dict[str, int | str]) -> None:
    """Raise MalformedError for settings that are not those of an `events` log."""
    tenant = settings.get("tenant")
    if not isinstance(tenant, str) or _TENANT.fullmatch(tenant) is None:
        raise MalformedError(
            "genesis entry", "expected 32 hex digits", where="settings/tenant"
        )
    if settings != dict(event_settings(bytes.fromhex(tenant))):
        raise MalformedError(
            "genesis entry",
            f"expected the settings of {EVENT_FORMAT}",
            where="settings",
        )


def _read_hash(value: object, where: str) -> bytes:
    if not isinstance(value, bytes) or len(value) != HASH_SIZE:
        raise MalformedError("genesis entry", "expected 32 bytes", where=where)
    return value
