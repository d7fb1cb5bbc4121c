"""Open what a crash left, as a start would, and say what became of it.

    python -m tests.system.power.judge    jobs on stdin, verdicts on stdout, in JSON

A damaged store can end the process that opens it: so this is one of its own, and its
end is a verdict too (see `judging`).
"""

from __future__ import annotations

import json
import logging
import secrets
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

from tallystick_merkle.hashing import leaf_hash, leaf_hashes
from tallystick_merkle.keys import KeyType
from tallystick_server.clock import SystemClock
from tallystick_server.config.model import LogSettings
from tallystick_server.errors import NotInitialisedError, ServerError
from tallystick_server.log.anchor import read_anchor
from tallystick_server.log.commit import Submission
from tallystick_server.log.create import create_log
from tallystick_server.log.findings import Findings
from tallystick_server.log.fsck import Known, check_log
from tallystick_server.log.paths import store_directory
from tallystick_server.log.reader import Reader
from tallystick_server.log.tokenfile import read_tokens, tokens_path
from tallystick_server.log.treecheck import TreeCheck
from tallystick_server.log.writer import Writer
from tallystick_server.storage.lmdb import LmdbStore, open_store
from tallystick_server.storage.structure import check_structure
from tallystick_server.wiring.opening import OpenedLog, open_for_writing, read_vkeys
from tallystick_witness import errors as witness_errors
from tallystick_witness.clock import SystemClock as WitnessClock
from tallystick_witness.config import WitnessSettings
from tallystick_witness.operating import initialise
from tallystick_witness.wiring import open_witness
from tests.system.power.program import SMALL_MAP

LOG, ORIGIN = "events", "power.example/log"
WITNESS = "power.example/w"

SOUND, NEVER_MADE = "sound", "not initialised"
"""The good verdicts; every other one is the text of what is wrong."""

Job = dict[str, Any]


class WrongError(Exception):
    """What was promised is not there."""


def judge(job: Job) -> str:
    """Judge one state; give the verdict."""
    judges: dict[str, Callable[[Path, Job], str]] = {
        "log": judge_log,
        "witness": judge_witness,
        "store": judge_store,
    }
    try:
        return judges[job["kind"]](Path(job["place"]), job)
    except WrongError as error:
        return f"lost: {error}"
    except (ServerError, witness_errors.WitnessError) as error:
        return f"refused: {type(error).__name__}: {error}"
    except Exception as error:  # noqa: BLE001 -- a bug is a verdict too, told by name
        return f"not clean: {type(error).__name__}: {error}"


def judge_log(place: Path, job: Job) -> str:
    """Open a log to write it; everything that was told must be there."""
    data, anchor = place / "data", place / "anchor" / "log"
    settings = LogSettings(anchor=anchor if job["anchored"] else None)
    try:
        opened = open_for_writing(data, LOG, settings, clock=SystemClock())
    except NotInitialisedError:
        if job["made"]:
            raise
        return _make_again(data)
    try:
        key, next_key, recovery_key = read_vkeys(data, LOG)
        known = Known(key, next_key, recovery_key)
        _check_told(opened, job)
        assert isinstance(opened.store, LmdbStore)
        report = check_log(opened.store, known)
        if report.problems:
            raise WrongError(str(report.problems[0]))
        if job["anchored"] and job["heads"] and not opened.is_anchored:
            raise WrongError("the anchor is no proof, though it was kept")
        _append_one(opened)
    finally:
        opened.close()
    if problems := check_structure(store_directory(data, LOG)):
        raise WrongError(problems[0])
    if job["anchored"] and read_anchor(anchor, origin=ORIGIN) is None:
        raise WrongError("the anchor holds nothing after an append")
    _check_tokens(data, job)
    return SOUND


def _check_told(opened: OpenedLog, job: Job) -> None:
    """Hold a log against the entries and the heads that left its process."""
    size = opened.state.head.size
    reader = Reader(opened.store, head=opened.state.head)
    for index, leaf in job["entries"].items():
        if int(index) >= size:
            raise WrongError(f"entry {index} of {size}")
        (entry,) = opened.store.read_entries(int(index), int(index) + 1)
        if leaf_hash(entry).hex() != leaf:
            raise WrongError(f"entry {index} is another")
    for told, root in job["heads"].items():
        if int(told) > size or reader.root(int(told)).hex() != root:
            raise WrongError(f"the head of size {told} was told, stored are {size}")


