"""A generation of the vault: its keys, and the bytes that they seal.

    generation file    JSON: format, vault id, number, both keys wrapped by the root,
                       and a digest, so that damage is told from a wrong root key
    handle             HMAC-SHA256(directory key, name)[:16]
    row of a key       handle || iv || AES-256-GCM(data key, dek || secret),
                       aad = kid || number (8 bytes) || handle
    state              iv || AES-256-GCM(data key, count || rows || last kid || chain),
                       aad = "state" || number (8 bytes) || vault id
    proof of a state   HMAC-SHA256(key, vault id || count (8 bytes) || chain)[:16],
                       key = HMAC-SHA256(directory key, "tallystick-vault/1 states")

The data key is new in each generation: what an older one sealed can be read by nobody
once its file is destroyed.  The directory key stays, since names are not stored.  The
engine has no checksums; every row and the state carry their own proof.
"""

from __future__ import annotations

import hmac
import json
import struct
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tallystick_server.errors import IntegrityError, UsageError, WrongKeyError
from tallystick_server.storage.base import CHAIN_SIZE
from tallystick_server.vault.base import (
    ID_SIZE,
    KID_SIZE,
    NO_KEYS,
    SECRET_SIZE,
    VaultKey,
)
from tallystick_server.vault.root import RootKey

FORMAT = 1
"""Version of what is stored; a vault of another one is refused."""

MAX_FILE = 32 * 1024
"""Longest generation file, in bytes; a key server may wrap at length."""

HANDLE_SIZE = 16
"""Bytes of the digest of a name."""

IV_SIZE = 12
"""Bytes of a nonce."""

PROOF_SIZE = 16
"""Bytes of the proof of a state."""

_DATA, _DIRECTORY = b"tallystick-vault/1 data", b"tallystick-vault/1 directory"
_HEAD = HANDLE_SIZE + IV_SIZE
_STATES = b"tallystick-vault/1 states"
_STATE = struct.Struct(f">QQ{KID_SIZE}s{CHAIN_SIZE}s")
_NUMBER = struct.Struct(">Q")

Draw = Callable[[int], bytes]
"""Gives as many random bytes as it is asked for."""


@dataclass(frozen=True, slots=True)
class Generation:
    """What a generation file says: whose generation, its number, its wrapped keys."""

    vault_id: bytes
    number: int
    data_key: bytes
    directory_key: bytes

    def digest(self) -> str:
        """Hash all that the file says."""
        head = self.vault_id + _NUMBER.pack(self.number)
        head += _NUMBER.pack(len(self.data_key)) + self.data_key
        return sha256(head + self.directory_key).hexdigest()


@dataclass(frozen=True, slots=True)
class State:
    """Keys ever made, rows that there are, and the id of the key made last.

    `last` is all zeros where that key is not there any more, or never was; `chain` runs
    over the ids of all keys ever made, see `vault.states`.
    """

    count: int
    rows: int
    last: bytes
    chain: bytes


EMPTY = State(0, 0, bytes(KID_SIZE), NO_KEYS)
"""The state of a new vault."""


