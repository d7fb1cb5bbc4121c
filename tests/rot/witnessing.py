"""A witness on disk that followed a log, and what it could be led to sign."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from tallystick_merkle.errors import KernelError
from tallystick_merkle.hashing import leaf_hash
from tallystick_merkle.keys import KeyType, format_vkey
from tallystick_merkle.witnessing import parse_cosignatures
from tallystick_witness import operating
from tallystick_witness.clock import SetClock
from tallystick_witness.config import load_settings
from tallystick_witness.errors import WitnessError
from tallystick_witness.service import Witness
from tallystick_witness.wiring import open_witness
from tests.reference.rfc6962 import Tree
from tests.unit.witness.world import NOW_S, LogTwin

SIZES = (3, 6, 10, 17)
"""The heads that were cosigned, one after the other."""

LAST = SIZES[-1]


@dataclass(frozen=True)
class Watch:
    """A witness's data directory, and what it shows for its last head."""

    data: Path
    shown: bytes

    @property
    def file(self) -> Path:
        """The file that rots."""
        return self.data / "store" / "data.mdb"

    def copy(self, to: Path) -> Watch:
        """Copy the whole directory; `to` is cleared first."""
        shutil.rmtree(to, ignore_errors=True)
        shutil.copytree(self.data, to)
        (to / "store" / "lock.mdb").unlink(missing_ok=True)
        return Watch(to, self.shown)


@dataclass
class Told:
    """What a witness did: why it did not start, what it signed or showed wrongly."""

    refused: str = ""
    wrong: list[str] = field(default_factory=list)
    cosigned: int = 0
    withheld: int = 0


def make_watch(data: Path) -> Watch:
    """Make a witness that has cosigned each of SIZES."""
    operating.initialise(data, name="w.example/w", types=(KeyType.COSIGNATURE,))
    clock = SetClock(NOW_S * 1000)
    log = LogTwin()
    with operating.open_table(data) as store:
        operating.add_log(
            store, vkey=format_vkey(log.vkey), origin=None, reopen=False, clock=clock
        )
    with _opened(data) as witness:
        for old, new in zip((0, *SIZES), SIZES, strict=False):
            assert witness.add_checkpoint(log.request(old, new)).status == 200
        shown = witness.checkpoint(log.place)
    assert shown is not None
    return Watch(data, shown)


def tempt(watch: Watch, *, late: Callable[[], None] | None = None) -> Told:
    """Start a witness, try to have forks of every kind cosigned, then an honest head.

    `late` is called once it has started.
    """
    told = Told()
    try:
        with _opened(watch.data) as witness:
            if late is not None:
                late()
            _tempt(witness, watch, told)
    except WitnessError as error:
        told.refused = f"{type(error).__name__}: {error}"
    return told


def _tempt(witness: Witness, watch: Watch, told: Told) -> None:
    log = LogTwin()
    try:
        shown = witness.checkpoint(log.place)
    except WitnessError:
        told.withheld += 1
    else:
        if shown not in {watch.shown, None}:
            told.wrong.append("shows another checkpoint")
        told.withheld += shown is None
    for old in (0, *SIZES[:-1]):
        body = _forked(old).request(old, LAST + 5)
        if _ask(witness, body, told) is not None:
            told.wrong.append(f"cosigned a fork from size {old}")
    if lines := _ask(witness, log.request(LAST, LAST + 9), told):
        try:
            told.cosigned += len(parse_cosignatures(lines))
        except KernelError as error:
            told.wrong.append(f"lines that are none: {error}")


def _ask(witness: Witness, body: bytes, told: Told) -> bytes | None:
    """Ask once; give the cosignatures, if there are any."""
    try:
        answer = witness.add_checkpoint(body)
    except WitnessError:
        told.withheld += 1
        return None
    if answer.status == 409 and answer.body != b"%d\n" % LAST:
        told.wrong.append(f"says it has cosigned {answer.body!r}")
    return answer.body if answer.status == 200 else None


def _forked(size: int) -> LogTwin:
    """The log as another one: equal up to a size, and different from there on."""
    twin = LogTwin()
    leaves = [leaf_hash(b"%d" % at) for at in range(size)]
    twin.tree = Tree(leaves + [leaf_hash(b"fork %d" % at) for at in range(64 - size)])
    return twin


def _opened(data: Path) -> AbstractContextManager[Witness]:
    settings = load_settings(
        file=None, environment={}, flags={"data": data, "min_free_mib": 1}
    )
    return open_witness(settings, SetClock(NOW_S * 1000))
