"""Make a log: the only place where one comes into being.

The order, each step durable before the next, under a lock on the logs' directory:

    1. the public keys, written to the directory in which the log is made
    2. the private keys, in new files
    3. the store with the genesis entry and its signed head
    4. the directory gets the log's name: from here on there is a log

A crash before 4 leaves no log and a directory `.NAME.new`; the next `init` of that
name clears it away, and of the keys exactly those that it lists.  Keys without a log
and without that list may have signed: they are never taken and never overwritten.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tallystick_merkle.checkpoint import Checkpoint, check_origin
from tallystick_merkle.errors import MalformedError
from tallystick_merkle.frontier import EMPTY_EDGE, grow
from tallystick_merkle.genesis import (
    EVENTS,
    KINDS,
    RAW,
    TENANT_BYTES,
    Genesis,
    event_settings,
    format_genesis,
    key_commitment,
)
from tallystick_merkle.hashing import EMPTY_ROOT, leaf_hash
from tallystick_merkle.keys import (
    KeyType,
    SigningKey,
    VerifierKey,
    format_vkey,
    make_signing_key,
)
from tallystick_server.clock import Clock
from tallystick_server.errors import LockedError, StoreError, UsageError, WrongKeyError
from tallystick_server.log.keyring import (
    KeySigner,
    read_key,
    sync_directory,
    write_key,
)
from tallystick_server.log.paths import (
    key_path,
    keys_directory,
    log_directory,
    logs_directory,
    next_key_path,
    recovery_key_path,
    staging_directory,
    store_directory,
    vkeys_path,
)
from tallystick_server.ops.disk import check_filesystem
from tallystick_server.storage.base import Commit, Head
from tallystick_server.storage.lmdb import create_store, open_store

_OFFLINE = """\
{file} can take this log away from its signing key after a theft. Nothing on this
machine needs it. Move it to a medium that is kept offline, and delete it here.
"""


@dataclass(frozen=True, slots=True)
class Created:
    """A log that was made: its genesis, its public keys, where the recovery key is.

    `recovery_file` is None when the recovery key was given.
    """

    name: str
    genesis: Genesis
    key: VerifierKey
    next_key: VerifierKey
    recovery_key: VerifierKey
    recovery_file: Path | None

    @property
    def origin(self) -> str:
        """The origin of the log."""
        return self.genesis.origin


@dataclass(frozen=True, slots=True)
class _Keys:
    """The keys of a log to be. `recovery` is None when only its vkey is known."""

    signing: SigningKey
    next: SigningKey
    recovery: SigningKey | None
    recovery_vkey: VerifierKey

    def vkeys(self) -> bytes:
        keys = (self.signing.verifier, self.next.verifier, self.recovery_vkey)
        return "".join(f"{format_vkey(key)}\n" for key in keys).encode()


def create_log(
    data: Path,
    *,
    name: str,
    origin: str,
    recovery: VerifierKey | None,
    clock: Clock,
    draw_seed: Callable[[], bytes],
    kind: str = RAW,
) -> Created:
    """Make a log of a kind below `data`, its keys first.

    `recovery` is the public recovery key; without one, the pair is made here.
    `draw_seed` gives 32 random bytes, new ones each time.  A log of events is a new
    tenant's, with an id that is drawn here.  Raises UsageError when the
    log or keys of its name exist, LockedError when another `init` is running, and
    StoreError when the disk fails: then another try may succeed.
    """
    target = log_directory(data, name)
    _check_arguments(origin, recovery, kind)
    try:
        with alone(data):
            if target.exists():
                raise UsageError(f"the log {name} exists; it is never overwritten")
            _clear_staging(data, name)
            keys = _draw_keys(origin, recovery, draw_seed)
            genesis = Genesis(
                kind,
                origin,
                clock.now_ms(),
                key_commitment(keys.next.verifier),
                key_commitment(keys.recovery_vkey),
                event_settings(draw_seed()[:TENANT_BYTES]) if kind == EVENTS else (),
            )
            _build(data, name, keys, genesis)
    except OSError as error:
        raise StoreError(f"cannot make the log {name}: {error}") from error
    return Created(
        name,
        genesis,
        keys.signing.verifier,
        keys.next.verifier,
        keys.recovery_vkey,
        recovery_key_path(data, name) if keys.recovery else None,
    )


def read_kind(data: Path, name: str) -> str:
    """Give the kind of a log that there is, also while it is served.

    Raises NotInitialisedError without one, IntegrityError for a store that is none.
    """
    store = open_store(store_directory(data, name), read_only=True)
    try:
        return store.about.kind
    finally:
        store.close()


def first_commit(genesis: Genesis, sign: Callable[[Checkpoint], bytes]) -> Commit:
    """Make the commit of the genesis entry, with the signed head of size 1."""
    entry = format_genesis(genesis)
    growth = grow(EMPTY_EDGE, [leaf_hash(entry)])
    note = sign(Checkpoint(genesis.origin, growth.edge.size, growth.root))
    head = Head(growth.edge.size, growth.root, note, genesis.time_ms)
    return Commit(EMPTY_EDGE.size, EMPTY_ROOT, (entry,), growth.rows, (), head)


def _check_arguments(origin: str, recovery: VerifierKey | None, kind: str) -> None:
    if kind not in KINDS:
        raise UsageError(
            f"{kind[:80]!r} is no kind of log: expected {' or '.join(KINDS)}"
        )
    try:
        check_origin(origin)
    except MalformedError as error:
        raise UsageError(f"{origin[:80]!r} cannot be an origin: {error.why}") from error
    if recovery is not None and recovery.type is not KeyType.ED25519:
        raise UsageError(f"the recovery key {recovery.name} is not an Ed25519 key")


def _draw_keys(
    origin: str, recovery: VerifierKey | None, draw_seed: Callable[[], bytes]
) -> _Keys:
    def draw() -> SigningKey:
        return make_signing_key(name=origin, type=KeyType.ED25519, seed=draw_seed())

    signing, following = draw(), draw()
    if recovery is not None:
        return _Keys(signing, following, None, recovery)
    made = draw()
    return _Keys(signing, following, made, made.verifier)


def _build(data: Path, name: str, keys: _Keys, genesis: Genesis) -> None:
    """Build the log beside its place, and give it its name."""
    staging = staging_directory(data, name)
    target = log_directory(data, name)
    staging.mkdir(mode=0o700)
    _write_file(staging / vkeys_path(data, name).name, keys.vkeys())
    sync_directory(staging)
    sync_directory(staging.parent)  # listed before the first key file exists
    write_key(key_path(data, name), keys.signing)
    write_key(next_key_path(data, name), keys.next)
    if keys.recovery is not None:
        file = recovery_key_path(data, name)
        write_key(file, keys.recovery)
        _write_file(file.with_suffix(".txt"), _OFFLINE.format(file=file.name).encode())
    store = staging / store_directory(data, name).name
    store.mkdir(mode=0o700)
    create_store(store, first_commit(genesis, KeySigner(keys.signing).sign))
    sync_directory(store)
    sync_directory(staging)
    staging.rename(target)  # fails unless the place is free
    sync_directory(target.parent)


def _clear_staging(data: Path, name: str) -> None:
    """Remove what an `init` that did not end has left, its keys before their list.

    Raises UsageError for keys that it did not list: they may have signed.
    """
    staging = staging_directory(data, name)
    listed = _read_list(staging / vkeys_path(data, name).name)
    files = [
        file
        for file in (
            key_path(data, name),
            next_key_path(data, name),
            recovery_key_path(data, name),
        )
        if file.exists()
    ]
    for file in files:
        if not _is_left_over(file, listed):
            raise UsageError(
                f"{file} exists but the log {name} does not; a key is never used for "
                "a second log: move the key away, or take another name"
            )
    for file in files:
        file.unlink()
    if staging.exists():
        sync_directory(keys_directory(data))
        shutil.rmtree(staging)


def _read_list(file: Path) -> frozenset[str]:
    """Read the public keys that an unfinished `init` wrote down, if it came so far."""
    try:
        return frozenset(file.read_text("utf-8", "replace").splitlines())
    except FileNotFoundError:
        return frozenset()


def _is_left_over(file: Path, listed: frozenset[str]) -> bool:
    """Whether a key file is of an unfinished `init`: listed, or cut off empty."""
    try:
        return format_vkey(read_key(file).verifier) in listed
    except WrongKeyError:
        return bool(listed) and not file.read_bytes().strip(b"\0")


@contextmanager
def alone(data: Path) -> Iterator[None]:
    """Make the directories; keep any other `init` or `restore` out meanwhile.

    Raises LockedError, UsageError for an unfit file system, OSError.
    """
    _make_directory(data, mode=0o755)
    check_filesystem(data)
    _make_directory(keys_directory(data), mode=0o700)
    _make_directory(logs_directory(data), mode=0o700)
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    descriptor = os.open(logs_directory(data), flags)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise LockedError(
                f"another init or restore is making a log below {data}"
            ) from error
        yield
    finally:
        os.close(descriptor)


def _make_directory(path: Path, *, mode: int) -> None:
    """Make a directory and what is missing above it; durable when this returns."""
    if not path.parent.exists():
        _make_directory(path.parent, mode=0o755)
    try:
        path.mkdir(mode=mode)
    except FileExistsError:
        return
    sync_directory(path.parent)


def _write_file(path: Path, data: bytes) -> None:
    """Write a file of our own; its bytes are durable when this returns."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
