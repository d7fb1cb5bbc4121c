"""The witnesses of a log: which URLs to ask, and the seam to whoever answers.

A policy lists witnesses by key; several keys may live behind one URL (an Ed25519 and
an ML-DSA-44 key of one witness), and that URL is asked once (c2sp.org/tlog-witness).
A witness is asked for cosignatures at its submission prefix and for what it has seen
at its monitoring prefix, which is the same unless it is configured.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

from tallystick_merkle.exchange.base import (
    NO_RETRY,
    Exchange,
    Failure,
    Pause,
    Reply,
    Request,
)
from tallystick_merkle.exchange.witness import (
    Conflict,
    Cosigned,
    Prove,
    ask_witness,
    read_witness_head,
)
from tallystick_merkle.keys import VerifierKey
from tallystick_merkle.policy import Policy
from tallystick_server.errors import UsageError

T = TypeVar("T")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WitnessTarget:
    """One witness URL: where to submit, where to monitor, who answers there.

    `names` are those of the policy, `keys` the keys in the same order.
    """

    url: str
    monitoring: str
    names: tuple[str, ...]
    keys: tuple[VerifierKey, ...]

    @property
    def name(self) -> str:
        """The names in one word, for messages."""
        return "+".join(self.names)


def targets_of(
    policy: Policy | None, monitoring: Mapping[str, str]
) -> tuple[WitnessTarget, ...]:
    """List the URLs to ask; `monitoring` maps names of the policy to other prefixes.

    A witness without a URL is skipped with a warning.  Raises UsageError for a name
    that is not in the policy, for two monitoring prefixes of one URL, and when the
    quorum cannot be met by those that can be asked: nothing could ever be published.
    """
    witnesses = policy.witnesses if policy else ()
    unknown = sorted(set(monitoring) - {entry.name for entry in witnesses})
    if unknown:
        raise UsageError(f"monitoring names {unknown[0]!r}, the policy does not")
    by_url: dict[str, list[tuple[str, VerifierKey]]] = {}
    for entry in witnesses:
        if entry.url is None:
            _log.warning("a witness has no url", extra={"witness": entry.name})
        else:
            group = by_url.setdefault(entry.url.rstrip("/"), [])
            group.append((entry.name, entry.key))
    targets = tuple(
        WitnessTarget(
            url,
            _monitoring_of(url, [name for name, _ in group], monitoring),
            tuple(name for name, _ in group),
            tuple(key for _, key in group),
        )
        for url, group in by_url.items()
    )
    if policy and not policy.is_met_by(key for item in targets for key in item.keys):
        raise UsageError(
            "the policy's quorum cannot be met by the witnesses that have a URL; "
            "give their URLs in the policy"
        )
    return targets


def _monitoring_of(url: str, names: list[str], monitoring: Mapping[str, str]) -> str:
    """Find the monitoring prefix of a URL."""
    found = {monitoring[name].rstrip("/") for name in names if name in monitoring}
    if len(found) > 1:
        raise UsageError(f"{' and '.join(names)} share {url}, but not their monitoring")
    return found.pop() if found else url


class WitnessPort(Protocol):
    """Asks witnesses. Every failure of a witness is a KernelError."""

    async def submit(
        self, url: str, *, checkpoint: bytes, size: int, old: int, prove: Prove
    ) -> Cosigned | Conflict:
        """Ask for cosignatures on a signed checkpoint (see `ask_witness`)."""
        ...

    async def last_head(self, url: str, origin: str) -> bytes | None:
        """Read the last checkpoint cosigned for `origin`; None when there is none."""
        ...


class Driver(Protocol):
    """Runs an exchange: `ops.peers.Peers` does."""

    async def drive(self, exchange: Exchange[T]) -> T:
        """Make the requests of an exchange and give its result."""
        ...


class PeerWitnesses:
    """Asks witnesses over HTTP."""

    def __init__(self, driver: Driver, *, timeout_s: float = 5.0) -> None:
        """Use `driver`; a request takes at most `timeout_s` seconds."""
        self._driver = driver
        self._timeout_s = timeout_s

    async def submit(
        self, url: str, *, checkpoint: bytes, size: int, old: int, prove: Prove
    ) -> Cosigned | Conflict:
        """Ask for cosignatures."""
        return await self._driver.drive(
            ask_witness(
                url,
                checkpoint=checkpoint,
                size=size,
                old=old,
                prove=prove,
                timeout_s=self._timeout_s,
            )
        )

    async def last_head(self, url: str, origin: str) -> bytes | None:
        """Read the last checkpoint cosigned, in one attempt: whoever asks repeats."""
        return await self._driver.drive(read_witness_head(url, origin, retry=NO_RETRY))


Answer = Callable[[Request], Awaitable[Reply]]
"""How a witness in memory answers an HTTP request."""


class MemoryWitnesses(PeerWitnesses):
    """Witnesses in this process, by URL: the memory twin. It never pauses."""

    def __init__(self, answers: Mapping[str, Answer]) -> None:
        """Answer below each URL by its function; nobody is at any other URL."""
        super().__init__(self)
        self._answers = answers

    async def drive(self, exchange: Exchange[T]) -> T:
        """Run an exchange against the witnesses in memory."""
        try:
            step = next(exchange)
            while True:
                requests = () if isinstance(step, Pause) else step
                replies = [await self._reply(request) for request in requests]
                step = exchange.send(tuple(replies))
        except StopIteration as end:
            result: T = end.value
            return result

    async def _reply(self, request: Request) -> Reply:
        for url, answer in self._answers.items():
            if request.url.startswith(f"{url}/"):
                return await answer(request)
        return Failure("nobody is there")
