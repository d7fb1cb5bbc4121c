"""Take one head to one witness, and find out what its answer means.

A witness's answer is verified before any of it is used, and its errors are its own:
whatever it does, only an error of the log comes out of here.

A refusal that hints at another history (409 beyond our size or without one, 422) is a
reason to look, no more: only a head that verifies under our own key, and is not ours,
is proof.  Then signing stops at once and both notes are kept (D7, D9).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from functools import partial

from tallystick_merkle.errors import KernelError, RefusedError
from tallystick_merkle.exchange.witness import Conflict, Cosigned
from tallystick_merkle.keys import VerifierKey
from tallystick_server.clock import Clock
from tallystick_server.errors import IntegrityError, ServerError, StoreError
from tallystick_server.log.asked import AskedWitness
from tallystick_server.log.claims import judge_claim
from tallystick_server.log.evidence import Evidence
from tallystick_server.log.publishing import PublishedLog, PublishSettings
from tallystick_server.log.rounds import Round, verify_answer
from tallystick_server.log.witnesses import WitnessPort

_UNPROCESSABLE = 422

_log = logging.getLogger(__name__)


class Asker:
    """Asks the witnesses of one log, on the event loop."""

    def __init__(
        self,
        log: PublishedLog,
        *,
        policy_keys: Iterable[VerifierKey],
        witnesses: WitnessPort,
        clock: Clock,
        evidence: Evidence,
        settings: PublishSettings,
    ) -> None:
        """Believe cosignatures of `policy_keys` and of nobody else."""
        self._log = log
        self._policy_keys = frozenset(policy_keys)
        self._witnesses = witnesses
        self._clock = clock
        self._evidence = evidence
        self._settings = settings

    async def ask(self, asked: AskedWitness, round_: Round) -> None:
        """Ask for cosignatures on a round and merge them into it.

        Raises ServerError for an error of the log.
        """
        asked_ms = self._clock.monotonic_ms()
        answer = await self._submit(asked, round_)
        if isinstance(answer, Cosigned):
            self._take(asked, round_, answer, asked_ms)
        elif answer is not None:
            await self._look(asked, answer)

    async def _submit(
        self, asked: AskedWitness, round_: Round
    ) -> Cosigned | Conflict | None:
        """Ask for cosignatures; None for a failure, which is noted."""
        prove = partial(self._prove, round_.size)
        try:
            async with asyncio.timeout(self._settings.answer_s):
                return await self._witnesses.submit(
                    asked.target.url,
                    checkpoint=round_.request(self._log.key),
                    size=round_.size,
                    old=asked.old,
                    prove=prove,
                )
        except TimeoutError:
            self._fail(asked, f"no answer within {self._settings.answer_s:g} s")
        except RefusedError as error:
            if error.status == _UNPROCESSABLE:
                asked.old = 0
                return Conflict(None)
            self._fail(asked, str(error), wish_s=error.retry_after_s)
        except KernelError as error:
            self._fail(asked, str(error))
        except IntegrityError as error:  # the log has been told, and signs no more
            self._fail(asked, f"not asked: what is stored is wrong: {error}")
        except ServerError:
            raise
        except Exception:  # noqa: BLE001 -- a witness's answer must not end the loop
            _log.exception("asking a witness failed", extra=_names(asked))
            self._fail(asked, "internal error; the log of this server has it")
        return None

    def _prove(self, size: int, old: int) -> tuple[bytes, ...]:
        return self._log.reader.consistency(old=old, new=size)

    def _take(
        self, asked: AskedWitness, round_: Round, answer: Cosigned, asked_ms: int
    ) -> None:
        """Verify an answer before any of it is used, and merge it into its round."""
        try:
            lines = verify_answer(
                round_.checkpoint,
                round_.note.text,
                answer.lines,
                policy_keys=self._policy_keys,
                own_keys=asked.target.keys,
                latest_s=self._clock.now_ms() // 1000 + self._settings.max_ahead_s,
            )
        except KernelError as error:
            asked.refused += 1
            self._fail(asked, f"its answer was discarded: {error}")
            return
        round_.add(lines)
        asked.answered(round_, asked_ms=asked_ms, now_ms=self._clock.monotonic_ms())

    async def _look(self, asked: AskedWitness, conflict: Conflict) -> None:
        """Find out what a refusal means: read what the witness has seen."""
        seen = conflict.size
        if seen is not None:
            asked.old = seen
            if seen <= self._log.head.size:  # a head of ours that is not this round's
                self._fail(asked, f"it has cosigned size {seen} already")
                return
        asked.hinted()
        hint = "another history" if seen is None else f"size {seen}"
        _log.warning("a witness hints", extra={**_names(asked), "hint": hint})
        problem = await self._compare(asked)
        held = self._log.head.size
        self._fail(asked, problem or f"it hints at {hint}, we hold {held}: not proven")

    async def _compare(self, asked: AskedWitness) -> str:
        """Compare a witness's last head with ours; stop signing if it is proof."""
        target = asked.target
        try:
            async with asyncio.timeout(self._settings.answer_s):
                note = await self._witnesses.last_head(
                    target.monitoring, self._log.key.name
                )
        except (KernelError, TimeoutError) as error:
            return f"it hints at another history, but does not show it: {error}"
        if note is None:
            return ""
        head = self._log.head
        try:
            claim = judge_claim(
                note,
                log_key=self._log.key,
                witness_keys=target.keys,
                held_size=head.size,
                root_at=self._log.reader.root,
            )
        except IntegrityError as error:  # the log has been told, and signs no more
            return f"it cannot be compared: what is stored is wrong: {error}"
        if not claim.contradicts:
            return claim.problem
        reason = f"witness {target.name} contradicts the log: {claim.problem}"
        self._log.stop_signing(reason)  # before anything that might fail
        try:
            place = self._evidence.keep(reason=reason, ours=head.note, theirs=note)
            _log.error("evidence kept", extra={"reason": reason, "evidence": place})
        except StoreError:
            _log.exception("evidence was not kept", extra={"reason": reason})
        return reason

    def _fail(
        self, asked: AskedWitness, problem: str, *, wish_s: float | None = None
    ) -> None:
        """Note a witness's failure; the first of a row is logged."""
        if asked.last_error is None:
            _log.warning("witness failed", extra={**_names(asked), "problem": problem})
        asked.failed(problem, now_ms=self._clock.monotonic_ms(), wish_s=wish_s)


def _names(asked: AskedWitness) -> dict[str, str]:
    return {"witness": asked.target.name, "url": asked.target.url}
