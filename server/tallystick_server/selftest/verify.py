"""After a restart: is everything that was ever said still true?

Requests that were never answered are sent again with their keys, and some that were
answered, too; then the log is read whole from outside, as an auditor reads it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from tallystick_merkle.errors import (
    InconsistentError,
    KernelError,
    RefusedError,
    UnreachableError,
)
from tallystick_merkle.exchange.reading import TileReader, check_extends
from tallystick_merkle.hashing import leaf_hashes
from tallystick_merkle.policy import Judged
from tallystick_merkle.tile import bundles_of
from tallystick_server.selftest.children import DrillError
from tallystick_server.selftest.ledger import Kind
from tallystick_server.selftest.load import eventually, read_published, send
from tallystick_server.selftest.plan import Parcel
from tallystick_server.selftest.scene import Scene

TAKES_S = 30.0
"""Seconds until a log that was started again must take entries, and publish them."""

_AT_ONCE = 16


async def verify(scene: Scene, again: Sequence[Parcel], marker: Parcel) -> None:
    """Send `again` and `marker`, then hold the whole log against the ledger.

    What is wrong is noted in the ledger.  Raises DrillError where nothing is published.
    """
    ledger = scene.ledger
    try:
        await _send_again(scene, [marker, *again])
        if ledger.faults:
            return
        head = await _published(scene, ledger.size)
        if ledger.faults:
            return
        leaves = await _read_leaves(scene, head)
        ledger.judge_served(leaves, head.opened.checkpoint)
        await scene.ask_witness()
    except UnreachableError as error:
        if scene.is_serving:
            raise DrillError(f"the server answers too late: {error}") from error
        text = f"the server is gone after its restart: {error}"
        ledger.fault(Kind.RESTART, text)
    except RefusedError as error:
        ledger.fault(Kind.RESTART, f"the restarted server refuses: {error}")
    except KernelError as error:
        ledger.fault(Kind.ACKED, f"what is served does not verify: {error}")


async def _send_again(scene: Scene, parcels: Sequence[Parcel]) -> None:
    """Send each until it is answered; the first alone, to see whether it is taken."""
    first, *rest = parcels
    await _send_until_taken(scene, first)
    for start in range(0, len(rest), _AT_ONCE):
        if scene.ledger.faults:
            return
        batch = rest[start : start + _AT_ONCE]
        await asyncio.gather(*(_send_until_taken(scene, parcel) for parcel in batch))


async def _send_until_taken(scene: Scene, parcel: Parcel) -> None:
    refused = ""

    async def is_done() -> bool:
        nonlocal refused
        try:
            return await send(scene, parcel) or bool(scene.ledger.faults)
        except RefusedError as error:
            refused = str(error)
            return False

    if not await eventually(is_done, within_s=TAKES_S):
        scene.ledger.fault(
            Kind.RESTART,
            f"the restarted server took nothing for {TAKES_S:g} s: {refused}",
        )


async def _published(scene: Scene, size: int) -> Judged:
    """Wait for a head of at least `size`, cosigned where there is a witness.

    It must extend the one that was served before.
    """
    ledger, before = scene.ledger, scene.shown

    async def is_there() -> bool:
        is_new = await read_published(scene) >= size
        is_cosigned = ledger.cosigned >= size or not scene.has_witness
        return (is_new and is_cosigned) or bool(ledger.faults)

    if not await eventually(is_there, within_s=TAKES_S):
        raise DrillError(f"the log published nothing new for {TAKES_S:g} s")
    shown = scene.shown
    assert shown is not None
    if before is not None and not ledger.faults:
        try:
            reader = TileReader(scene.address.read_url)
            await scene.peers.drive(check_extends(reader, old=before, new=shown))
        except InconsistentError as error:
            ledger.fault(Kind.HEADS, str(error))
    return shown


async def _read_leaves(scene: Scene, head: Judged) -> list[bytes]:
    """Read every entry up to `head`; give the leaf hashes."""
    size = head.opened.checkpoint.size
    reader = TileReader(scene.address.read_url)
    bundles = await scene.peers.drive(reader.entries(bundles_of(0, size, size)))
    return [leaf for bundle in bundles for leaf in leaf_hashes(bundle)]
