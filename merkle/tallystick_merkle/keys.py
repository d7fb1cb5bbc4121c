"""Keys of logs and witnesses: their strings, their ids and the bare signatures.

    vkey = name "+" 8 hex digits of the key id "+" base64(type || public key)
    skey = "PRIVATE+KEY+" name "+" key id "+" base64(type || 32-byte seed)
    key id = SHA-256(name || LF || type || public key)[:4]

(c2sp.org/signed-note; the skey is the x/mod convention.)  A key id is 32 bits and
easily forged, so a key is always known by name, id and the whole public key.  Seeds
come from the caller: the kernel rolls no dice.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, field
from enum import IntEnum
from functools import lru_cache
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from cryptography.hazmat.primitives.asymmetric.mldsa import (
    MLDSA44PrivateKey,
    MLDSA44PublicKey,
)

from tallystick_merkle.errors import InvalidSignatureError, MalformedError
from tallystick_merkle.spelling import parse_base64

SEED_SIZE = 32
"""Bytes of a private seed, Ed25519 and ML-DSA-44 alike."""

MAX_NAME = 255
"""Longest key name or origin in UTF-8 bytes (the ML-DSA framing has one byte)."""

MAX_VKEY = 4096
"""Longest vkey string accepted, in bytes."""

_SKEY_PREFIX = b"PRIVATE+KEY+"

# The points of order 1, 2, 4 and 8 and their other spellings, sign bit cleared. Such a
# "key" is nobody's: one signature fits many messages (RFC 8032 §5.1.7 lets them pass).
_SMALL_ORDER = frozenset(
    bytes.fromhex(start) + bytes([fill]) * (31 - len(start) // 2) + bytes([last])
    for start, fill, last in (
        ("00", 0x00, 0x00),
        ("01", 0x00, 0x00),
        ("ec", 0xFF, 0x7F),
        ("ed", 0xFF, 0x7F),
        ("ee", 0xFF, 0x7F),
        ("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc", 0, 0x05),
        ("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03", 0, 0x7A),
    )
)


class KeyType(IntEnum):
    """The signature types we know (c2sp.org/signed-note)."""

    ED25519 = 0x01
    """A plain Ed25519 note signature: how a log signs its checkpoints."""
    COSIGNATURE = 0x04
    """An Ed25519 cosignature with a timestamp."""
    MLDSA44 = 0x06
    """An ML-DSA-44 (sub)tree cosignature with a timestamp."""


PUBLIC_SIZES = {KeyType.ED25519: 32, KeyType.COSIGNATURE: 32, KeyType.MLDSA44: 1312}
"""Bytes of the public key of each type."""

SIGNATURE_SIZES = {
    KeyType.ED25519: 64,
    KeyType.COSIGNATURE: 64,
    KeyType.MLDSA44: 2420,
}
"""Bytes of the bare signature of each type, timestamps not counted."""


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key with the name it signs under."""

    name: str
    type: KeyType
    public: bytes
    key_id: bytes = field(init=False)

    def __post_init__(self) -> None:
        """Check the name and the length, and compute the 4-byte key id."""
        check_name(self.name, what="vkey")
        if len(self.public) != PUBLIC_SIZES[self.type]:
            raise MalformedError("vkey", f"public key of {len(self.public)} bytes")
        if len(self.public) == 32 and _clear_sign(self.public) in _SMALL_ORDER:
            raise MalformedError("vkey", "a point of small order is nobody's key")
        text = self.name.encode() + b"\n" + bytes([self.type]) + self.public
        object.__setattr__(self, "key_id", sha256(text).digest()[:4])

    def verify(self, message: bytes, signature: bytes) -> None:
        """Raise InvalidSignatureError unless `signature` signs exactly `message`."""
        if len(signature) != SIGNATURE_SIZES[self.type]:
            raise InvalidSignatureError(f"signature of {self.name} has a wrong length")
        try:
            if self.type is KeyType.MLDSA44:
                _load_mldsa(self.public).verify(signature, message)
            else:
                _load_ed25519(self.public).verify(signature, message)
        except InvalidSignature as error:
            raise InvalidSignatureError(
                f"signature of {self.name} does not verify"
            ) from error


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key with the name it signs under. Its seed is never shown."""

    verifier: VerifierKey
    seed: bytes = field(repr=False)
    _private: Ed25519PrivateKey | MLDSA44PrivateKey = field(repr=False, compare=False)

    @property
    def name(self) -> str:
        """The name the key signs under."""
        return self.verifier.name

    @property
    def type(self) -> KeyType:
        """The signature type."""
        return self.verifier.type

    def sign(self, message: bytes) -> bytes:
        """Sign exactly `message`; Ed25519 is deterministic, ML-DSA-44 is hedged."""
        return self._private.sign(message)


def make_signing_key(*, name: str, type: KeyType, seed: bytes) -> SigningKey:  # noqa: A002 -- the field's own word
    """Make a signing key from a 32-byte seed that the caller drew at random."""
    if len(seed) != SEED_SIZE:
        raise MalformedError("skey", f"seed of {len(seed)} bytes, expected 32")
    private: Ed25519PrivateKey | MLDSA44PrivateKey
    if type is KeyType.MLDSA44:
        private = MLDSA44PrivateKey.from_seed_bytes(seed)
    else:
        private = Ed25519PrivateKey.from_private_bytes(seed)
    public = private.public_key().public_bytes_raw()
    return SigningKey(VerifierKey(name, type, public), seed, private)


def format_vkey(key: VerifierKey) -> str:
    """Write the vkey string."""
    body = b64encode(bytes([key.type]) + key.public).decode()
    return f"{key.name}+{key.key_id.hex()}+{body}"


def parse_vkey(text: str) -> VerifierKey:
    """Read a vkey string; the key id must be the one that the key has."""
    raw = _encode(text, what="vkey")
    if len(raw) > MAX_VKEY:
        raise MalformedError("vkey", f"longer than {MAX_VKEY} bytes")
    name, key_id, kind, public = _split(raw, what="vkey")
    key = VerifierKey(name, kind, public)
    if key.key_id.hex() != key_id:
        raise MalformedError(
            "vkey", f"key id is {key.key_id.hex()}, the string says {key_id}"
        )
    return key


def format_skey(key: SigningKey) -> str:
    """Write the skey string. It is the secret: write it only to a 0600 file."""
    body = b64encode(bytes([key.type]) + key.seed).decode()
    return f"PRIVATE+KEY+{key.name}+{key.verifier.key_id.hex()}+{body}"


def parse_skey(text: str) -> SigningKey:
    """Read an skey string. Errors never repeat any of its bytes."""
    raw = _encode(text, what="skey")
    if len(raw) > MAX_VKEY or not raw.startswith(_SKEY_PREFIX):
        raise MalformedError("skey", "expected PRIVATE+KEY+<name>+<id>+<base64>")
    name, key_id, kind, seed = _split(raw[len(_SKEY_PREFIX) :], what="skey")
    key = make_signing_key(name=name, type=kind, seed=seed)
    if key.verifier.key_id.hex() != key_id:
        raise MalformedError("skey", "the key id is not that of the key")
    return key


def check_name(name: str, *, what: str) -> None:
    """Raise unless a key name has 1 to 255 bytes, no space, no plus, no control."""
    size = len(_encode(name, what=what))
    if not 1 <= size <= MAX_NAME:
        raise MalformedError(what, f"name of {size} bytes, expected 1 to {MAX_NAME}")
    if "+" in name or any(mark.isspace() or mark < " " for mark in name):
        raise MalformedError(what, "a name holds no space, no plus, no control")


def _split(raw: bytes, *, what: str) -> tuple[str, str, KeyType, bytes]:
    """Split name+id+base64 at the first two pluses (base64 may hold more)."""
    parts = raw.split(b"+", 2)
    if len(parts) != 3:
        raise MalformedError(what, "expected <name>+<id>+<base64>")
    name, key_id, body = parts
    data = parse_base64(body, what=what, where="key", longest=MAX_VKEY)
    known = {int(kind) for kind in KeyType}
    if not data or data[0] not in known:
        raise MalformedError(what, "unknown key type, expected 0x01, 0x04 or 0x06")
    return name.decode(), key_id.decode("ascii", "replace"), KeyType(data[0]), data[1:]


def _clear_sign(point: bytes) -> bytes:
    """Clear the sign bit of an encoded Ed25519 point."""
    return point[:31] + bytes([point[31] & 0x7F])


def _encode(text: str, *, what: str) -> bytes:
    """Encode to UTF-8; lone surrogates are our own error."""
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise MalformedError(what, "not valid UTF-8") from error


@lru_cache(maxsize=1024)
def _load_ed25519(public: bytes) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(public)


@lru_cache(maxsize=1024)
def _load_mldsa(public: bytes) -> MLDSA44PublicKey:
    return MLDSA44PublicKey.from_public_bytes(public)
