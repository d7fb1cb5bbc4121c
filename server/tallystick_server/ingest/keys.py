"""The keys that are in use, kept ready; new ones come out of the vault in batches.

A key that the vault has to make costs it a write that waits for the disk (D16).  While
one such write runs, the names that come in meanwhile are gathered for the next, as the
log's writer gathers entries.

Keys stay in memory while they are used: two generations of a bounded number, and the
older one is dropped when the newer one is full.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Executor
from typing import Protocol

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tallystick_merkle.sealing import GroupKey
from tallystick_merkle.tags import EPOCH, Dimension, make_tag
from tallystick_server.errors import UnavailableError
from tallystick_server.storage.base import VaultMark
from tallystick_server.vault.base import MAX_NAMES, Vault, VaultKey

MAX_KEYS = 50_000
"""Most keys in a generation of the memory."""

_log = logging.getLogger(__name__)


class ReadyKey:
    """A key as it is used: the cipher of a group, and the tags of its subject."""

    __slots__ = ("_tags", "group", "key")

    def __init__(self, key: VaultKey) -> None:
        """Make the cipher."""
        self.group = GroupKey(key.kid, AESGCM(key.dek))
        self.key = key
        self._tags: dict[Dimension, bytes] = {}

    def tag(self, dimension: Dimension) -> bytes:
        """Give the tag of this key in a dimension, in the epoch of now."""
        found = self._tags.get(dimension)
        if found is None:
            found = make_tag(self.key.secret, dimension, EPOCH)
            self._tags[dimension] = found
        return found


class KeyMemory:
    """Ready keys by their names: two generations of a bounded number."""

    def __init__(self, most: int = MAX_KEYS) -> None:
        """Know of no key."""
        self._most = most
        self._young: dict[bytes, ReadyKey] = {}
        self._old: dict[bytes, ReadyKey] = {}

    def known(self, names: Collection[bytes]) -> dict[bytes, ReadyKey]:
        """Give the keys that are here."""
        found: dict[bytes, ReadyKey] = {}
        young, old = self._young, self._old
        for name in names:
            key = young.get(name)
            if key is None:
                key = old.get(name)
                if key is None:
                    continue
                self.keep(name, key)
            found[name] = key
        return found

    def keep(self, name: bytes, key: ReadyKey) -> None:
        """Remember a key; the older generation goes when the younger one is full."""
        if len(self._young) >= self._most:
            self._young, self._old = {}, self._young
        self._young[name] = key

    def forget(self) -> None:
        """Keep no key."""
        self._young, self._old = {}, {}


class VaultFindsKeys(Protocol):
    """What reading needs: keys by their ids."""

    def by_kid(self, kids: Sequence[bytes]) -> dict[bytes, VaultKey]:
        """Give the keys that there are."""
        ...


class Keys:
    """Gives ready keys by their names, and has missing ones made. Used on the loop."""

    def __init__(
        self,
        vault: Vault,
        executor: Executor,
        *,
        on_failure: Callable[[BaseException], None],
        most: int = MAX_KEYS,
    ) -> None:
        """Take the vault; `executor` runs its calls, `on_failure` is told of an end.

        After an error of the vault what it holds is unknown: the process must end.
        """
        self._vault = vault
        self._executor = executor
        self._on_failure = on_failure
        self._memory = KeyMemory(most)
        self._mark = vault.mark()
        self._wanted: dict[bytes, None] = {}
        self._next: asyncio.Future[Mapping[bytes, ReadyKey]] | None = None
        self._task: asyncio.Task[None] | None = None

    def mark(self) -> VaultMark:
        """Give a state of the vault that every key given so far is part of."""
        return self._mark

    async def get(self, names: Collection[bytes]) -> Mapping[bytes, ReadyKey]:
        """Give the key of each name, made where there is none; all are durable.

        Raises UnavailableError when the vault failed.
        """
        found = self._memory.known(names)
        if len(found) == len(names):
            return found
        missing = [name for name in names if name not in found]
        if missing:
            found.update(await self._make(missing))
        return found

    async def close(self) -> None:
        """Wait for what the vault is doing."""
        if self._task is not None:
            await self._task

    async def _make(self, missing: Sequence[bytes]) -> Mapping[bytes, ReadyKey]:
        """Have keys made, together with those that others wait for."""
        if self._next is None:
            self._next = asyncio.get_running_loop().create_future()
        turn = self._next
        self._wanted.update(dict.fromkeys(missing))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="vault")
        made = await asyncio.shield(turn)
        return {name: made[name] for name in missing}

    async def _run(self) -> None:
        """Ask the vault, turn after turn, until nobody wants anything."""
        loop = asyncio.get_running_loop()
        while self._next is not None:
            turn, self._next = self._next, None
            wanted, self._wanted = list(self._wanted), {}
            try:
                made, mark = await loop.run_in_executor(
                    self._executor, self._ensure, wanted
                )
            except Exception as error:  # noqa: BLE001 -- logged; nobody waits for ever
                _log.exception("the vault failed")
                turn.set_exception(UnavailableError("the vault of the keys failed"))
                turn.exception()  # told to whoever waits, if anybody still does
                self._on_failure(error)
                continue
            for name, key in made.items():
                self._memory.keep(name, key)
            self._mark = mark
            turn.set_result(made)

    def _ensure(
        self, names: Sequence[bytes]
    ) -> tuple[dict[bytes, ReadyKey], VaultMark]:
        """Have the vault make what is missing; its mark is read after that.

        Runs in a thread: every call of the vault may wait for the disk, or for a lock.
        """
        made: dict[bytes, ReadyKey] = {}
        for start in range(0, len(names), MAX_NAMES):
            keys = self._vault.ensure(names[start : start + MAX_NAMES])
            made.update((name, ReadyKey(key)) for name, key in keys.items())
        return made, self._vault.mark()
