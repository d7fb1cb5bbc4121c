"""Seal an event: commit to its fields, and encrypt them for each data subject (ev1).

    stream_j  SHAKE-128(0x21 || seed_j || j): 16 bytes a slot, then 32 a decoy
    c_i       SHA-256(0x20 || salt_i || CBOR [name, value])
    G_j       SHA-256(0x22 || c_1 … c_m || decoys up to a multiple of four)
    C         SHA-256(0x23 || G_0 … G_g)

    record    CBOR [event_id (16), time_ms, [[kid (8), iv (12), G_j, ciphertext], …]]
    ciphertext  AES-256-GCM of CBOR [seed_j, [name, value], …] under the subject's key,
              AAD = CBOR ["Encrypt0", <<{1: 3}>>, event_id || G_j[:16]] (RFC 9052 §5.3)

G_j stays in the clear beside its ciphertext: a group whose key is gone still counts.
The 16-byte seed of a group opens all its salts; one salt says nothing of another.

Seeds and initialisation vectors are given: 16 and 12 random bytes for each group, never
used twice.  The log adds the time when it commits (D13).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256, shake_128
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tallystick_merkle import canonical
from tallystick_merkle.canonical import pack_head
from tallystick_merkle.errors import MalformedError, ProofError
from tallystick_merkle.event import MAX_EVENT, id_bytes
from tallystick_merkle.hashing import HASH_SIZE
from tallystick_merkle.layout import MAX_GROUPS, Layout
from tallystick_merkle.leaf import MAX_TIME_MS

SEED_SIZE = 16
"""Bytes of the seed of a group."""

SALT_SIZE = 16
"""Bytes of the salt of a slot."""

IV_SIZE = 12
"""Bytes of an initialisation vector."""

KID_SIZE = 8
"""Bytes of the id of a key."""

ID_SIZE = 16
"""Bytes of an event id."""

MAX_SLOTS = 80
"""Most slots of a group, decoys not counted."""

MAX_RECORD = MAX_EVENT + 20 * 1024
"""Longest record, in bytes."""

_TAG = 16
_STEP = 4
_AAD = b"\x83\x68Encrypt0\x43\xa1\x01\x03\x58\x20"


class GroupKey(NamedTuple):
    """The key of a group: its id of 8 bytes, and the cipher made of it."""

    kid: bytes
    aead: AESGCM


class Sealed(NamedTuple):
    """A sealed event: its commitment (32 bytes), and the groups of its record."""

    commitment: bytes
    groups: bytes


class SealedGroup(NamedTuple):
    """One group of a record: key id, initialisation vector, digest, ciphertext."""

    kid: bytes
    iv: bytes
    digest: bytes
    ciphertext: bytes


@dataclass(frozen=True, slots=True)
class Record:
    """The private record of an event, still sealed. `time_ms` is the commit time."""

    event_id: bytes
    time_ms: int
    groups: tuple[SealedGroup, ...]


@dataclass(frozen=True, slots=True)
class OpenedGroup:
    """A group in the clear: its seed, and [name, value] encoded for each slot."""

    seed: bytes = field(repr=False)
    names: tuple[str, ...]
    values: tuple[Any, ...] = field(repr=False)
    pairs: tuple[bytes, ...] = field(repr=False)

    @property
    def fields(self) -> dict[str, Any]:
        """The values by their names."""
        return dict(zip(self.names, self.values, strict=True))


def slot_digest(salt: bytes, pair: bytes) -> bytes:
    """Commit to one slot: c_i."""
    return sha256(b"\x20" + salt + pair).digest()


def open_stream(seed: bytes, number: int, slots: int) -> tuple[list[bytes], bytes]:
    """Draw the salts of a group's slots, and its decoys, out of its seed."""
    salted = SALT_SIZE * slots
    decoys = HASH_SIZE * (-slots % _STEP)
    stream = shake_128(b"\x21" + seed + bytes([number])).digest(salted + decoys)
    salts = [stream[at : at + SALT_SIZE] for at in range(0, salted, SALT_SIZE)]
    return salts, stream[salted:]


def group_digest(digests: bytes) -> bytes:
    """Commit to a group: G_j, from the digests of its slots and its decoys, joined."""
    return sha256(b"\x22" + digests).digest()


def commit_group(pairs: Sequence[bytes], seed: bytes, number: int) -> bytes:
    """Commit to a group of [name, value] pairs under its seed."""
    slots = len(pairs)
    salted = SALT_SIZE * slots
    stream = shake_128(b"\x21" + seed + bytes([number])).digest(
        salted + HASH_SIZE * (-slots % _STEP)
    )
    digests = [
        sha256(b"\x20" + stream[at : at + SALT_SIZE] + pair).digest()
        for at, pair in zip(range(0, salted, SALT_SIZE), pairs, strict=True)
    ]
    return sha256(b"\x22" + b"".join(digests) + stream[salted:]).digest()


def commit_event(group_digests: Sequence[bytes]) -> bytes:
    """Commit to an event: C, from the digests of its groups."""
    return sha256(b"\x23" + b"".join(group_digests)).digest()