def _append_one(opened: OpenedLog) -> None:
    """Go on: one more entry."""
    assert opened.signer is not None
    writer = Writer(
        store=opened.store,
        signer=opened.signer,
        state=opened.state,
        clock=SystemClock(),
        anchor=opened.anchor,
    )
    entry = b"after the power came back"
    if opened.anchor is not None:  # as a cleared log does
        opened.anchor.record(opened.state.head.size, opened.state.head.root)
    writer.commit([Submission(b"key", sha256(entry).digest(), (entry,))])


def _make_again(data: Path) -> str:
    """A log that was never made can be made."""
    create_log(
        data,
        name=LOG,
        origin=ORIGIN,
        recovery=None,
        clock=SystemClock(),
        draw_seed=lambda: secrets.token_bytes(32),
    )
    return NEVER_MADE


def _check_tokens(data: Path, job: Job) -> None:
    found = {
        token.id: token.revoked_ms for token in read_tokens(tokens_path(data, LOG))
    }
    for token_id, is_revoked in job["tokens"].items():
        if token_id not in found or (is_revoked and found[token_id] is None):
            raise WrongError(f"token {token_id}, revoked: {is_revoked}")


def judge_witness(place: Path, job: Job) -> str:
    """Open a witness to sign; every head that it cosigned for somebody is held."""
    data = place / "w"
    settings = WitnessSettings(
        data=data, anchor=place / "anchor" / "w" if job["anchored"] else None
    )
    try:
        with open_witness(settings, WitnessClock()) as witness:
            held = {log.origin: log for log in witness._store.logs()}
    except witness_errors.NotInitialisedError:
        if job["made"]:
            raise
        return _make_witness_again(data)
    for origin in job["followed"]:
        if origin not in held:
            raise WrongError(f"{origin} is not followed any more")
    for origin, (size, root) in job["cosigned"].items():
        head = held[origin].head
        if head is None or head.size < size:
            raise WrongError(f"size {size} was released, stored is {head}")
        if head.size == size and head.root.hex() != root:
            raise WrongError(f"another root at size {size}")
    return SOUND


def _make_witness_again(data: Path) -> str:
    """A witness that was never made can be made, or says which keys are in the way."""
    try:
        initialise(data, name=WITNESS, types=[KeyType.COSIGNATURE])
    except witness_errors.UsageError as error:
        if "exists without a store" not in str(error):
            raise
    return NEVER_MADE


def judge_store(place: Path, job: Job) -> str:
    """Open the store of the test's own program."""
    store = open_store(place / "store", map_bytes=SMALL_MAP)
    try:
        size = _check_tree(store)
    finally:
        store.close()
    if problems := check_structure(place / "store"):
        raise WrongError(problems[0])
    if size < job["size"]:
        raise WrongError(f"size {job['size']} was committed, stored are {size}")
    return SOUND


def _check_tree(store: LmdbStore) -> int:
    """Derive the whole tree again; give its size."""
    size = store.load().head.size
    findings = Findings()
    roots = {head.size: head.root for head in store.heads()}
    for prefix in TreeCheck(store, size, findings, latest=lambda: size).run():
        for told in [one for one in roots if one <= prefix.size]:
            if prefix.root(told) != roots.pop(told):
                raise WrongError(f"another root at size {told}")
    if findings.problems or roots:
        raise WrongError(f"{findings.problems} {roots}")
    if (
        store.read_row(0, 0)[:64]
        != b"".join(leaf_hashes(store.read_entries(0, size)))[:64]
    ):
        raise WrongError("the first row is another")
    return size


def main() -> None:
    """Serve jobs until stdin ends."""
    logging.disable(logging.CRITICAL)
    for line in sys.stdin:
        sys.stdout.write(json.dumps(judge(json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
