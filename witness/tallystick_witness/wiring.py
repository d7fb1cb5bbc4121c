"""Put a witness together, in the order in which a start must look at things.

lock -> file system -> store there? -> pages dropped, structure walked -> opened ->
whose? -> keys -> every head verified -> anchor -> clock -> dead readers -> sign.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tallystick_witness.anchor import Anchor, FileAnchor, NoAnchor, new_anchor
from tallystick_witness.clock import Clock, Timekeeper
from tallystick_witness.config import WitnessSettings
from tallystick_witness.datadir import DataDir, Lock
from tallystick_witness.errors import UsageError
from tallystick_witness.filesystem import check_local
from tallystick_witness.keyring import read_keys
from tallystick_witness.service import Witness
from tallystick_witness.starting import (
    catch_up,
    check_anchor,
    check_clock,
    check_heads,
)
from tallystick_witness.state import FollowedLog
from tallystick_witness.store.files import check_files, check_structure, open_store

_MIB = 1 << 20
_log = logging.getLogger(__name__)


@contextmanager
def open_witness(settings: WitnessSettings, clock: Clock) -> Iterator[Witness]:
    """Give a witness that may sign, for the length of a block; it is closed after it.

    Raises a StartError, with its exit code, where it may not.
    """
    place = DataDir(settings.data)
    with ExitStack() as stack:
        check_files(place.store)
        lock = stack.enter_context(Lock(place.lock))
        check_local(place.store)
        check_structure(place.store, is_anchored=settings.anchor is not None)
        store = open_store(place.store)
        stack.callback(store.close)
        identity = store.identity()
        keys = read_keys(place.keys, identity)
        logs = store.logs()
        check_heads(logs, [key.verifier for key in keys])
        anchor = _open_anchor(settings, identity.name, logs)
        stack.callback(anchor.close)
        check_anchor(logs, anchor.latest)
        timekeeper = Timekeeper(clock)
        check_clock(logs, timekeeper.now_s())
        catch_up(logs, anchor)
        store.sweep()
        yield Witness(
            keys=keys,
            store=store,
            anchor=anchor,
            timekeeper=timekeeper,
            has_room=lambda: has_room(place.store, settings.min_free_mib),
            is_alone=lock.is_in_place,
        )


def has_room(path: Path, min_free_mib: int) -> bool:
    """Whether the disk that holds `path` has this much space left for us."""
    disk = os.statvfs(path)
    return disk.f_bavail * disk.f_frsize >= min_free_mib * _MIB


def _open_anchor(
    settings: WitnessSettings, name: str, logs: list[FollowedLog]
) -> Anchor:
    """Open the anchor; make it only where there is nothing yet to remember."""
    path = settings.anchor
    if path is None:
        if settings.new_anchor:
            raise UsageError("--new-anchor needs --anchor FILE")
        _log.warning("no anchor: a rollback of the store is not detectable")
        return NoAnchor()
    has_heads = any(log.head for log in logs)
    if settings.new_anchor or not (has_heads or path.exists()):
        new_anchor(path, name=name)
    anchor = FileAnchor(path, name=name)
    if path.stat().st_dev == settings.data.stat().st_dev:
        _log.warning("the anchor is on the disk of the store: both may go back at once")
    return anchor
