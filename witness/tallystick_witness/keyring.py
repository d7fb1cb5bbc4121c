"""The witness's signing keys: made once, read from files that only their owner reads.

DIR/keys holds one file for each key, an skey string.  A file that others may read is
refused, and so is a key that the store was not made with: a key on top of another
store would cosign from scratch.
"""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Sequence
from pathlib import Path

from tallystick_merkle.errors import MalformedError
from tallystick_merkle.keys import (
    SEED_SIZE,
    KeyType,
    SigningKey,
    format_skey,
    format_vkey,
    make_signing_key,
    parse_skey,
)
from tallystick_witness.errors import UsageError, WrongKeyError
from tallystick_witness.filesystem import sync_folder
from tallystick_witness.state import Identity

FILES = {KeyType.COSIGNATURE: "ed25519.skey", KeyType.MLDSA44: "mldsa44.skey"}
"""The file of each type of key a witness signs with."""

_MAX_FILE = 8192


def make_keys(name: str, types: Sequence[KeyType]) -> tuple[SigningKey, ...]:
    """Draw a key of each type; raise UsageError for a name that no key may have."""
    try:
        return tuple(
            make_signing_key(name=name, type=kind, seed=secrets.token_bytes(SEED_SIZE))
            for kind in types
        )
    except MalformedError as error:
        raise UsageError(f"not a key name: {error}") from error


def identify(keys: Sequence[SigningKey]) -> Identity:
    """Give the identity that these keys (at least one) stand for."""
    return Identity(keys[0].name, tuple(format_vkey(key.verifier) for key in keys))


def write_keys(folder: Path, keys: Sequence[SigningKey]) -> None:
    """Write the keys to a new folder, mode 0700; durable when this returns.

    Raises UsageError if the folder exists: a key is never overwritten.
    """
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError as error:
        raise UsageError(f"{folder} exists; keys are never overwritten") from error
    for key in keys:
        _write_key(folder / FILES[key.type], key)
    sync_folder(folder)
    sync_folder(folder.parent)


def read_keys(folder: Path, identity: Identity) -> tuple[SigningKey, ...]:
    """Read all keys, Ed25519 first; raise WrongKeyError unless they are the store's.

    Messages never hold any byte of a key file.
    """
    paths = [folder / name for name in FILES.values() if (folder / name).exists()]
    if not paths:
        raise WrongKeyError(f"there is no key in {folder}; restore the witness's keys")
    keys = tuple(map(_read_key, paths))
    if identify(keys) != identity:
        raise WrongKeyError(
            f"the keys in {folder} are not those of the store, which is that of "
            f"{identity.name}; put the right keys there"
        )
    return keys


def _write_key(path: Path, key: SigningKey) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
        file.write(format_skey(key).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def _read_key(path: Path) -> SigningKey:
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            data = file.read(_MAX_FILE)
    except OSError as error:
        raise WrongKeyError(f"cannot read the key {path}: {error.strerror}") from error
    if stat.S_IMODE(status.st_mode) & 0o077 or status.st_uid != os.geteuid():
        raise WrongKeyError(
            f"the key {path} may be read by others, or is not yours; "
            f"run: chmod 600 {path}"
        )
    try:
        return parse_skey(data.decode().strip())
    except (UnicodeDecodeError, MalformedError):
        # Without its cause: that one may tell of what the file holds.
        raise WrongKeyError(f"{path} does not hold a signing key") from None
