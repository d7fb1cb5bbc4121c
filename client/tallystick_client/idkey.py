"""The secret with which ids of emitted events are derived from records.

An id stands in the log beside the event for ever, in the clear for whoever runs the
log, and is not erased with it.  Were it a bare digest of the record, whoever can guess
a record could confirm it after the erasure, and whoever knows the source's own id could
take the event's id first.  With a secret in it, an id says nothing to anybody else, and
the same record still gives the same id.

The file holds 64 lower-case hex digits and a line end, mode 0600.  Who loses it can
emit, but records that were emitted before become other events.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from tallystick_client.errors import StateError, UsageError
from tallystick_client.files import locked, read_given, read_small, write_files

KEY_BYTES = 32
"""Length of the secret."""

NAME = "id-key"
"""Name of its file in the state directory."""

_MAX_FILE = 256
_HEX = re.compile(rb"[0-9a-f]{%d}\n?" % (2 * KEY_BYTES))


def read_id_key(path: Path) -> bytes:
    """Read a secret that the user named; raise UsageError for what is none."""
    key = _parse(read_given(path, limit=_MAX_FILE, what="--id-key"))
    if key is None:
        raise UsageError(
            f"--id-key: {path} does not hold {2 * KEY_BYTES} hex digits: "
            f"make one with 'openssl rand -hex {KEY_BYTES}'"
        )
    return key


def keep_id_key(state: Path) -> tuple[bytes, bool]:
    """Give the secret of a state directory, made if there is none; and whether it was.

    It is on the disk before it is used, and made once however many programs ask.
    Raises StateError where it can be neither read nor kept.
    """
    path = state / NAME
    with locked(state / f"{NAME}.lock"):
        data = read_small(path, limit=_MAX_FILE)
        if data is None:
            key = os.urandom(KEY_BYTES)
            write_files(state, {NAME: key.hex().encode() + b"\n"})
            return key, True
    known = _parse(data)
    if known is None:
        raise StateError(
            f"{path} is damaged: put it back from a backup; without it, records that "
            "were emitted before become other events"
        )
    return known, False


def _parse(data: bytes) -> bytes | None:
    return bytes.fromhex(data.decode()) if _HEX.fullmatch(data) else None