def commitment(layout: Layout, seeds: Sequence[bytes]) -> bytes:
    """Give the commitment to a layout under the seeds of its groups.

    Raises ProofError when the seeds are not those of so many groups.
    """
    if len(seeds) != len(layout.groups):
        raise ProofError(f"{len(seeds)} seeds for {len(layout.groups)} groups")
    return commit_event(
        [
            commit_group(group.pairs, seed, number)
            for number, (group, seed) in enumerate(
                zip(layout.groups, seeds, strict=True)
            )
        ]
    )


def seal(
    layout: Layout,
    keys: Sequence[GroupKey],
    seeds: Sequence[bytes],
    ivs: Sequence[bytes],
) -> Sealed:
    """Commit to an event and encrypt it, group by group."""
    bound = _AAD + id_bytes(layout.event_id)
    digests: list[bytes] = []
    parts = [pack_head(0x80, len(layout.groups))]
    for number, (group, key, seed, iv) in enumerate(
        zip(layout.groups, keys, seeds, ivs, strict=True)
    ):
        pairs = group.pairs
        digest = commit_group(pairs, seed, number)
        digests.append(digest)
        plain = pack_head(0x80, 1 + len(pairs)) + b"\x50" + seed + b"".join(pairs)
        secret = key.aead.encrypt(iv, plain, bound + digest[:16])
        head = b"\x84\x48" + key.kid + b"\x4c" + iv + b"\x58\x20" + digest
        parts += head, pack_head(0x40, len(secret)), secret
    return Sealed(commit_event(digests), b"".join(parts))


def format_record(event_id: bytes, time_ms: int, groups: bytes) -> bytes:
    """Write a record: `groups` as `seal` gave them."""
    return b"\x83\x50" + event_id + pack_head(0, time_ms) + groups


def parse_record(data: bytes) -> Record:
    """Read a record; raise MalformedError for anything else."""
    value = canonical.decode(data, most=MAX_RECORD)
    if not (isinstance(value, list) and len(value) == 3):
        raise MalformedError("record", "expected [event id, time, groups]")
    event_id, time_ms, groups = value
    _check_bytes(event_id, ID_SIZE, "event id")
    if type(time_ms) is not int or not 0 <= time_ms <= MAX_TIME_MS:
        raise MalformedError("record", "expected a time in milliseconds")
    if not isinstance(groups, list) or not 2 <= len(groups) <= MAX_GROUPS:
        raise MalformedError("record", f"expected 2 to {MAX_GROUPS} groups")
    return Record(event_id, time_ms, tuple(map(_read_group, groups)))


def record_commitment(record: Record) -> bytes:
    """Give the commitment that the groups of a record come to."""
    return commit_event([group.digest for group in record.groups])


def open_group(record: Record, number: int, aead: AESGCM) -> OpenedGroup:
    """Decrypt one group of a record, and check it against its digest.

    Raises ProofError for a key that is not the group's, or bytes that are not what
    was sealed.
    """
    group = record.groups[number]
    aad = _AAD + record.event_id + group.digest[:16]
    try:
        plain = aead.decrypt(group.iv, group.ciphertext, aad)
    except InvalidTag as error:
        raise ProofError(f"group {number} does not decrypt") from error
    opened = _read_plain(plain)
    if commit_group(opened.pairs, opened.seed, number) != group.digest:
        raise ProofError(f"group {number} is not what was committed")
    return opened


def _read_plain(plain: bytes) -> OpenedGroup:
    value = canonical.decode(plain, most=MAX_RECORD)
    if not isinstance(value, list) or not 3 <= len(value) <= 1 + MAX_SLOTS:
        raise MalformedError("group", "expected a seed and fields")
    seed, *fields = value
    _check_bytes(seed, SEED_SIZE, "seed")
    names, values, pairs = [], [], []
    for one in fields:
        if not (isinstance(one, list) and len(one) == 2 and isinstance(one[0], str)):
            raise MalformedError("group", "expected [name, value]")
        names.append(one[0])
        values.append(one[1])
        pairs.append(canonical.pack(one))
    return OpenedGroup(seed, tuple(names), tuple(values), tuple(pairs))


def _read_group(value: object) -> SealedGroup:
    if not (isinstance(value, list) and len(value) == 4):
        raise MalformedError("record", "expected [key id, iv, digest, ciphertext]")
    kid, iv, digest, ciphertext = value
    _check_bytes(kid, KID_SIZE, "key id")
    _check_bytes(iv, IV_SIZE, "iv")
    _check_bytes(digest, HASH_SIZE, "digest")
    if not isinstance(ciphertext, bytes) or len(ciphertext) <= _TAG:
        raise MalformedError("record", "expected a ciphertext")
    return SealedGroup(kid, iv, digest, ciphertext)


def _check_bytes(value: object, size: int, where: str) -> None:
    if not isinstance(value, bytes) or len(value) != size:
        raise MalformedError("record", f"expected {size} bytes", where=where)
