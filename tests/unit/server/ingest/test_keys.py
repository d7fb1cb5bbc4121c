"""Keys: made once, together, remembered for a while, and never after a failure."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

from tallystick_merkle.tags import EPOCH, Dimension, make_tag
from tallystick_server.errors import StoreError, UnavailableError
from tallystick_server.ingest.keys import KeyMemory, Keys, ReadyKey
from tallystick_server.storage.base import VaultMark
from tallystick_server.vault.base import MAX_NAMES, VaultKey
from tallystick_server.vault.memory import MemoryVault


@dataclass
class SlowVault:
    """A vault whose writes wait until they may go on, and may fail."""

    inner: MemoryVault = field(default_factory=MemoryVault)
    calls: list[list[bytes]] = field(default_factory=list)
    begun: threading.Event = field(default_factory=threading.Event)
    go: threading.Event = field(default_factory=threading.Event)
    failure: Exception | None = None

    @property
    def id(self) -> bytes:
        return self.inner.id

    @property
    def count(self) -> int:
        return self.inner.count

    def mark(self) -> VaultMark:
        return self.inner.mark()

    def ensure(self, names: Sequence[bytes]) -> dict[bytes, VaultKey]:
        self.calls.append(list(names))
        self.begun.set()
        assert self.go.wait(30)
        if self.failure is not None:
            raise self.failure
        return self.inner.ensure(names)

    def find(self, names: Sequence[bytes]) -> dict[bytes, VaultKey]:
        return self.inner.find(names)

    def by_kid(self, kids: Sequence[bytes]) -> dict[bytes, VaultKey]:
        return self.inner.by_kid(kids)

    def chain_at(self, count: int) -> bytes | None:
        return self.inner.chain_at(count)

    def close(self) -> None:
        self.inner.close()


class Place:
    """Keys over a vault that is slow on demand."""

    def __init__(self, *, most: int = 100) -> None:
        self.vault = SlowVault()
        self.failures: list[BaseException] = []
        self.pool = ThreadPoolExecutor(1)
        self.keys = Keys(
            self.vault, self.pool, on_failure=self.failures.append, most=most
        )

    async def begun(self) -> None:
        """Wait until the vault is writing."""
        await asyncio.to_thread(self.vault.begun.wait, 30)

    async def ask(self, *names: bytes) -> asyncio.Task[object]:
        """Begin to ask for keys."""
        task: asyncio.Task[object] = asyncio.create_task(self._get(names))
        await asyncio.to_thread(int)
        return task

    async def _get(self, names: tuple[bytes, ...]) -> object:
        return await self.keys.get(names)


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    place = Place()
    yield place
    place.vault.go.set()
    await place.keys.close()
    await asyncio.to_thread(place.pool.shutdown)


async def test_a_key_is_the_one_of_the_vault(place: Place) -> None:
    place.vault.go.set()

    found = await place.keys.get({b"a", b"b"})

    kept = place.vault.find([b"a", b"b"])
    assert {name: one.key for name, one in found.items()} == kept
    assert found[b"a"].group.kid == kept[b"a"].kid
    secret = kept[b"a"].secret
    assert found[b"a"].tag(Dimension.ACTOR) == make_tag(secret, Dimension.ACTOR, EPOCH)
    assert found[b"a"].tag(Dimension.TARGET) != found[b"a"].tag(Dimension.ACTOR)


async def test_a_key_that_is_known_costs_the_vault_nothing(place: Place) -> None:
    place.vault.go.set()
    first = await place.keys.get([b"a"])

    again = await place.keys.get([b"a", b"a"])

    assert again[b"a"] is first[b"a"]
    assert place.vault.calls == [[b"a"]]
    assert await place.keys.get([]) == {}


async def test_names_that_come_while_the_vault_writes_go_together(
    place: Place,
) -> None:
    first = await place.ask(b"a")
    await place.begun()
    others = [await place.ask(b"b"), await place.ask(b"c", b"b"), await place.ask(b"a")]
    assert len(place.vault.calls) == 1

    place.vault.go.set()
    await asyncio.gather(first, *others)

    assert len(place.vault.calls) == 2
    assert sorted(place.vault.calls[1]) == [b"a", b"b", b"c"]
    assert place.vault.count == 3


async def test_a_caller_who_goes_away_takes_nothing_from_the_others(
    place: Place,
) -> None:
    gone = await place.ask(b"a")
    await place.begun()
    stays = await place.ask(b"a", b"b")
    gone.cancel()

    place.vault.go.set()

    found = await stays
    assert isinstance(found, dict)
    assert set(found) == {b"a", b"b"}
    with pytest.raises(asyncio.CancelledError):
        await gone


@pytest.mark.parametrize(
    "failure",
    [StoreError("the disk said no"), OSError("an error that is not ours")],
    ids=["ours", "foreign"],
)
async def test_a_vault_that_fails_is_told_to_all_who_wait_and_to_the_process(
    place: Place, failure: Exception
) -> None:
    place.vault.failure = failure
    waiting = [await place.ask(b"a"), await place.ask(b"b")]

    place.vault.go.set()
    ended = await asyncio.gather(*waiting, return_exceptions=True)

    assert [type(one) for one in ended] == [UnavailableError, UnavailableError]
    assert place.failures
    assert set(place.failures) == {failure}
    assert place.vault.inner.count == 0


async def test_a_key_that_failed_is_in_no_memory(place: Place) -> None:
    place.vault.go.set()
    place.vault.failure = StoreError("the disk said no")
    with pytest.raises(UnavailableError, match="the vault of the keys failed"):
        await place.keys.get([b"a"])
    place.vault.failure = None

    found = await place.keys.get([b"a"])

    assert found[b"a"].key == place.vault.find([b"a"])[b"a"]


async def test_more_names_than_the_vault_takes_go_in_parts(place: Place) -> None:
    place.vault.go.set()
    names = [number.to_bytes(4, "big") for number in range(MAX_NAMES + 1)]

    found = await place.keys.get(names)

    assert len(found) == MAX_NAMES + 1
    assert [len(call) for call in place.vault.calls] == [MAX_NAMES, 1]


def ready(number: int) -> ReadyKey:
    return ReadyKey(VaultKey(bytes([number]) * 8, bytes(32), bytes(32)))


def test_the_older_generation_goes_when_the_younger_is_full() -> None:
    memory = KeyMemory(2)
    for number in range(4):
        memory.keep(bytes([number]), ready(number))

    assert set(memory.known([b"\0", b"\1", b"\2", b"\3"])) == {
        b"\0",
        b"\1",
        b"\2",
        b"\3",
    }
    memory.keep(b"\4", ready(4))
    kept = set(memory.known([bytes([number]) for number in range(5)]))
    assert b"\4" in kept
    assert len(kept) <= 4


def test_a_key_that_is_used_stays() -> None:
    memory = KeyMemory(2)
    memory.keep(b"used", ready(1))
    for number in range(20):
        memory.keep(bytes([number]), ready(number))

        assert set(memory.known([b"used"])) == {b"used"}


def test_a_key_that_is_not_used_goes() -> None:
    memory = KeyMemory(2)
    memory.keep(b"once", ready(1))
    for number in range(4):
        memory.keep(bytes([number]), ready(number))

    assert memory.known([b"once"]) == {}


def test_what_is_forgotten_is_not_known() -> None:
    memory = KeyMemory(2)
    for number in range(4):
        memory.keep(bytes([number]), ready(number))
    memory.forget()

    assert memory.known([b"\0", b"\3"]) == {}
