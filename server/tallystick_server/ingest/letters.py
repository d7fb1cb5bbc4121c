"""A refused event as it is kept: who sent it and why it was refused, and what it says.

Everything that the producer worded is encrypted, the names in a pointer included; in
the clear are the principal, the content type, the reason's code, a time and a length.

    note   JSON [pointer, detail]    bound to all that stands in the clear
    body   the bytes as they came    bound to all of it but the code, which may change
    each   iv (12) || AES-256-GCM    under a key of the vault, which `kid` names

Whoever holds the file without the vault reads neither, and cannot move a body to
another letter, principal or log.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tallystick_merkle import canonical
from tallystick_server.errors import EventError, RequestError
from tallystick_server.ingest.framing import CBOR, CBOR_SEQ, JSON

MAX_BODY = 256 * 1024
"""Longest body that is kept, in bytes; of a longer one only the reason is."""

IV_SIZE = 12
"""Bytes of an initialisation vector."""

_MAX_WORDS = 1000
_NOTE, _BODY = 0, 1


@dataclass(frozen=True, slots=True)
class NewLetter:
    """An event that was refused: what came, in which form, and why not.

    `pointer` is the place in it, a JSON Pointer; neither it nor `detail` quotes values.
    """

    principal: str
    content_type: str
    code: str
    pointer: str
    detail: str
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Stored:
    """A letter as the file has it. `size` is that of the body as it came, in bytes.

    `body` is empty where it was too long to be kept, or was not asked for.
    """

    id: int
    received_ms: int
    principal: str
    content_type: str
    code: str
    size: int
    kid: bytes
    note: bytes
    body: bytes = field(default=b"", repr=False)

    @property
    def is_kept(self) -> bool:
        """Whether the body was short enough to be kept."""
        return self.size <= MAX_BODY


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter that was opened. `is_kept` says that its body is there.

    One whose key is gone, or that is damaged, is not readable: all but its words and
    its body can still be told.
    """

    id: int
    received_ms: int
    principal: str
    content_type: str
    code: str
    size: int
    is_kept: bool
    is_readable: bool
    pointer: str = ""
    detail: str = ""


def new_letter(
    principal: str, media: str, body: bytes, error: RequestError
) -> NewLetter:
    """Make a letter of an event, or of an item of a batch whose type was `media`."""
    return NewLetter(
        principal,
        CBOR if media in (CBOR, CBOR_SEQ) else JSON,
        error.code,
        error.pointer[:_MAX_WORDS] if isinstance(error, EventError) else "",
        error.detail[:_MAX_WORDS],
        body,
    )


def seal(
    new: NewLetter,
    *,
    origin: str,
    number: int,
    time_ms: int,
    kid: bytes,
    aead: AESGCM,
    ivs: tuple[bytes, bytes],
) -> Stored:
    """Encrypt a letter of the log `origin` under its number; `ivs` are drawn."""
    bare = Stored(
        number,
        time_ms,
        new.principal,
        new.content_type,
        new.code,
        len(new.body),
        kid,
        _write_note(new.pointer, new.detail),
        new.body if len(new.body) <= MAX_BODY else b"",
    )
    note = _seal_part(bare, bare.note, _NOTE, origin, aead, ivs[0])
    if not bare.is_kept:
        return replace(bare, note=note)
    body = _seal_part(bare, bare.body, _BODY, origin, aead, ivs[1])
    return replace(bare, note=note, body=body)


def seal_again(
    stored: Stored, error: RequestError, *, origin: str, aead: AESGCM, iv: bytes
) -> Stored:
    """Give a letter another reason; its body stays encrypted as it is."""
    new = new_letter(stored.principal, stored.content_type, b"", error)
    words = _write_note(new.pointer, new.detail)
    bare = replace(stored, code=new.code)
    return replace(bare, note=_seal_part(bare, words, _NOTE, origin, aead, iv))


def open_letter(stored: Stored, *, origin: str, aead: AESGCM | None) -> Letter:
    """Open the words of a letter; `aead` is None where its key is gone."""
    note = _open_part(stored, stored.note, _NOTE, origin, aead)
    pointer, detail = _read_note(note)
    return Letter(
        stored.id,
        stored.received_ms,
        stored.principal,
        stored.content_type,
        stored.code,
        stored.size,
        is_kept=stored.is_kept,
        is_readable=note is not None,
        pointer=pointer,
        detail=detail,
    )


def open_body(stored: Stored, *, origin: str, aead: AESGCM | None) -> bytes | None:
    """Open the body of a letter; None where it is not there or does not open."""
    return _open_part(stored, stored.body, _BODY, origin, aead)


def _write_note(pointer: str, detail: str) -> bytes:
    return json.dumps([pointer, detail]).encode()


def _read_note(note: bytes | None) -> tuple[str, str]:
    if note is None:
        return "", ""
    pointer, detail = json.loads(note)  # it is authentic, so it is ours
    return str(pointer), str(detail)


def _seal_part(
    of: Stored, data: bytes, part: int, origin: str, aead: AESGCM, iv: bytes
) -> bytes:
    return iv + aead.encrypt(iv, data, _bound(of, part, origin))


def _open_part(
    of: Stored, sealed: bytes, part: int, origin: str, aead: AESGCM | None
) -> bytes | None:
    if aead is None or len(sealed) < IV_SIZE:
        return None
    iv, data = sealed[:IV_SIZE], sealed[IV_SIZE:]
    try:
        return aead.decrypt(iv, data, _bound(of, part, origin))
    except InvalidTag:
        return None


def _bound(of: Stored, part: int, origin: str) -> bytes:
    """What stands in the clear and must not be another letter's."""
    code = of.code if part == _NOTE else ""
    what = [origin, of.id, of.received_ms, of.principal, of.content_type, of.size]
    return canonical.encode(["dead-letter", part, code, *what])
