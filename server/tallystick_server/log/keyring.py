"""The log's signing key: where it is kept, and the seam to whoever signs.

A Signer signs a checkpoint and nothing else; a key server or a hardware module can
stand behind it.  The file signer reads an skey from a file that only its owner may
read; anything looser is refused.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Protocol

from tallystick_merkle.checkpoint import Checkpoint
from tallystick_merkle.cosignature import sign_checkpoint
from tallystick_merkle.errors import MalformedError
from tallystick_merkle.keys import (
    KeyType,
    SigningKey,
    VerifierKey,
    format_skey,
    parse_skey,
)
from tallystick_merkle.note import format_note
from tallystick_server.errors import UsageError, WrongKeyError

_MAX_FILE = 8192


class Signer(Protocol):
    """Signs checkpoints as one log."""

    @property
    def key(self) -> VerifierKey:
        """The public key, named as the log's origin."""
        ...

    def sign(self, checkpoint: Checkpoint) -> bytes:
        """Give the whole signed note. Nothing is released here."""
        ...


class KeySigner:
    """Signs with a key held in memory."""

    def __init__(self, key: SigningKey) -> None:
        """Take a plain Ed25519 key; raise WrongKeyError for another type."""
        if key.type is not KeyType.ED25519:
            raise WrongKeyError(f"the key of {key.name} is not an Ed25519 log key")
        self._key = key

    @property
    def key(self) -> VerifierKey:
        """The public key."""
        return self._key.verifier

    def sign(self, checkpoint: Checkpoint) -> bytes:
        """Give the whole signed note."""
        return format_note(sign_checkpoint(checkpoint, self._key))


def read_key(path: Path) -> SigningKey:
    """Read an skey file of mode 0600 or stricter, owned by whoever runs this.

    Raises WrongKeyError; the message never holds any of the file's bytes.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno())
            data = file.read(_MAX_FILE)
    except OSError as error:
        raise WrongKeyError(f"cannot read the key {path}: {error.strerror}") from error
    if stat.S_IMODE(mode.st_mode) & 0o077 or mode.st_uid != os.geteuid():
        raise WrongKeyError(
            f"the key {path} may be read by others; run: chmod 600 {path}"
        )
    try:
        return parse_skey(data.decode("ascii").strip())
    except (UnicodeDecodeError, MalformedError) as error:
        raise WrongKeyError(f"{path} does not hold a signing key") from error


def write_key(path: Path, key: SigningKey) -> None:
    """Write an skey to a new file of mode 0600; durable when this returns.

    Raises UsageError when the file exists: a key is never overwritten.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags, 0o600)
    except FileExistsError as error:
        raise UsageError(f"{path} exists; a key is never overwritten") from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(format_skey(key).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
