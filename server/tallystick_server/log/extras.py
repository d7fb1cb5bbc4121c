"""Find what a store holds that no log puts there.

Entries, rows and heads beyond the last head, keys of a wrong shape, unknown items of
the table `meta`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tallystick_merkle.frontier import ROW_WIDTH
from tallystick_server.errors import IntegrityError
from tallystick_server.log.findings import Findings, Kind, Problem
from tallystick_server.storage.lmdb import LmdbStore
from tallystick_server.storage.records import (
    ENTRIES,
    META,
    ROWS,
    unpack_index,
    unpack_row_key,
)
from tallystick_server.storage.sides import meta_items


class ExtrasCheck:
    """Looks for what is too much in the store of a log of `size` entries.

    `latest` gives the size now: what another process commits meanwhile belongs there.
    """

    def __init__(
        self,
        store: LmdbStore,
        size: int,
        findings: Findings,
        *,
        latest: Callable[[], int],
    ) -> None:
        """Look into `store`; report to `findings`."""
        self._store = store
        self._size = size
        self._findings = findings
        self._latest = latest

    def check_entries(self, *, missing: int) -> None:
        """Find entries beyond the last head.

        `missing` are known not to be stored: the keys are read one by one only where
        the counts do not add up.
        """
        if self._store.count(ENTRIES) == self._size - missing:
            return
        for key in self._keys(ENTRIES):
            try:
                index = unpack_index(key, table=ENTRIES)
            except IntegrityError as error:
                self._findings.add(Problem(Kind.ENTRY, str(error)))
                continue
            if self._is_beyond(index):
                text = f"entry {index} is stored beyond the last head"
                self._findings.add(Problem(Kind.ENTRY, text, index=index))

    def check_rows(self) -> None:
        """Find rows of no level, and beyond the end of their level."""
        for key in self._keys(ROWS):
            try:
                level, block = unpack_row_key(key)
            except IntegrityError as error:
                self._findings.add(Problem(Kind.ROW, str(error)))
                continue
            last_leaf = ((block * ROW_WIDTH + 1) << level) - 1
            if self._is_beyond(last_leaf):
                text = f"row {level}/{block} is stored beyond the end of the tree"
                problem = Problem(Kind.ROW, text, level=level, block=block)
                self._findings.add(problem)

    def check_meta(self) -> None:
        """Find items of the table `meta` that are not known."""
        known = meta_items(self._store.about.kind)
        for key in self._keys(META):
            if key not in known:
                text = f"table meta: unknown item {key!r}"
                self._findings.add(Problem(Kind.META, text))

    def _is_beyond(self, index: int) -> bool:
        """Whether an entry or leaf is beyond the log, as it is now at the latest."""
        if index >= self._size:
            self._size = max(self._size, self._latest())
        return index >= self._size

    def _keys(self, table: bytes) -> Iterator[bytes]:
        """Read the keys of a table, as far as it can be read."""
        try:
            yield from self._store.scan_keys(table)
        except IntegrityError as error:
            self._findings.add(Problem(Kind.STORE, str(error)))