class Cipher:
    """The keys of a generation, unwrapped: they find, seal and open its rows."""

    def __init__(
        self, generation: Generation, *, data_key: bytes, directory_key: bytes
    ) -> None:
        """Take what the root key unwrapped."""
        self.generation = generation
        self._directory_key = directory_key
        self._aead = AESGCM(data_key)
        self._number = _NUMBER.pack(generation.number)
        self._about = b"state" + self._number + generation.vault_id
        self._states_key = hmac.digest(directory_key, _STATES, "sha256")

    @classmethod
    def unwrap(cls, generation: Generation, root: RootKey) -> Self:
        """Unwrap the keys of a generation. Raises WrongKeyError for another root."""
        context = _context(generation.vault_id, generation.number)
        try:
            data_key = root.unwrap(generation.data_key, _DATA + context)
            directory_key = root.unwrap(generation.directory_key, _DIRECTORY + context)
        except WrongKeyError as error:
            raise WrongKeyError(
                f"the root key does not fit the vault {generation.vault_id.hex()}: "
                "bring back the one that the vault was made with"
            ) from error
        return cls(generation, data_key=data_key, directory_key=directory_key)

    def follow(self, root: RootKey, draw: Draw) -> Cipher:
        """Make the keys of the next generation; nothing is stored by this."""
        generation = self.generation
        return _wrap(
            generation.vault_id,
            generation.number + 1,
            root,
            data_key=draw(SECRET_SIZE),
            directory_key=self._directory_key,
        )

    def handle(self, name: bytes) -> bytes:
        """Give what is stored of a name."""
        return hmac.digest(self._directory_key, name, "sha256")[:HANDLE_SIZE]

    def seal_key(self, key: VaultKey, handle: bytes, iv: bytes) -> bytes:
        """Give the row of a key."""
        aad = key.kid + self._number + handle
        return handle + iv + self._aead.encrypt(iv, key.dek + key.secret, aad)

    def open_key(self, kid: bytes, row: bytes) -> tuple[bytes, VaultKey]:
        """Give the handle and the key of a row. Raises IntegrityError."""
        handle, iv, sealed = row[:HANDLE_SIZE], row[HANDLE_SIZE:_HEAD], row[_HEAD:]
        try:
            plain = self._aead.decrypt(iv, sealed, kid + self._number + handle)
        except (InvalidTag, ValueError) as error:
            raise IntegrityError(
                f"key {kid.hex()} of the vault does not open: the vault is damaged; "
                "restore a backup of it"
            ) from error
        return handle, VaultKey(kid, plain[:SECRET_SIZE], plain[SECRET_SIZE:])

    def seal_state(self, state: State, iv: bytes) -> bytes:
        """Give the bytes of the state."""
        plain = _STATE.pack(state.count, state.rows, state.last, state.chain)
        return iv + self._aead.encrypt(iv, plain, self._about)

    def open_state(self, data: bytes) -> State:
        """Give the state. Raises IntegrityError."""
        try:
            plain = self._aead.decrypt(data[:IV_SIZE], data[IV_SIZE:], self._about)
        except (InvalidTag, ValueError) as error:
            raise IntegrityError(
                "the state of the vault does not open: its rows and its generation "
                "file do not belong together; restore a backup of it"
            ) from error
        return State(*_STATE.unpack(plain))

    def prove_state(self, count: int, chain: bytes) -> bytes:
        """Give the proof that this was the chain of `count` keys."""
        told = self.generation.vault_id + _NUMBER.pack(count) + chain
        return hmac.digest(self._states_key, told, "sha256")[:PROOF_SIZE]

    def check_state(self, count: int, chain: bytes, proof: bytes) -> None:
        """Raise IntegrityError unless that is the proof of such a state."""
        if not hmac.compare_digest(self.prove_state(count, chain), proof):
            raise IntegrityError(
                f"state {count} of the vault is not proved: the vault is damaged; "
                "restore a backup of it"
            )


def make_first(root: RootKey, draw: Draw) -> Cipher:
    """Make the keys of a new vault, and its id; nothing is stored by this."""
    return _wrap(
        draw(ID_SIZE),
        1,
        root,
        data_key=draw(SECRET_SIZE),
        directory_key=draw(SECRET_SIZE),
    )


def format_generation(generation: Generation) -> bytes:
    """Write a generation file."""
    body = {
        "format": FORMAT,
        "vault": generation.vault_id.hex(),
        "generation": generation.number,
        "data_key": generation.data_key.hex(),
        "directory_key": generation.directory_key.hex(),
        "digest": generation.digest(),
    }
    return f"{json.dumps(body, indent=1)}\n".encode()


def parse_generation(data: bytes) -> Generation:
    """Read a generation file; there is one spelling of each.

    Raises UsageError for a newer format, ValueError for what is none.
    """
    try:
        body = json.loads(data)
        number = body["format"]
        if type(number) is int and number > FORMAT:
            raise UsageError(
                f"the vault is of format {number}, this version reads {FORMAT}"
            )
        found = Generation(
            bytes.fromhex(body["vault"]),
            body["generation"],
            bytes.fromhex(body["data_key"]),
            bytes.fromhex(body["directory_key"]),
        )
        if format_generation(found) != data:
            raise ValueError("not the one spelling")
    except (KeyError, TypeError, AttributeError, RecursionError, struct.error) as error:
        raise ValueError("no generation of a vault") from error
    if type(found.number) is not int or found.number < 1:
        raise ValueError("no number of a generation")
    if len(found.vault_id) != ID_SIZE:
        raise ValueError("no id of a vault")
    return found


def _wrap(
    vault_id: bytes,
    number: int,
    root: RootKey,
    *,
    data_key: bytes,
    directory_key: bytes,
) -> Cipher:
    context = _context(vault_id, number)
    generation = Generation(
        vault_id,
        number,
        root.wrap(data_key, _DATA + context),
        root.wrap(directory_key, _DIRECTORY + context),
    )
    return Cipher(generation, data_key=data_key, directory_key=directory_key)


def _context(vault_id: bytes, number: int) -> bytes:
    """Bind a wrapped key to its vault and its generation."""
    return vault_id + _NUMBER.pack(number)
