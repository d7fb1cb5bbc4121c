"""May this start sign?  Asks the witnesses what they have seen, and decides (D7).

    answers of the witnesses, anchor  →  decide  →  sign, or serve reads only

A head under our own key that is larger than ours, or has another root at its size, is
proof that the log was set back or has forked: it is kept, and the start is refused.
Otherwise a quorum of witnesses has to show heads that are ours, and those that do not
may not be a quorum by themselves: together they could have cosigned more of the log
than we hold, and nobody that answered would know.  An answer counts only

- with a cosignature of that witness, and
- at a size no smaller than that of our published checkpoint, if it carries a line of
  that witness: one that is behind has lost its state, or does not tell all.

"Never cosigned" (404) counts for a log that holds its genesis entry alone, and for no
other: a witness that lost its state must not clear a log that was set back.  An anchor
that was kept up to the last head stands for the quorum.  A policy that asks nobody
clears a log that nobody ever cosigned; another one needs that anchor.
(docs/adr/0004-start-up.md)
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from tallystick_merkle.errors import KernelError
from tallystick_merkle.keys import VerifierKey
from tallystick_merkle.note import parse_note
from tallystick_merkle.policy import Policy
from tallystick_server.errors import IntegrityError, StoreError
from tallystick_server.log.claims import judge_claim
from tallystick_server.log.evidence import Evidence
from tallystick_server.log.rounds import round_of_published
from tallystick_server.log.ticker import Ticker
from tallystick_server.log.witnesses import WitnessPort, WitnessTarget
from tallystick_server.storage.base import Head, Published

ANSWER_S = 10.0
"""Seconds that a witness has to say what it has seen."""

_GENESIS_ONLY = 1

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class OwnView:
    """What a log knows of itself: its key, last head and published checkpoint.

    `root_at` gives its root at any size up to the head's.
    """

    key: VerifierKey
    head: Head
    published: Published | None
    root_at: Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class Answer:
    """What one witness said.  `size` is 0 for "never cosigned", None for no answer.

    `keys` are the witness's keys for which the answer counts; when there is none,
    `problem` says why in one line.
    """

    name: str
    size: int | None
    keys: tuple[VerifierKey, ...] = ()
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether the log may sign, and why (not); and whether somebody overrode it."""

    may_sign: bool
    reason: str
    is_override: bool = False


async def check_witnesses(  # all keyword-only but the first two
    port: WitnessPort,
    targets: Sequence[WitnessTarget],
    *,
    view: OwnView,
    policy: Policy,
    evidence: Evidence,
    timeout_s: float = ANSWER_S,
) -> tuple[Answer, ...]:
    """Ask every witness for its last head, at once, and judge what they say.

    Raises IntegrityError, naming witness and sizes, for a head under our key that we
    do not hold; it is kept as evidence first, where that is possible.
    """
    known = _known_sizes(view, policy)
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(_ask(port, target, view.key.name, timeout_s))
            for target in targets
        ]
    return tuple(
        _judge(target, task.result(), view, known, evidence)
        for target, task in zip(targets, tasks, strict=True)
    )


def decide(
    policy: Policy,
    answers: Sequence[Answer],
    *,
    size: int,
    anchored: bool,
    published: Published | None = None,
    override: bool = False,
) -> Decision:
    """Decide whether a log of `size` may sign, after no witness contradicted it.

    `anchored` is what `startup.check_anchor` gave.  `override` is the operator's
    explicit, one-time word that the data is the newest there is.  A log whose
    `published` checkpoint somebody cosigned has witnesses: where nobody is asked any
    more, a configuration was forgotten, or that has to be said once.
    """
    if not policy.asks_for_witnesses:
        if anchored or not _is_cosigned(published):
            return Decision(True, "the policy asks for no witness")
        forgotten = (
            "the published checkpoint is cosigned, but no policy names a witness to "
            "ask: start with the configuration that does"
        )
        return Decision(override, forgotten, is_override=override)
    if anchored:
        return Decision(True, "the anchor holds the last head")
    agreed = {key for item in answers if item.size for key in item.keys}
    if _rules_out_more(policy, agreed):
        return Decision(True, "a quorum of witnesses has seen this log")
    never = {key for item in answers if item.size == 0 for key in item.keys}
    if size == _GENESIS_ONLY and _rules_out_more(policy, agreed | never):
        return Decision(True, "the log is new, and no witness has seen more of it")
    said = "; ".join(f"{item.name}: {item.problem or 'agrees'}" for item in answers)
    missing = f"no quorum of witnesses has confirmed size {size} ({said})"
    if policy.is_met_by(agreed):
        missing = (
            f"witnesses that may have cosigned more than size {size} without the "
            f"others did not answer ({said})"
        )
    return Decision(override, missing, is_override=override)


