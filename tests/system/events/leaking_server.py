"""The real server with a leak: planted bugs for the scan to find.

python leaking_server.py LEAK server serve WORDS…

talkative   logs who acts, of each event
echoing     quotes what it refuses
unsealed    stores what should be encrypted as it is
guessable   finds events by the actor's id itself, and not by a keyed tag
careless    lays dead letters down as they came
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, Sequence
from typing import cast

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tallystick_merkle.event import Event
from tallystick_merkle.layout import Layout
from tallystick_merkle.sealing import GroupKey, Sealed, seal
from tallystick_server.errors import EventError
from tallystick_server.ingest import intake, letters, sealer
from tallystick_server.ingest.decoding import decode_item
from tallystick_server.ingest.keys import ReadyKey
from tallystick_server.ingest.sealer import Prepared, Sealing, seal_event
from tallystick_server.selftest.child import main

log = logging.getLogger("tallystick_server.leaking")

TAG = 16
"""Bytes of a tag."""


class Open:
    """A cipher that does not encrypt."""

    def encrypt(self, iv: bytes, data: bytes, bound: bytes) -> bytes:
        """Give the data, as long as if it was encrypted."""
        del iv, bound
        return data + bytes(16)


def talkative() -> None:
    """Log who acts."""

    def decode(body: bytes, *, is_cbor: bool, service: str) -> Event:
        event = decode_item(body, is_cbor=is_cbor, service=service)
        log.debug("event", extra={"actor": event.actor.id})
        return event

    vars(intake)["decode_item"] = decode


def echoing() -> None:
    """Quote what is refused."""

    def decode(body: bytes, *, is_cbor: bool, service: str) -> Event:
        try:
            return decode_item(body, is_cbor=is_cbor, service=service)
        except EventError as error:
            raise EventError(f"not an event: {body!r}") from error

    vars(intake)["decode_item"] = decode


def unsealed() -> None:
    """Encrypt nothing."""

    def seal_openly(
        layout: Layout,
        keys: Sequence[GroupKey],
        seeds: Sequence[bytes],
        ivs: Sequence[bytes],
    ) -> Sealed:
        keys = [key._replace(aead=cast(AESGCM, Open())) for key in keys]
        return seal(layout, keys, seeds, ivs)

    vars(sealer)["seal"] = seal_openly


def guessable() -> None:
    """Take the beginning of the actor's id for a tag."""

    def seal_guessable(
        prepared: Prepared, keys: Mapping[bytes, ReadyKey], noise: bytes
    ) -> Sealing:
        done = seal_event(prepared, keys, noise)
        tag = prepared.event.actor.id.encode()[:TAG].ljust(TAG)
        tags = tuple(sorted([*done.sealed.tags, tag]))
        return done._replace(sealed=done.sealed._replace(tags=tags))

    vars(intake)["seal_event"] = seal_guessable


def careless() -> None:
    """Encrypt no letter."""

    def part(
        of: object, data: bytes, part: int, origin: str, aead: object, iv: bytes
    ) -> bytes:
        del of, part, origin, aead
        return iv + data + bytes(16)

    vars(letters)["_seal_part"] = part


LEAKS = {
    "none": lambda: None,
    "talkative": talkative,
    "echoing": echoing,
    "unsealed": unsealed,
    "guessable": guessable,
    "careless": careless,
}

if __name__ == "__main__":
    name, *words = sys.argv[1:]
    LEAKS[name]()
    main(words)
