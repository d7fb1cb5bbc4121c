"""The rollback drill: an older copy of the data is put back, as a restored backup is.

Whole as it is, it lacks what was acked since: a server that signs on from there forks
the log.  Once only the anchor may notice it and once only the witness; then the newer
data come back, and all that was ever said must hold again.
"""

from __future__ import annotations

import asyncio

from tallystick_merkle.errors import KernelError, RefusedError
from tallystick_merkle.exchange.appending import append_entry
from tallystick_merkle.exchange.base import NO_RETRY
from tallystick_server.selftest.children import DrillError, Ended
from tallystick_server.selftest.ledger import Kind
from tallystick_server.selftest.plan import marker
from tallystick_server.selftest.scene import Scene
from tallystick_server.selftest.verify import verify

_INTEGRITY = 1
_UNAVAILABLE = 503
_PLACE = 900


async def drill_rollback(scene: Scene, *, seed: int, number: int) -> list[str]:
    """Set the log of `scene` back, and see who notices; give their names.

    Requires a served log of which an older copy was kept.  What is wrong is noted in
    the ledger of the scene.
    """
    ledger = scene.ledger
    ended = await scene.stop_server()
    if ended.code:
        ledger.fault(Kind.RESTART, f"a stop in order {ended}")
        return []
    await require_start(scene, has_anchor=True)
    if not ledger.faults:
        await verify(scene, [], marker(seed, number, _PLACE))
    if ledger.faults:
        return []
    await scene.kill_server()
    await asyncio.to_thread(scene.place.set_back)
    noticed = []
    for name, has_anchor in (("anchor", True), ("witness", False)):
        if not has_anchor and not scene.has_witness:
            continue
        if await _is_refused(scene, name, has_anchor=has_anchor):
            noticed.append(name)
    if ledger.faults:
        return noticed
    await asyncio.to_thread(scene.place.bring_back)
    await require_start(scene, has_anchor=True)
    if not ledger.faults:
        await verify(scene, [], marker(seed, number, _PLACE + 1))
    return noticed


async def require_start(scene: Scene, *, has_anchor: bool) -> None:
    """Start the server; a refusal is a fault."""
    ended = await scene.start_server(has_anchor=has_anchor)
    scene.counts.restarts += 1
    if ended is not None:
        scene.ledger.fault(Kind.RESTART, f"a start after a kill {ended}")


async def _is_refused(scene: Scene, name: str, *, has_anchor: bool) -> bool:
    """Whether the older copy signs nothing; that it does is a fault."""
    ended = await scene.start_server(has_anchor=has_anchor)
    if ended is not None:
        return _is_for_the_reason(ended)
    is_taken = await _takes(scene)
    await scene.kill_server()
    if is_taken:
        scene.ledger.fault(
            Kind.ROLLBACK,
            f"an older copy of the data was served and took an entry: the {name} did "
            "not notice that the log was set back",
        )
    return not is_taken


def _is_for_the_reason(ended: Ended) -> bool:
    """Whether it was refused because it was set back, and not for anything else."""
    if ended.code != _INTEGRITY:
        raise DrillError(f"the start on older data {ended}")
    return True


async def _takes(scene: Scene) -> bool:
    """Whether the log takes an entry now."""
    parcel = marker(0, 0, _PLACE)
    try:
        await scene.peers.drive(
            append_entry(
                scene.address,
                parcel.entries[0],
                policy=scene.policy,
                key=parcel.key,
                retry=NO_RETRY,
            )
        )
    except RefusedError as error:
        if error.status == _UNAVAILABLE:
            return False
        raise DrillError(f"older data were answered with {error}") from error
    except KernelError as error:
        raise DrillError(f"older data were not answered: {error}") from error
    return True
