r"""What each type of key signs over a checkpoint, and opening a signed checkpoint.

type 0x01  a log's own signature: the note text as it stands
type 0x04  blob = u64be time || Ed25519 signature over
           "cosignature/v1\ntime <decimal>\n" || note text
type 0x06  blob = u64be time || ML-DSA-44 signature over
           "subtree/v1\n\0" || u8 len || cosigner name || u64be time
           || u8 len || origin || u64be start || u64be end || root

(c2sp.org/tlog-cosignature, v1.1.0-rc.1.)  A time is POSIX seconds: at that time the
root was the largest consistent tree the cosigner had seen for the origin.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tallystick_merkle.checkpoint import (
    Checkpoint,
    format_checkpoint,
    parse_checkpoint,
)
from tallystick_merkle.errors import (
    InvalidSignatureError,
    KeyMismatchError,
    MalformedError,
    OriginError,
    UnverifiedNoteError,
)
from tallystick_merkle.keys import KeyType, SigningKey, VerifierKey
from tallystick_merkle.note import (
    Note,
    Signature,
    format_note,
    known_lines,
    parse_note,
    sign_note,
)

MAX_TIME_S = 2**63 - 1
"""Latest time a cosignature may carry, in POSIX seconds."""

_TIME_SIZE = 8


@dataclass(frozen=True, slots=True)
class Verified:
    """A signature that verified: whose, and when (None for type 0x01)."""

    key: VerifierKey
    time_s: int | None


@dataclass(frozen=True, slots=True)
class OpenedCheckpoint:
    """A checkpoint whose known signature lines all verified."""

    checkpoint: Checkpoint
    note: Note
    verified: tuple[Verified, ...]

    @property
    def raw(self) -> bytes:
        """The whole signed note, byte for byte."""
        return format_note(self.note)

    def signed_by(self, key: VerifierKey) -> bool:
        """Whether `key` is among the keys whose signature verified."""
        return any(found.key == key for found in self.verified)


def sign_checkpoint(checkpoint: Checkpoint, key: SigningKey) -> Note:
    """Sign a checkpoint as its log, with the log's Ed25519 key.

    Raises OriginError unless the key's name is the origin, and KeyMismatchError for
    a checkpoint with extension lines or a key of another type.  MalformedError says
    that no reader would take the checkpoint; it is not signed then.
    """
    if key.name != checkpoint.origin:
        raise OriginError(expected=checkpoint.origin, found=key.name)
    if checkpoint.extension:
        raise KeyMismatchError("a log of ours signs no extension lines")
    text = format_checkpoint(checkpoint)
    parse_checkpoint(text)
    return Note(text, (sign_note(text, key),))


def cosign(checkpoint: Checkpoint, key: SigningKey, *, time_s: int) -> Signature:
    """Cosign a checkpoint at `time_s` with a key of type 0x04 or 0x06.

    Raises KeyMismatchError for a key that cannot cosign this checkpoint, and
    MalformedError for a time or a checkpoint that no verifier would take.
    """
    if not 0 < time_s <= MAX_TIME_S:
        raise MalformedError("cosignature", f"time {time_s} is no POSIX time")
    parse_checkpoint(format_checkpoint(checkpoint))
    signed = key.sign(_signed_bytes(checkpoint, key.verifier, time_s))
    blob = time_s.to_bytes(_TIME_SIZE, "big") + signed
    return Signature(key.name, key.verifier.key_id, blob)


def open_checkpoint(data: bytes, keys: Iterable[VerifierKey]) -> OpenedCheckpoint:
    """Parse a signed checkpoint and verify every line of a known key.

    Raises MalformedError, InvalidSignatureError when any known line fails, and
    UnverifiedNoteError when no known key signed.
    """
    return open_parsed(parse_note(data), keys)


def open_parsed(note: Note, keys: Iterable[VerifierKey]) -> OpenedCheckpoint:
    """Do what `open_checkpoint` does, for a note already parsed."""
    checkpoint = parse_checkpoint(note.text)
    verified = tuple(
        verify_line(checkpoint, key, line) for key, line in known_lines(note, keys)
    )
    if not verified:
        raise UnverifiedNoteError(
            f"no known key signed the checkpoint of {checkpoint.origin!r}"
        )
    return OpenedCheckpoint(checkpoint, note, verified)


def open_log_checkpoint(
    data: bytes, *, origin: str, log_keys: Iterable[VerifierKey]
) -> OpenedCheckpoint:
    """Open a checkpoint and require its origin and the log's own signature."""
    opened = open_checkpoint(data, log_keys)
    if opened.checkpoint.origin != origin:
        raise OriginError(expected=origin, found=opened.checkpoint.origin)
    return opened


def verify_line(checkpoint: Checkpoint, key: VerifierKey, line: Signature) -> Verified:
    """Verify one line of `key` over a checkpoint, whatever the key's type.

    Raises InvalidSignatureError for everything that this key cannot have signed,
    such as a type 0x06 line over extension lines or at time 0.
    """
    if not line.is_by(key):
        raise InvalidSignatureError(f"the line is not one of {key.name}")
    if key.type is KeyType.ED25519:
        key.verify(format_checkpoint(checkpoint), line.blob)
        return Verified(key, None)
    time_s = int.from_bytes(line.blob[:_TIME_SIZE], "big")
    if time_s > MAX_TIME_S:
        raise InvalidSignatureError(f"cosignature of {key.name} has an absurd time")
    try:
        message = _signed_bytes(checkpoint, key, time_s)
    except KeyMismatchError as error:
        raise InvalidSignatureError(
            f"cosignature of {key.name} covers nothing: {error}"
        ) from error
    key.verify(message, line.blob[_TIME_SIZE:])
    return Verified(key, time_s)


def _signed_bytes(checkpoint: Checkpoint, key: VerifierKey, time_s: int) -> bytes:
    """Give the message that a cosigner's key signs."""
    if key.type is KeyType.COSIGNATURE:
        head = f"cosignature/v1\ntime {time_s}\n".encode()
        return head + format_checkpoint(checkpoint)
    if key.type is KeyType.MLDSA44:
        return subtree_message(checkpoint, key.name, time_s=time_s)
    raise KeyMismatchError(f"key {key.name} does not cosign")


def subtree_message(
    checkpoint: Checkpoint, cosigner: str, *, time_s: int, start: int = 0
) -> bytes:
    """Give the 0x06 message for leaves [start, size) whose hash is the root given.

    A checkpoint is start 0 with a real time; a proper subtree has time 0.
    """
    if checkpoint.extension:
        raise KeyMismatchError("type 0x06 does not cover extension lines")
    origin = checkpoint.origin.encode()
    if len(origin) > 255:
        raise KeyMismatchError("type 0x06 takes an origin of at most 255 bytes")
    if (start != 0) != (time_s == 0):
        raise KeyMismatchError("type 0x06 has a time exactly when start is 0")
    name = cosigner.encode()
    return b"".join(
        (
            b"subtree/v1\n\x00",
            bytes([len(name)]) + name,
            time_s.to_bytes(8, "big"),
            bytes([len(origin)]) + origin,
            start.to_bytes(8, "big"),
            checkpoint.size.to_bytes(8, "big"),
            checkpoint.root,
        )
    )
