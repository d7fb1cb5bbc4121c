"""One short read of an LMDB environment, whose errors are told as ours.

What the engine says of a damaged file is an IntegrityError; anything else that it says
is a StoreError: the machine failed, and nothing is known of the file.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType

import lmdb

from tallystick_server.errors import IntegrityError, StoreError
from tallystick_server.storage.mapping import GrowingMap

_CORRUPT = (
    lmdb.BadTxnError,  # a transaction that met a damaged page before
    lmdb.CorruptedError,
    lmdb.PageNotFoundError,
    lmdb.InvalidError,
    lmdb.NotFoundError,
    lmdb.IncompatibleError,
)


class Reading:
    """A read transaction, as short as its block; the engine's errors become ours.

    What was read may not be used after the block, but for copies.
    """

    __slots__ = ("_map", "_read", "_where")

    def __init__(self, growing: GrowingMap, where: Callable[[], str]) -> None:
        """Read through a map; `where` names what is read, for an error."""
        self._map = growing
        self._where = where

    def __enter__(self) -> lmdb.Transaction[memoryview]:
        """Begin; raise IntegrityError or StoreError where that fails."""
        try:
            self._read = self._map.begin()
        except lmdb.Error as error:
            raise self._named(error) from error
        return self._read

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End; raise IntegrityError or StoreError for an error of the engine."""
        self._map.end(self._read)
        if isinstance(error, lmdb.Error):
            raise self._named(error) from error

    def _named(self, error: lmdb.Error) -> IntegrityError | StoreError:
        text = f"{self._where()} cannot be read: {error}"
        return (IntegrityError if isinstance(error, _CORRUPT) else StoreError)(text)
