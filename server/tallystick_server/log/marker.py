"""What a restored log may do: the file `restored.json` in its directory (D9).

    restored     reads only; there is no key here
    promoted     the key is here; nothing was signed with it yet
    confirming   the promotion entry is decided on, and perhaps appended

Without the file a log is an ordinary one.  Whoever opens a log for writing looks here
first; only a promotion that was confirmed removes the file: cosigned by a quorum, or
published on the operator's word alone, where the policy asks nobody.  A file that is
damaged keeps the log shut: guessing could fork it.

    {"format": 1, "state": "confirming", "size": 9, "root": "<hex>",
     "restored": "<RFC 3339>", "promoted": "<RFC 3339>", "unwitnessed": false,
     "entry": "<hex>"}
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from tallystick_merkle.errors import MalformedError
from tallystick_merkle.hashing import HASH_SIZE
from tallystick_merkle.promotion import Promotion, format_promotion, parse_promotion
from tallystick_server.errors import IntegrityError, StoreError, UsageError
from tallystick_server.log.files import read_plain, remove_file, replace_file
from tallystick_server.log.paths import restored_path
from tallystick_server.ops.times import format_time, parse_time

_NOT_ONE = (
    ValueError,
    KeyError,
    TypeError,
    OverflowError,
    RecursionError,
    MalformedError,
)

FORMAT = 1
"""Version of the file; one of another version is refused."""

_MAX_FILE = 16 * 1024
_FIELDS = [
    "format", "state", "size", "root", "restored", "promoted", "unwitnessed", "entry",
]  # fmt: skip


class State(StrEnum):
    """How far a restored log has come."""

    RESTORED = "restored"
    PROMOTED = "promoted"
    CONFIRMING = "confirming"


@dataclass(frozen=True, slots=True)
class Marker:
    """A restored log: the head it was restored to, and what has happened since.

    `is_unwitnessed` is the operator's word that no witness will ever confirm it.
    Times are POSIX milliseconds.
    """

    size: int
    root: bytes
    restored_ms: int
    promoted_ms: int | None = None
    is_unwitnessed: bool = False
    promotion: Promotion | None = None

    @property
    def state(self) -> State:
        """How far it has come."""
        if self.promotion is not None:
            return State.CONFIRMING
        return State.RESTORED if self.promoted_ms is None else State.PROMOTED

    def promoted(self, *, now_ms: int, unwitnessed: bool) -> Marker:
        """Give the marker of a log that was told to take over."""
        return replace(self, promoted_ms=now_ms, is_unwitnessed=unwitnessed)

    def confirming(self, promotion: Promotion) -> Marker:
        """Give the marker of a log that is about to append its promotion entry."""
        return replace(self, promotion=promotion)


def read_marker(data: Path, name: str) -> Marker | None:
    """Read what a log may do; None for an ordinary log.

    Raises IntegrityError for a file that is damaged, UsageError for one of a newer
    format, StoreError when it is unreadable.
    """
    path = restored_path(data, name)
    try:
        found = read_plain(path, _MAX_FILE + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror}") from error
    try:
        return parse_marker(found)
    except _NOT_ONE as error:
        raise IntegrityError(
            f"{path} is damaged; remove this log and restore it again"
        ) from error


def write_marker(data: Path, name: str, marker: Marker) -> None:
    """Put the file in its place; durable when this returns. Raises StoreError."""
    path = restored_path(data, name)
    try:
        replace_file(path, format_marker(marker))
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror}") from error


def clear_marker(data: Path, name: str) -> None:
    """Make the log an ordinary one; durable when this returns. Raises StoreError."""
    path = restored_path(data, name)
    try:
        remove_file(path)
    except OSError as error:
        raise StoreError(f"cannot remove {path}: {error.strerror}") from error


def format_marker(marker: Marker) -> bytes:
    """Write the file's bytes."""
    promoted_ms, promotion = marker.promoted_ms, marker.promotion
    values: list[object] = [
        FORMAT,
        marker.state.value,
        marker.size,
        marker.root.hex(),
        format_time(marker.restored_ms),
        None if promoted_ms is None else format_time(promoted_ms),
        marker.is_unwitnessed,
        None if promotion is None else format_promotion(promotion).hex(),
    ]
    text = json.dumps(dict(zip(_FIELDS, values, strict=True)), indent=1)
    return f"{text}\n".encode()


def parse_marker(data: bytes) -> Marker:
    """Read the file's bytes; raise ValueError, KeyError, TypeError or MalformedError.

    There is one spelling of each marker, and no other is read.  Raises UsageError for
    a newer format.
    """
    body = json.loads(data)
    found = body["format"]
    if type(found) is int and found > FORMAT:
        raise UsageError(
            f"the log's marker has format {found} and this version of tallystick knows "
            f"{FORMAT}; run the newer version"
        )
    promoted, entry = body["promoted"], body["entry"]
    marker = Marker(
        body["size"],
        bytes.fromhex(body["root"]),
        parse_time(body["restored"]),
        None if promoted is None else parse_time(promoted),
        body["unwitnessed"],
        None if entry is None else parse_promotion(bytes.fromhex(entry)),
    )
    if type(marker.size) is not int or len(marker.root) != HASH_SIZE:
        raise ValueError("no head")
    if marker.promotion is not None and (
        marker.promoted_ms is None
        or (marker.promotion.size, marker.promotion.root) != (marker.size, marker.root)
    ):
        raise ValueError("the entry is of another head")
    if type(body["unwitnessed"]) is not bool or format_marker(marker) != data:
        raise ValueError("not the one spelling")
    return marker
