"""The real server with a vault that is a step behind: a planted bug.

    python lazy_server.py server serve WORDS…

What the vault makes is there for the process at once, and on the disk only when it
makes more, or is closed: the log goes ahead of it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import lmdb

from tallystick_server.config.model import ServerSettings
from tallystick_server.selftest.child import main
from tallystick_server.storage.base import VaultMark
from tallystick_server.vault.lmdb import LmdbVault
from tallystick_server.wiring import serving
from tallystick_server.wiring.vaulting import open_server_vault


class Lazy(LmdbVault):
    """Commits what it made when it makes more."""

    _late: lmdb.Transaction[memoryview] | None = None

    @contextmanager
    def _reading(self) -> Iterator[lmdb.Transaction[memoryview]]:
        if self._late is not None:
            yield self._late
        else:
            with super()._reading() as read:
                yield read

    @contextmanager
    def _writing(self, need: int) -> Iterator[lmdb.Transaction[memoryview]]:
        del need
        self._settle()
        self._late = self._env.begin(write=True, buffers=True)
        yield self._late

    def close(self) -> None:
        """Commit what is left, and close."""
        self._settle()
        super().close()

    def _settle(self) -> None:
        late, self._late = self._late, None
        if late is not None:
            late.commit()


def open_lazily(
    settings: ServerSettings, marks: Mapping[str, VaultMark | None]
) -> LmdbVault | None:
    """Open the vault as the server does, and make it lazy."""
    vault = open_server_vault(settings, marks)
    if vault is not None:
        vault.__class__ = Lazy
    return vault


if __name__ == "__main__":
    vars(serving)["open_server_vault"] = open_lazily
    main(sys.argv[1:])