def _is_cosigned(published: Published | None) -> bool:
    """Whether anybody but the log has signed what is published; it was verified."""
    return published is not None and len(parse_note(published.note).signatures) > 1


def rollback_is_detectable(
    targets: Sequence[WitnessTarget], *, has_anchor: bool
) -> bool:
    """Whether anybody but the log itself would know that it was set back (D8)."""
    return bool(targets) or has_anchor


async def wait_for_clearance(
    check: Callable[[], Awaitable[Decision]], ticker: Ticker, stop: asyncio.Event
) -> Decision | None:
    """Check again and again until the log may sign; None when stopped before.

    What `check` raises ends the waiting: an IntegrityError is final.
    """
    while not stop.is_set():
        decision = await check()
        if stop.is_set():
            break
        if decision.may_sign:
            return decision
        _log.warning("serving reads only", extra={"reason": decision.reason})
        await ticker.wait(stop)
    return None


def _rules_out_more(policy: Policy, heard: Collection[VerifierKey]) -> bool:
    """Whether no quorum can have cosigned more than those that were heard have seen.

    They are a quorum, and every other quorum has one of them in it.
    """
    silent = {entry.key for entry in policy.witnesses}.difference(heard)
    return policy.is_met_by(heard) and not policy.is_met_by(silent)


async def _ask(
    port: WitnessPort, target: WitnessTarget, origin: str, timeout_s: float
) -> bytes | KernelError | None:
    """Read a witness's last head, or say what went wrong with it."""
    try:
        async with asyncio.timeout(timeout_s):
            return await port.last_head(target.monitoring, origin)
    except KernelError as error:
        return error
    except TimeoutError:
        return KernelError(f"no answer within {timeout_s:g} s")


def _judge(
    target: WitnessTarget,
    said: bytes | KernelError | None,
    view: OwnView,
    known: Mapping[VerifierKey, int],
    evidence: Evidence,
) -> Answer:
    """Judge one answer; keep evidence and raise if it contradicts the log."""
    name = target.name
    at_least = max((known.get(key, 0) for key in target.keys), default=0)
    if isinstance(said, KernelError):
        return Answer(name, None, problem=str(said))
    if said is None:
        if at_least:
            lost = f"has nothing, but cosigned our published size {at_least}"
            return Answer(name, 0, problem=lost)
        return Answer(name, 0, target.keys, "has never cosigned this log")
    claim = judge_claim(
        said,
        log_key=view.key,
        witness_keys=target.keys,
        held_size=view.head.size,
        root_at=view.root_at,
    )
    if claim.contradicts:
        reason = f"witness {name} contradicts the log: {claim.problem}"
        try:
            evidence.keep(reason=reason, ours=view.head.note, theirs=said)
        except StoreError:
            _log.exception("evidence was not kept", extra={"reason": reason})
        raise IntegrityError(f"{reason}; bring the newer data back, never sign again")
    if claim.problem:
        return Answer(name, None, problem=claim.problem)
    if not claim.cosigners:
        return Answer(name, None, problem="its checkpoint lacks its own cosignature")
    if claim.size < at_least:
        behind = f"shows size {claim.size}, but cosigned our published size {at_least}"
        return Answer(name, claim.size, problem=behind)
    return Answer(name, claim.size, claim.cosigners)


def _known_sizes(view: OwnView, policy: Policy) -> dict[VerifierKey, int]:
    """Give, for each witness key in the published checkpoint, the size it cosigned."""
    if view.published is None:
        return {}
    published = round_of_published(
        view.published, log_key=view.key, policy=policy, started_ms=0
    )
    return dict.fromkeys(published.cosigned, published.size)
