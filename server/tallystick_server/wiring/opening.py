"""Open one log for serving, in the order that a start must keep.

    filesystem → lock → marker → store → key → state re-derived → clock → anchor

Each step may refuse, and then nothing after it has happened, and what was opened is
closed again.  What the witnesses say, and everything that runs, comes after (see
`wiring.running`).  A log that is opened for reading only takes no lock, needs no
private key, and signs nothing.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tallystick_merkle.errors import MalformedError
from tallystick_merkle.keys import VerifierKey, parse_vkey
from tallystick_merkle.policy import MAX_POLICY, Policy, parse_policy
from tallystick_server.clock import Clock
from tallystick_server.config.model import LogSettings
from tallystick_server.errors import IntegrityError, NotInitialisedError, UsageError
from tallystick_server.log.anchor import Anchor, open_anchor
from tallystick_server.log.commit import LogState
from tallystick_server.log.keyring import KeySigner, Signer, read_key
from tallystick_server.log.lock import LockedSigner, WriterLock
from tallystick_server.log.marker import Marker, State, read_marker
from tallystick_server.log.paths import (
    key_path,
    lock_path,
    log_directory,
    store_directory,
    vkeys_path,
)
from tallystick_server.log.reader import Reader
from tallystick_server.log.startup import check_anchor, check_clock, load_state
from tallystick_server.ops.disk import check_filesystem
from tallystick_server.storage.base import LogStore, Published
from tallystick_server.storage.lmdb import open_store

_MAX_FILE = MAX_POLICY


@dataclass(frozen=True, slots=True)
class OpenedLog:
    """A log whose state was checked, and what must be closed in the end.

    `signer` is None when it only reads.  `is_anchored` says that the anchor proves
    that the log was not set back.  `marker` is there for a restored log alone.
    """

    name: str
    settings: LogSettings
    policy: Policy | None
    key: VerifierKey
    store: LogStore
    state: LogState
    published: Published | None
    signer: Signer | None
    anchor: Anchor | None
    is_anchored: bool
    marker: Marker | None
    closing: ExitStack

    def close(self) -> None:
        """Close the anchor, the store and, last, the lock."""
        self.closing.close()


def open_for_writing(
    data: Path,
    name: str,
    settings: LogSettings,
    *,
    clock: Clock,
    allow_new_anchor: bool = False,
) -> OpenedLog:
    """Open a log that this process will write. Raises StartError or StoreError."""
    with ExitStack() as closing:
        policy = read_policy(settings.policy)
        check_filesystem(log_directory(data, name))
        lock = closing.enter_context(WriterLock(lock_path(data, name)))
        marker = _writable_marker(data, name)
        store = open_store(
            store_directory(data, name),
            is_watched=settings.anchor is not None
            or (policy is not None and policy.asks_for_witnesses),
        )
        closing.callback(store.close)
        signer = LockedSigner(KeySigner(read_key(key_path(data, name))), lock)
        state, published = load_state(store, signer.key)
        _check_marker(marker, state, Reader(store, state.head))
        check_clock(state.head, now_ms=clock.now_ms())
        anchor, is_anchored = None, False
        if settings.anchor is not None:
            anchor = open_anchor(
                settings.anchor,
                origin=state.origin,
                size=state.head.size,
                allow_new=allow_new_anchor,
            )
            closing.callback(anchor.close)
            is_anchored = check_anchor(anchor, store, state.head)
        return OpenedLog(
            name,
            settings,
            policy,
            signer.key,
            store,
            state,
            published,
            signer,
            anchor,
            is_anchored,
            marker,
            closing.pop_all(),
        )


def open_for_reading(data: Path, name: str, settings: LogSettings) -> OpenedLog:
    """Open a log to serve reads, beside its writer or without one."""
    with ExitStack() as closing:
        policy = read_policy(settings.policy)
        key, *_ = read_vkeys(data, name)
        store = open_store(store_directory(data, name), read_only=True)
        closing.callback(store.close)
        state, published = load_state(store, key)
        return OpenedLog(
            name,
            settings,
            policy,
            key,
            store,
            state,
            published,
            None,
            None,
            False,
            read_marker(data, name),
            closing.pop_all(),
        )


def _writable_marker(data: Path, name: str) -> Marker | None:
    """Read the marker of a log that may be written; raise UsageError for another."""
    marker = read_marker(data, name)
    if marker is not None and marker.state is State.RESTORED:
        raise UsageError(
            f"the log {name} was restored from a backup and is read-only until it is "
            "promoted: tallystick server promote"
        )
    return marker


def _check_marker(marker: Marker | None, state: LogState, reader: Reader) -> None:
    """Raise IntegrityError for a promoted log that is not what was promoted.

    Until it is confirmed it may hold one entry more than was restored, its promotion.
    """
    if marker is None:
        return
    size = state.head.size
    most = marker.size + (marker.state is State.CONFIRMING)
    if not marker.size <= size <= most or reader.root(marker.size) != marker.root:
        raise IntegrityError(
            f"the log of {state.origin!r} was promoted at size {marker.size} and root "
            f"{marker.root.hex()} and is not that log any more: it has size {size}"
        )


def read_policy(path: Path | None) -> Policy | None:
    """Read a policy file; raise UsageError for one that cannot be used."""
    if path is None:
        return None
    try:
        return parse_policy(_read_file(path))
    except MalformedError as error:
        raise UsageError(f"{path}: {error}") from error


def read_vkeys(data: Path, name: str) -> tuple[VerifierKey, ...]:
    """Read the log's public keys: its signing key, the next one, the recovery key.

    Raises NotInitialisedError where there is no log, IntegrityError for a broken file.
    """
    path = vkeys_path(data, name)
    if not path.parent.is_dir():
        raise NotInitialisedError(
            f"no log at {path.parent}; make one with: tallystick server init"
        )
    return parse_vkeys(path)


def parse_vkeys(path: Path) -> tuple[VerifierKey, ...]:
    """Read a file of three vkeys, one a line. Raises IntegrityError for another one."""
    try:
        lines = _read_file(path).decode().split("\n")
        signing, following, recovery = map(parse_vkey, lines[:3])
    except (MalformedError, UnicodeDecodeError, ValueError) as error:
        raise IntegrityError(f"{path} does not hold the log's three vkeys") from error
    return signing, following, recovery


def _read_file(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_MAX_FILE + 1)  # so that what is too long shows
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
