"""The root key, which wraps the keys of the vault's generations, and its seam.

Whoever loses it has lost the contents of all events for ever; whoever has it and the
vault can read them all.  So it is kept apart from both, and a key server or hardware
module can stand behind the seam.  The file root reads 32 bytes in hex from a file that
only its owner may read; anything looser is refused.
"""

from __future__ import annotations

import os
import re
import secrets
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tallystick_server.errors import StoreError, WrongKeyError
from tallystick_server.storage.environment import sync_names

ROOT_SIZE = 32
"""Bytes of a root key."""

_IV_SIZE = 12
_MAX_FILE = 8192
_HEX = re.compile(rb"[0-9a-f]{64}\n?")


class RootKey(Protocol):
    """Wraps short secrets. `context` says what for; it is bound to the result."""

    def wrap(self, secret: bytes, context: bytes) -> bytes:
        """Give a secret in a form that only this root key opens."""
        ...

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """Give the secret back; raise WrongKeyError when it was not wrapped by this."""
        ...


class HeldRoot:
    """A root key held in memory: AES-256-GCM, a random nonce before each secret."""

    def __init__(
        self, key: bytes, *, draw: Callable[[int], bytes] = secrets.token_bytes
    ) -> None:
        """Take the 32 bytes of the key; `draw` gives random bytes."""
        self._aead = AESGCM(key)
        self._draw = draw

    def wrap(self, secret: bytes, context: bytes) -> bytes:
        """Give a secret in a form that only this root key opens."""
        iv = self._draw(_IV_SIZE)
        return iv + self._aead.encrypt(iv, secret, context)

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """Give the secret back; raise WrongKeyError when it was not wrapped by this."""
        try:
            return self._aead.decrypt(wrapped[:_IV_SIZE], wrapped[_IV_SIZE:], context)
        except (InvalidTag, ValueError) as error:
            raise WrongKeyError("the root key does not open this") from error


class FileRoot(HeldRoot):
    """A root key that was read from a file."""

    def __init__(self, path: Path) -> None:
        """Read the key. Raises WrongKeyError, with none of the file's bytes."""
        super().__init__(_read_root(path))


def make_root(
    path: Path, *, draw: Callable[[int], bytes] = secrets.token_bytes
) -> None:
    """Write a new root key to a file of mode 0600; durable when this returns.

    A key that is there already is kept.  The name appears once the bytes are durable,
    so it never names half a key.  Raises StoreError.
    """
    fresh = path.with_name(path.name + ".new")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        if path.exists():
            return
        with os.fdopen(os.open(fresh, flags, 0o600), "wb") as file:
            file.write(draw(ROOT_SIZE).hex().encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        fresh.rename(path)
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror}") from error
    sync_names(path.parent)


def _read_root(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            data = file.read(_MAX_FILE)
    except OSError as error:
        raise WrongKeyError(
            f"cannot read the vault's root key {path}: {error.strerror}; without it no "
            "event can be read: bring it back from where it is kept"
        ) from error
    if stat.S_IMODE(status.st_mode) & 0o077 or status.st_uid != os.geteuid():
        raise WrongKeyError(
            f"the root key {path} may be read by others; run: chmod 600 {path}"
        )
    if _HEX.fullmatch(data) is None:
        raise WrongKeyError(f"{path} does not hold a root key: 32 bytes in hex")
    return bytes.fromhex(data.decode().strip())
