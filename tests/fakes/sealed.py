"""Sealed events, made by the kernel as a server makes them, under one fixed key."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tallystick_merkle.eventjson import parse_event
from tallystick_merkle.layout import lay_out
from tallystick_merkle.sealing import GroupKey, seal
from tallystick_merkle.tags import make_blind, order_tags
from tallystick_server.log.events import EventSubmission, SealedEvent
from tallystick_server.storage.base import VaultMark

OWNER = "producer"
VAULT = VaultMark(b"v" * 16, 7, b"c" * 16)
KEY = GroupKey(b"key of 1", AESGCM(bytes(range(32))))


def event_id(number: int) -> bytes:
    """The id of an event: a UUIDv7, ascending with its number."""
    head = (0x01980F3A5C2E << 16 | 0x7000 | number >> 52).to_bytes(8, "big")
    return head + (0x8000000000000000 | number).to_bytes(8, "big")


def sealed(number: int, *, reason: str = "promotion") -> SealedEvent:
    """Seal an event by its number; another reason is another content."""
    body = {
        "event_id": str(UUID(bytes=event_id(number))),
        "action": "user.role.updated",
        "actor": {"type": "user", "id": f"alice-{number}@example.com"},
        "targets": [{"type": "user", "id": "bob@example.com"}],
        "occurred_at": "2026-11-23T12:00:00.000Z",
        "outcome": {"result": "success"},
        "producer": {"service": "iam", "instance": "iam-1", "sequence": number},
        "reason": reason,
    }
    layout = lay_out(parse_event(body), tenant="tenant")
    noise = sha256(f"{number} {reason}".encode()).digest()
    count = len(layout.groups)
    done = seal(layout, [KEY] * count, [noise[:16]] * count, [noise[16:28]] * count)
    tags = order_tags([noise[:16], noise[16:], b"t" * 16])
    blind = make_blind(noise[:16])
    return SealedEvent(event_id(number), done.commitment, tags, done.groups, blind)


def events(
    numbers: Iterable[int], *, owner: str = OWNER, vault: VaultMark = VAULT
) -> EventSubmission:
    """Submit events by their numbers."""
    return EventSubmission(owner, tuple(map(sealed, numbers)), vault)
