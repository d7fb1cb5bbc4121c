"""Signed notes: a text, a blank line, and signature lines (c2sp.org/signed-note).

    text, ending in LF
    LF
    — <key name> <base64(key id || signature)> LF          one or more

The bytes signed are the text with its last LF, without the blank line.  The note is
split at its last blank line.  A line of an unknown (name, id) is ignored; a line of a
known one must verify, or the whole note is refused; with no known line it is refused
too.  Parsing accepts only what formatting would write.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass

from tallystick_merkle.errors import (
    InvalidSignatureError,
    KeyMismatchError,
    MalformedError,
    UnverifiedNoteError,
)
from tallystick_merkle.keys import KeyType, SigningKey, VerifierKey, check_name
from tallystick_merkle.spelling import parse_base64

MAX_NOTE = 512 * 1024
"""Longest note in bytes: room for 100 post-quantum signature lines and a text."""

MAX_SIGNATURES = 100
"""Most signature lines in a note."""

MAX_BLOB = 8192
"""Longest decoded signature, key id included."""

_DASH = "— ".encode()
_CONTROL = re.compile(rb"[\x00-\x09\x0b-\x1f]")


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line: the key's name, its 4-byte id and the bytes after it."""

    name: str
    key_id: bytes
    blob: bytes

    def is_by(self, key: VerifierKey) -> bool:
        """Whether name and id are those of `key`; the signature may still be wrong."""
        return self.key_id == key.key_id and self.name == key.name


@dataclass(frozen=True, slots=True)
class Note:
    """A parsed note: the signed text (ends in LF) and its signature lines."""

    text: bytes
    signatures: tuple[Signature, ...]

    def with_signatures(self, added: Iterable[Signature]) -> Note:
        """Add lines; a line replaces an older one of the same (name, key id)."""
        lines = {(line.name, line.key_id): line for line in self.signatures}
        for line in added:
            lines[line.name, line.key_id] = line
        return Note(self.text, tuple(lines.values()))


def format_signature(line: Signature) -> bytes:
    """Write one signature line, its LF included."""
    return (
        _DASH + line.name.encode() + b" " + b64encode(line.key_id + line.blob) + b"\n"
    )


def format_note(note: Note) -> bytes:
    """Write the whole note."""
    return note.text + b"\n" + b"".join(map(format_signature, note.signatures))


def parse_note(data: bytes) -> Note:
    """Read a note; raise MalformedError unless formatting it again gives `data`."""
    check_text(data, what="note", longest=MAX_NOTE)
    text, blank, block = data.rpartition(b"\n\n")
    if not blank or not block:
        raise MalformedError("note", "expected a blank line and then signatures")
    return Note(text + b"\n", _parse_lines(block))


def parse_signature_lines(block: bytes) -> tuple[Signature, ...]:
    """Read a block of signature lines, each ending in LF; at most 100."""
    check_text(block, what="signature lines", longest=MAX_NOTE)
    return _parse_lines(block) if block else ()


def open_note(note: Note, keys: Iterable[VerifierKey]) -> tuple[VerifierKey, ...]:
    """Verify a note signed by plain Ed25519 keys; return the keys that signed it.

    Raises InvalidSignatureError when a known key's line fails, UnverifiedNoteError
    when none is there, KeyMismatchError when a key is a cosigner's.
    """
    found = []
    for key, line in known_lines(note, keys):
        if key.type is not KeyType.ED25519:
            raise KeyMismatchError(f"key {key.name} signs checkpoints, not notes")
        key.verify(note.text, line.blob)
        found.append(key)
    if not found:
        raise UnverifiedNoteError("no known key signed the note")
    return tuple(found)


def known_lines(
    note: Note, keys: Iterable[VerifierKey]
) -> list[tuple[VerifierKey, Signature]]:
    """Pair each known key with its line; refuse two lines or two keys for one id."""
    known: dict[tuple[str, bytes], VerifierKey] = {}
    for key in keys:
        if known.setdefault((key.name, key.key_id), key) != key:
            raise KeyMismatchError(f"two keys share the name and id of {key.name}")
    pairs: dict[tuple[str, bytes], tuple[VerifierKey, Signature]] = {}
    for line in note.signatures:
        place = (line.name, line.key_id)
        if place not in known:
            continue
        if place in pairs:
            raise InvalidSignatureError(f"two signature lines of {line.name}")
        pairs[place] = (known[place], line)
    return list(pairs.values())


def sign_note(text: bytes, key: SigningKey) -> Signature:
    """Sign a note text (ends in LF) with a plain Ed25519 key."""
    if key.type is not KeyType.ED25519:
        raise KeyMismatchError(f"key {key.name} signs checkpoints, not notes")
    check_text(text, what="note", longest=MAX_NOTE)
    if not text.endswith(b"\n"):
        raise MalformedError("note", "the text does not end in LF")
    return Signature(key.name, key.verifier.key_id, key.sign(text))


def check_text(data: bytes, *, what: str, longest: int) -> None:
    """Raise unless `data` is valid UTF-8, in bounds and free of controls but LF."""
    if len(data) > longest:
        raise MalformedError(what, f"{len(data)} bytes, at most {longest}")
    if _CONTROL.search(data):
        raise MalformedError(what, "holds a control character")
    try:
        data.decode()
    except UnicodeDecodeError as error:
        raise MalformedError(what, "not valid UTF-8") from error


def _parse_lines(block: bytes) -> tuple[Signature, ...]:
    """Read one or more signature lines from checked text."""
    if not block.endswith(b"\n"):
        raise MalformedError("signature lines", "the last line does not end in LF")
    lines = block[:-1].split(b"\n", MAX_SIGNATURES)
    if len(lines) > MAX_SIGNATURES:
        raise MalformedError("signature lines", f"more than {MAX_SIGNATURES}")
    return tuple(_parse_line(line, place) for place, line in enumerate(lines))


def _parse_line(line: bytes, place: int) -> Signature:
    """Read one signature line without its LF."""
    where = f"signature line {place}"
    name, space, body = line.removeprefix(_DASH).rpartition(b" ")
    if not line.startswith(_DASH) or not space:
        raise MalformedError("note", "expected '— <name> <base64>'", where=where)
    check_name(name.decode(), what=where)
    blob = parse_base64(body, what="note", where=where, longest=MAX_BLOB)
    if len(blob) < 5:
        raise MalformedError("note", "signature of less than 5 bytes", where=where)
    return Signature(name.decode(), blob[:4], blob[4:])
