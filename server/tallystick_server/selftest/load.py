"""Load a log over several connections, and kill it in the middle.

Each worker sends one request after the other and believes only receipts that verify.
What was under way at the kill is given back: whether it is in the log is unknown, and
it is sent again, with the same idempotency key, after the restart.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from tallystick_merkle.errors import KernelError, RefusedError, UnreachableError
from tallystick_merkle.exchange.appending import append_batch, append_entry
from tallystick_merkle.exchange.base import NO_RETRY, RETRYABLE
from tallystick_merkle.exchange.reading import TileReader
from tallystick_merkle.receipt import check_receipt
from tallystick_server.selftest.children import DrillError
from tallystick_server.selftest.ledger import Ack, Kind
from tallystick_server.selftest.plan import Parcel, Round
from tallystick_server.selftest.scene import Scene

LOAD_S = 15.0
"""Seconds after which the kill comes, however few entries were acked."""

_REQUEST_S = 20.0
_LOOK_S = 0.04
_AGAIN_S = 0.05
_FULL = 507


class Load:
    """The load of one round."""

    def __init__(self, scene: Scene, parcels: list[Parcel]) -> None:
        """Send `parcels` to the log of `scene`, in about this order."""
        self.unanswered: list[Parcel] = []
        self._scene = scene
        self._waiting = deque(parcels)
        self._answers = 0
        self._news = asyncio.Event()
        self._trouble = ""

    async def run(self, plan: Round) -> None:
        """Send until the log is killed; the witness may be killed on the way."""
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(plan.connections):
                    group.create_task(self._work())
                group.create_task(self._watch())
                await self._kill(plan)
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from errors
        if not self._answers and not self._scene.ledger.faults:
            raise DrillError(
                f"the log took no entry within {LOAD_S:g} s: "
                f"{self._trouble or 'no answer came'}"
            )

    async def _kill(self, plan: Round) -> None:
        """Wait for the moments that were drawn, and kill."""
        scene = self._scene
        end = asyncio.get_running_loop().time() + LOAD_S
        if plan.witness_kill_after:
            await self._until(plan.witness_kill_after, end)
            await scene.kill_witness()
        await self._until(plan.kill_after, end)
        await asyncio.sleep(plan.delay_ms / 1000)
        killed = [scene.kill_server()]
        if plan.witness_kill_after == 0:
            killed.append(scene.kill_witness())
        await asyncio.gather(*killed)

    async def _until(self, answers: int, end: float) -> None:
        """Wait until so many requests were answered, or until it is time."""
        scene = self._scene
        while self._answers < answers and scene.is_serving and not scene.ledger.faults:
            self._news.clear()
            try:
                async with asyncio.timeout_at(end):
                    await self._news.wait()
            except TimeoutError:
                return

    async def _work(self) -> None:
        while self._waiting:
            parcel = self._waiting.popleft()
            try:
                is_answered = await send(self._scene, parcel)
            except UnreachableError:
                self.unanswered.append(parcel)
                self._news.set()
                return
            except RefusedError as error:
                self._trouble = str(error)
                is_answered = False
            if is_answered:
                self._answers += 1
            else:
                self._waiting.appendleft(parcel)
                await asyncio.sleep(_AGAIN_S)
            self._news.set()
            if self._scene.ledger.faults:
                return

    async def _watch(self) -> None:
        """Read the served checkpoint again and again, as an observer does."""
        while not self._scene.ledger.faults:
            try:
                await read_published(self._scene)
            except UnreachableError:
                return
            await asyncio.sleep(_LOOK_S)


async def send(scene: Scene, parcel: Parcel) -> bool:
    """Send one request, check what comes, and note it.

    Gives False where the answer proves nothing, which is a fault.  Raises
    UnreachableError where no answer came, and RefusedError where the log takes nothing
    now; DrillError where its disk is full.
    """
    ledger = scene.ledger
    ledger.offer(parcel)
    try:
        ack = await (_send_batch if len(parcel.entries) > 1 else _send_entry)(
            scene, parcel
        )
    except UnreachableError:
        raise
    except RefusedError as error:
        if error.status == _FULL:
            raise DrillError(f"the disk is full: {error}") from error
        if error.status in RETRYABLE:
            raise
        ledger.fault(Kind.REPEATS, f"request {parcel.key} was refused: {error}")
        return False
    except KernelError as error:
        text = f"the answer to request {parcel.key} does not verify: {error}"
        ledger.fault(Kind.RECEIPTS, text)
        return False
    scene.counts.receipts += len(parcel.entries)
    scene.counts.repeated += ack.is_repeat
    ledger.note_ack(ack)
    return True


async def read_published(scene: Scene) -> int:
    """Read the served checkpoint and note it; give its size, 0 where it proves nothing.

    Raises UnreachableError where no answer came.
    """
    reader = TileReader(scene.address.read_url, retry=NO_RETRY)
    try:
        judged = scene.judge(await scene.peers.drive(reader.checkpoint()))
    except UnreachableError:
        raise
    except RefusedError:
        return 0  # nothing was published yet, or the store cannot be read now
    except KernelError as error:
        scene.ledger.fault(Kind.HEADS, f"the served checkpoint: {error}")
        return 0
    head = judged.opened.checkpoint
    scene.ledger.note_published(head, is_cosigned=bool(judged.cosigners))
    scene.shown = judged
    return head.size


async def eventually(
    happens: Callable[[], Awaitable[bool]], *, within_s: float
) -> bool:
    """Ask again and again until something happens or time is up."""
    end = asyncio.get_running_loop().time() + within_s
    while not await happens():
        if asyncio.get_running_loop().time() > end:
            return False
        await asyncio.sleep(_AGAIN_S)
    return True


async def _send_entry(scene: Scene, parcel: Parcel) -> Ack:
    done = await scene.peers.drive(
        append_entry(
            scene.address,
            parcel.entries[0],
            policy=scene.policy,
            key=parcel.key,
            timeout_s=_REQUEST_S,
            retry=NO_RETRY,
        )
    )
    head = scene.judge(done.receipt.checkpoint).opened.checkpoint
    return Ack(parcel, done.index, head, done.is_repeat)


async def _send_batch(scene: Scene, parcel: Parcel) -> Ack:
    done = await scene.peers.drive(
        append_batch(
            scene.address,
            parcel.entries,
            policy=scene.policy,
            key=parcel.key,
            timeout_s=_REQUEST_S,
            retry=NO_RETRY,
        )
    )
    for place in range(len(parcel.entries)):
        receipt = done.receipt(place)
        check_receipt(receipt, leaf=done.leaves[place], policy=scene.policy)
    head = scene.judge(done.checkpoint).opened.checkpoint
    return Ack(parcel, done.first, head, done.is_repeat)
