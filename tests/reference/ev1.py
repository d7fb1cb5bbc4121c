"""`ev1` as docs/formats.md has it, in the plainest words: only tests use it.

A group is a list of [name, value]; an event is a list of groups.  Nothing is cached,
planned or shared with the kernel, and every digest is computed where it is needed.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256, shake_128

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.reference import dcbor

Field = tuple[str, object]
Group = list[Field]

PROTECTED = bytes.fromhex("a10103")
"""COSE's protected header {1: 3}: AES-256-GCM. Its key is no text, so it is spelt."""


def salt_and_decoys(
    seed: bytes, number: int, count: int
) -> tuple[list[bytes], list[bytes]]:
    """Cut the stream of a group of `count` fields: 16 bytes each, then its decoys."""
    decoys = (4 - count % 4) % 4
    stream = shake_128(b"\x21" + seed + bytes([number])).digest(
        16 * count + 32 * decoys
    )
    salts = [stream[16 * at : 16 * at + 16] for at in range(count)]
    rest = stream[16 * count :]
    return salts, [rest[32 * at : 32 * at + 32] for at in range(decoys)]


def field_digest(salt: bytes, name: str, value: object) -> bytes:
    """c = SHA-256(0x20 || salt || dCBOR([name, value]))."""
    return sha256(b"\x20" + salt + dcbor.encode([name, value])).digest()


def slot_digests(group: Group, seed: bytes, number: int) -> list[bytes]:
    """The digests of all slots of a group, the decoys last."""
    salts, decoys = salt_and_decoys(seed, number, len(group))
    fields = [
        field_digest(salt, name, value)
        for salt, (name, value) in zip(salts, group, strict=True)
    ]
    return fields + decoys


def group_digest(slots: Iterable[bytes]) -> bytes:
    """G = SHA-256(0x22 || slot digests)."""
    return sha256(b"\x22" + b"".join(slots)).digest()


def commitment(groups: Iterable[bytes]) -> bytes:
    """C = SHA-256(0x23 || group digests)."""
    return sha256(b"\x23" + b"".join(groups)).digest()


def commit(groups: Sequence[Group], seeds: Sequence[bytes]) -> bytes:
    """The commitment of an event under the seeds of its groups."""
    return commitment(
        group_digest(slot_digests(group, seed, number))
        for number, (group, seed) in enumerate(zip(groups, seeds, strict=True))
    )


def names_digest(names: list[str]) -> bytes:
    """What stands in slot 1: SHA-256(0x24 || dCBOR(all names in slot order))."""
    return sha256(b"\x24" + dcbor.encode(names)).digest()


def blind(seed: bytes) -> bytes:
    """SHA-256(0x2b || seed of group 0), its first 16 bytes."""
    return sha256(b"\x2b" + seed).digest()[:16]


def index_entry(epoch: int, tags: Iterable[bytes], blind: bytes = b"b" * 16) -> bytes:
    """dCBOR([epoch, [tag, ...], blind])."""
    return dcbor.encode([epoch, sorted(tags), blind])


def index_digest(entry: bytes) -> bytes:
    """X = SHA-256(0x15 || index entry)."""
    return sha256(b"\x15" + entry).digest()


def leaf(time_ms: int, commitment: bytes, index_digest: bytes) -> bytes:
    """01 || dCBOR([0, time, C, X]): 80 bytes for every time of our days."""
    return b"\x01" + dcbor.encode([0, time_ms, commitment, index_digest])


def seal_group(
    group: Group,
    *,
    number: int,
    event_id: bytes,
    seed: bytes,
    key: tuple[bytes, bytes],
    iv: bytes,
) -> list[object]:
    """[kid, iv, G, ciphertext]: the fields under AES-256-GCM, as in COSE_Encrypt0.

    `key` is the key's id and the key.
    """
    kid, secret = key
    digest = group_digest(slot_digests(group, seed, number))
    plaintext = dcbor.encode([seed, *[[name, value] for name, value in group]])
    aad = dcbor.encode(["Encrypt0", PROTECTED, event_id + digest[:16]])
    return [kid, iv, digest, AESGCM(secret).encrypt(iv, plaintext, aad)]


def record(event_id: bytes, time_ms: int, groups: list[list[object]]) -> bytes:
    """dCBOR([event_id, time, groups])."""
    return dcbor.encode([event_id, time_ms, groups])
