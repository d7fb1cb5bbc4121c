"""The file of the dead letters of one log: SQLite, bounded, in fair shares.

When there are too many, the oldest of the principal that has most goes: who fills the
file pushes out his own.

    letters   id (never used twice), received_ms, principal, content_type, code, size,
              kid, note, body      the last two encrypted, see `letters`

What is deleted is overwritten.  The file lies beside the logs, not in them (D20): it is
no evidence, and it is not part of their backups.

One process writes it; others may read it beside (`is_read_only`), and change nothing.
Everything here blocks and belongs to one thread, the one that opened it.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tallystick_server.errors import StoreError
from tallystick_server.ingest.letters import Stored

VERSION = 1
"""Version of the file."""

ROW_BYTES = 256
"""What a letter counts for beside its encrypted parts, in bytes."""

DAY_MS = 24 * 3600 * 1000
"""A day, in milliseconds."""

_SCHEMA = f"""
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS letters (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    received_ms INTEGER NOT NULL,
    principal TEXT NOT NULL,
    content_type TEXT NOT NULL,
    code TEXT NOT NULL,
    size INTEGER NOT NULL,
    kid BLOB NOT NULL,
    note BLOB NOT NULL,
    body BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS letters_by_time ON letters (received_ms);
CREATE INDEX IF NOT EXISTS letters_by_principal ON letters (principal, id);
PRAGMA user_version = {VERSION};
COMMIT;
"""
_PARTS = f"{ROW_BYTES} + length(note) + length(body)"
_CLEAR = "id, received_ms, principal, content_type, code, size, kid, note"


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is kept: letters, bytes of them, and days. No letters: none is kept."""

    most: int
    most_bytes: int
    days: int


@dataclass(slots=True)
class _Share:
    """What a principal has: letters, bytes of them, and the oldest one's number."""

    count: int = 0
    bytes: int = 0
    oldest: int = 0


class LetterFile:
    """The letters on the disk. Raises StoreError when the file cannot be used."""

    def __init__(
        self, path: Path, bounds: Bounds, *, is_read_only: bool = False
    ) -> None:
        """Open the file, or make it; one that is only read must be there."""
        self._path = path
        self._bounds = bounds
        try:
            self._base = _connect_reading(path) if is_read_only else _connect(path)
        except (sqlite3.Error, OSError) as error:
            raise self._unusable(error) from error
        self._shares: dict[str, _Share] = {}
        self._count = self._bytes = self._version = 0
        try:
            self._look()
        except BaseException:
            self._base.close()
            raise

    @property
    def count(self) -> int:
        """How many letters there are."""
        return self._count

    @property
    def total_bytes(self) -> int:
        """How many bytes they count for."""
        return self._bytes

    def add(self, make: Sequence[Callable[[int], Stored]], now_ms: int) -> int:
        """Keep letters, each made with its number; give how many older ones went.

        In one transaction: what is kept is whole, and bounded when this returns.
        """
        try:
            self._base.execute("BEGIN IMMEDIATE")
            try:
                went = self._add(make, now_ms)
            except BaseException:
                if self._base.in_transaction:  # some errors have ended it already
                    self._base.execute("ROLLBACK")
                self._measure()
                raise
            self._base.execute("COMMIT")
        except sqlite3.Error as error:
            raise self._unusable(error) from error
        return went

    def expire(self, now_ms: int) -> int:
        """Forget what is too old; give how many letters that were."""
        before_ms = now_ms - self._bounds.days * DAY_MS
        return self._delete("received_ms < ?", (before_ms,))

    def newest(self, *, before: int | None, limit: int) -> list[Stored]:
        """Give letters without their bodies, newest first, those below an id."""
        self._look()
        where = "" if before is None else "WHERE id < ?"
        given = (limit,) if before is None else (before, limit)
        rows = self._rows(
            f"SELECT {_CLEAR} FROM letters {where} ORDER BY id DESC LIMIT ?",  # noqa: S608 -- our own words
            given,
        )
        return [Stored(*row) for row in rows]

    def find(self, number: int) -> Stored | None:
        """Give a letter with its body."""
        rows = self._rows(f"SELECT {_CLEAR}, body FROM letters WHERE id = ?", (number,))  # noqa: S608 -- our own words
        return Stored(*rows[0]) if rows else None

    def replace_note(self, letter: Stored) -> None:
        """Write the reason of a letter anew; of one that is gone, nothing."""
        try:
            self._base.execute(
                "UPDATE letters SET code = ?, note = ? WHERE id = ?",
                (letter.code, letter.note, letter.id),
            )
        except sqlite3.Error as error:
            raise self._unusable(error) from error
        self._measure()

    def drop(self, number: int) -> bool:
        """Delete a letter; say whether it was there."""
        return bool(self._delete("id = ?", (number,)))

    def purge(self) -> int:
        """Delete every letter, and whatever the file still holds of old ones."""
        gone = self._delete("1", ())
        try:
            self._base.execute("VACUUM")
            self._base.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except sqlite3.Error as error:
            raise self._unusable(error) from error
        return gone

    def close(self) -> None:
        """Release the file."""
        self._base.close()

    def _add(self, make: Sequence[Callable[[int], Stored]], now_ms: int) -> int:
        self._look()
        number = self._last_number()
        went = self.expire(now_ms)
        for one in make:
            number += 1
            letter = one(number)
            self._base.execute(
                f"INSERT INTO letters ({_CLEAR}, body) VALUES (?,?,?,?,?,?,?,?,?)",  # noqa: S608 -- our own words
                (
                    letter.id,
                    letter.received_ms,
                    letter.principal,
                    letter.content_type,
                    letter.code,
                    letter.size,
                    letter.kid,
                    letter.note,
                    letter.body,
                ),
            )
            size = ROW_BYTES + len(letter.note) + len(letter.body)
            share = self._shares.setdefault(letter.principal, _Share(oldest=letter.id))
            self._count_on(share, 1, size)
            went += self._make_room()
        return went

    def _make_room(self) -> int:
        """Delete letters until there are few enough, of few enough bytes.

        The oldest goes of whoever has most; of several, the oldest of all of theirs.
        """
        went = 0
        bounds = self._bounds
        while self._count > bounds.most or self._bytes > bounds.most_bytes:
            shares = self._shares.items()
            if self._count > bounds.most:
                fullest = max(shares, key=lambda one: (one[1].count, -one[1].oldest))
            else:
                fullest = max(shares, key=lambda one: (one[1].bytes, -one[1].oldest))
            self._drop_oldest(*fullest)
            went += 1
        return went

    def _drop_oldest(self, principal: str, share: _Share) -> None:
        """Delete the oldest letter of a principal, and count it off."""
        ((size,),) = self._rows(
            f"SELECT {_PARTS} FROM letters WHERE id = ?",  # noqa: S608 -- our own words
            (share.oldest,),
        )
        self._rows("DELETE FROM letters WHERE id = ?", (share.oldest,))
        self._count_on(share, -1, -size)
        if not share.count:
            del self._shares[principal]
            return
        ((share.oldest,),) = self._rows(
            "SELECT min(id) FROM letters WHERE principal = ?", (principal,)
        )

    def _count_on(self, share: _Share, count: int, size: int) -> None:
        self._count += count
        self._bytes += size
        share.count += count
        share.bytes += size

    def _last_number(self) -> int:
        """The number that was used last, of a letter that is still there or not."""
        rows = self._rows("SELECT seq FROM sqlite_sequence WHERE name = 'letters'", ())
        return int(rows[0][0]) if rows else 0

    def _delete(self, where: str, given: tuple[int, ...]) -> int:
        """Delete letters and count what is left; give how many went."""
        try:
            gone = self._base.execute(f"DELETE FROM letters WHERE {where}", given)  # noqa: S608 -- our own words
        except sqlite3.Error as error:
            raise self._unusable(error) from error
        if gone.rowcount:
            self._measure()
        return gone.rowcount

    def _look(self) -> None:
        """Count anew what somebody else has changed."""
        ((version,),) = self._rows("PRAGMA data_version", ())
        if version != self._version:
            self._version = version
            self._measure()

    def _measure(self) -> None:
        """Count what there is, for each principal."""
        rows = self._rows(
            f"SELECT principal, count(*), sum({_PARTS}), min(id) FROM letters "  # noqa: S608 -- our own words
            "GROUP BY principal",
            (),
        )
        self._shares = {name: _Share(*share) for name, *share in rows}
        self._count = sum(share.count for share in self._shares.values())
        self._bytes = sum(share.bytes for share in self._shares.values())

    def _rows(self, query: str, given: tuple[object, ...]) -> list[tuple[Any, ...]]:
        try:
            return self._base.execute(query, given).fetchall()
        except sqlite3.Error as error:
            raise self._unusable(error) from error

    def _unusable(self, error: Exception) -> StoreError:
        return StoreError(f"the dead letters in {self._path} cannot be used: {error}")


def _connect(path: Path) -> sqlite3.Connection:
    """Open the file for its owner alone, and have deleted content overwritten."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    base = sqlite3.connect(path, isolation_level=None)
    try:
        _check_version(base)
        base.execute("PRAGMA journal_mode = WAL").fetchall()
        base.execute("PRAGMA synchronous = NORMAL")
        base.execute("PRAGMA secure_delete = ON").fetchall()
        base.executescript(_SCHEMA)
    except BaseException:
        base.close()
        raise
    return base


def _connect_reading(path: Path) -> sqlite3.Connection:
    """Open a file that another process may be writing, and change nothing in it."""
    base = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro", isolation_level=None, uri=True
    )
    try:
        _check_version(base)
    except BaseException:
        base.close()
        raise
    return base


def _check_version(base: sqlite3.Connection) -> None:
    """Raise sqlite3.DatabaseError for a file of another version; 0 is a new one."""
    (found,) = base.execute("PRAGMA user_version").fetchone()
    if found not in (0, VERSION):
        raise sqlite3.DatabaseError(f"version {found}, expected {VERSION}")
