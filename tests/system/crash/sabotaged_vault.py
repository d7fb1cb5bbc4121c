"""The program that owns a vault, with one part that is wrong: planted bugs.

    python -m tests.system.crash.sabotaged_vault BUG DATA TURNS THREADS

early   gives keys before they are on the disk: they get there with the next call
deaf    swallows the error of a write, and goes on
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import lmdb

from tallystick_server.errors import ServerError
from tallystick_server.vault.lmdb import LmdbVault
from tallystick_server.vault.opening import open_vault
from tests.system.vault_program import root_of, work


class Early(LmdbVault):
    """Gives keys before they are on the disk."""

    _late: lmdb.Transaction[memoryview] | None = None

    @contextmanager
    def _reading(self) -> Iterator[lmdb.Transaction[memoryview]]:
        self._settle()
        with super()._reading() as read:
            yield read

    @contextmanager
    def _writing(self, need: int) -> Iterator[lmdb.Transaction[memoryview]]:
        self._settle()
        self._late = self._env.begin(write=True, buffers=True)
        yield self._late

    def close(self) -> None:
        self._settle()
        super().close()

    def _settle(self) -> None:
        late, self._late = self._late, None
        if late is not None:
            late.commit()


class Deaf(LmdbVault):
    """Swallows the error of a write."""

    @contextmanager
    def _writing(self, need: int) -> Iterator[lmdb.Transaction[memoryview]]:
        with suppress(ServerError), super()._writing(need) as write:
            yield write
        self._failure = None


BUGS: dict[str, type[LmdbVault]] = {"early": Early, "deaf": Deaf}


def main() -> None:
    """Make keys with the bug that is named."""
    bug, data, turns, _ = sys.argv[1:]
    vault = open_vault(Path(data) / "vault", root_of(Path(data)))
    vault.__class__ = BUGS[bug]
    work(vault, 0, int(turns))
    vault.close()


if __name__ == "__main__":
    main()
