"""Let a restored log take over from its original: the explicit act (D9, ADR 0006).

    lock → marker → key → stored state → witnesses → the operator's word
    → key installed → marker changed; each durable before the next

The witnesses are asked here once, because whoever promotes is still looking; what
decides is the next `serve`, which asks them again and acknowledges nothing until a
quorum has cosigned a head that it made.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tallystick_merkle.keys import SigningKey, format_vkey
from tallystick_merkle.policy import NO_QUORUM, Policy
from tallystick_server.clock import Clock
from tallystick_server.config.model import LogSettings
from tallystick_server.errors import IntegrityError, UsageError, WrongKeyError
from tallystick_server.log.clearance import OwnView, check_witnesses
from tallystick_server.log.evidence import FileEvidence
from tallystick_server.log.keyring import read_key, write_key
from tallystick_server.log.lock import WriterLock
from tallystick_server.log.marker import Marker, State, read_marker, write_marker
from tallystick_server.log.paths import (
    evidence_directory,
    key_path,
    lock_path,
    store_directory,
)
from tallystick_server.log.reader import Reader
from tallystick_server.log.startup import load_state
from tallystick_server.log.witnesses import PeerWitnesses, WitnessPort, targets_of
from tallystick_server.ops.peers import Peers
from tallystick_server.storage.lmdb import open_store
from tallystick_server.wiring.opening import read_policy, read_vkeys

_NOBODY = Policy((), (), (), NO_QUORUM)


@dataclass(frozen=True, slots=True)
class PromoteOrder:
    """Which log to promote, with which key, and what the operator has said.

    `is_original_stopped`: nobody else signs with this key.  `is_unwitnessed`: the
    policy asks no witness, so nobody can confirm it.
    """

    data: Path
    name: str
    settings: LogSettings
    key_file: Path
    is_original_stopped: bool = False
    is_unwitnessed: bool = False


async def promote_by_asking(
    order: PromoteOrder, clock: Clock, *, timeout_s: float
) -> tuple[SigningKey, Marker]:
    """Promote, asking the witnesses over HTTP; each answers within `timeout_s`."""
    peers = Peers()
    try:
        return await promote(order, clock, PeerWitnesses(peers, timeout_s=timeout_s))
    finally:
        await peers.close()


async def promote(
    order: PromoteOrder, clock: Clock, witnesses: WitnessPort
) -> tuple[SigningKey, Marker]:
    """Promote; give the key, and the marker that is now in the log's directory.

    Raises UsageError for a log that is no restored one or an act that was not
    confirmed, WrongKeyError for another key, IntegrityError when the log was changed
    or a witness has seen more of it.  Then nothing was changed.
    """
    data, name = order.data, order.name
    read_vkeys(data, name)  # says it where there is no log
    with WriterLock(lock_path(data, name)):
        marker = _restored(data, name)
        key = _read_own_key(order)
        policy = read_policy(order.settings.policy) or _NOBODY
        await _check(order, marker, key, policy, witnesses)
        _check_words(order, marker, policy)
        _install(key_path(data, name), key)
        promoted = marker.promoted(
            now_ms=clock.now_ms(), unwitnessed=order.is_unwitnessed
        )
        write_marker(data, name, promoted)
    return key, promoted


def _restored(data: Path, name: str) -> Marker:
    """Read the marker of a log that may be promoted; raise UsageError for another."""
    marker = read_marker(data, name)
    if marker is None:
        raise UsageError(
            f"the log {name} was not restored from a backup: nothing is to be promoted"
        )
    if marker.state is not State.RESTORED:
        raise UsageError(
            f"the log {name} was promoted already; it goes on with: tallystick server "
            "serve"
        )
    return marker


def _read_own_key(order: PromoteOrder) -> SigningKey:
    """Read the key, which must be the one that the log was made with."""
    key = read_key(order.key_file)
    own, *_ = read_vkeys(order.data, order.name)
    if key.verifier != own:
        raise WrongKeyError(
            f"{order.key_file} is not the key of the log {order.name}: expected "
            f"{format_vkey(own)}, found {format_vkey(key.verifier)}"
        )
    return key


async def _check(
    order: PromoteOrder,
    marker: Marker,
    key: SigningKey,
    policy: Policy,
    witnesses: WitnessPort,
) -> None:
    """Raise IntegrityError unless the log is as restored, and nobody has seen more."""
    targets = targets_of(policy, order.settings.monitoring)
    store = open_store(store_directory(order.data, order.name), read_only=True)
    try:
        state, published = load_state(store, key.verifier)
        if (state.head.size, state.head.root) != (marker.size, marker.root):
            raise IntegrityError(
                f"the log {order.name} was restored at size {marker.size} and has size "
                f"{state.head.size}: it was changed since; restore it again"
            )
        await check_witnesses(
            witnesses,
            targets,
            view=OwnView(
                key.verifier, state.head, published, Reader(store, state.head).root
            ),
            policy=policy,
            evidence=FileEvidence(evidence_directory(order.data, order.name)),
        )
    finally:
        store.close()


def _check_words(order: PromoteOrder, marker: Marker, policy: Policy) -> None:
    """Raise UsageError unless the operator has said all that has to be said."""
    if order.is_unwitnessed and policy.asks_for_witnesses:
        raise UsageError(
            "--without-witnesses: the policy of this log has witnesses, and they decide"
        )
    if not (policy.asks_for_witnesses or order.is_unwitnessed):
        raise UsageError(
            f"nothing was changed. The policy of the log {order.name} asks no witness: "
            "if this is not its newest state, or the original signs again, it forks "
            "and nobody notices. To go on all the same, add --without-witnesses"
        )
    if not order.is_original_stopped:
        raise UsageError(
            f"nothing was changed. The log {order.name} stands at size {marker.size}, "
            f"root {marker.root.hex()}. Entries acknowledged after that and never "
            "witnessed are lost by this. When the original is stopped for good, add "
            "--original-is-stopped"
        )


def _install(path: Path, key: SigningKey) -> None:
    """Write the key, unless an act that did not end has written it already."""
    if not path.exists():
        write_key(path, key)
    elif read_key(path).verifier != key.verifier:
        raise UsageError(f"{path} holds another key; move it away")
