"""One log as the rest of the server sees it: append, publish, wait, read.

The head it shows is the last *released* one: durable, anchored and told to its
submitters.  The published checkpoint is what `/checkpoint` serves.  A read-only log
has no sequencer and takes nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from tallystick_merkle.genesis import EVENTS
from tallystick_merkle.keys import VerifierKey
from tallystick_merkle.policy import Policy
from tallystick_server.clock import Clock
from tallystick_server.errors import DiskFullError, NotFoundError, UnavailableError
from tallystick_server.log.commit import Submission
from tallystick_server.log.events import EventSubmission
from tallystick_server.log.reader import Reader
from tallystick_server.log.sequencer import Ack, EventAck, Sequencer
from tallystick_server.log.standing import is_witnessed
from tallystick_server.storage.base import Head, Published

MAX_WAITERS = 10_000
"""Most requests that wait for a witnessed head; beyond it they are answered (D4)."""

_DISK_CHECK_MS = 1_000

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LogLimits:
    """Limits that turn appends away before anything is promised.

    min_free_bytes: free space below which appends get 507.  The unwitnessed limits
    (None is off) turn them into 503 while too much waits for the witnesses (D9).
    """

    min_free_bytes: int = 256 * 1024 * 1024
    max_unwitnessed_entries: int | None = None
    max_unwitnessed_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Identity:
    """What a log is: its name in URLs, its origin, its kind, its public key."""

    name: str
    origin: str
    kind: str
    key: VerifierKey


class Log:
    """A log that serves reads, and appends too unless it is read-only."""

    def __init__(  # the parts of a log, all keyword-only
        self,
        identity: Identity,
        *,
        reader: Reader,
        head: Head,
        published: Published | None,
        policy: Policy | None,
        clock: Clock,
        limits: LogLimits,
        free_bytes: Callable[[], int],
    ) -> None:
        """Show a verified state; `attach` makes it take entries.

        Until then appends are refused with `refusal`, which the owner may set.
        """
        self.identity = identity
        self.reader = reader
        self.head = head
        self.published = published
        self.policy = policy
        self._clock = clock
        self._limits = limits
        self._free_bytes = free_bytes
        self._free_checked_ms: int | None = None
        self._free = 0
        self._unwitnessed_from_ms = 0  # when the first head that waits was released
        self._sequencer: Sequencer | None = None
        self._stop: Callable[[str], None] | None = None
        self._stopped: Callable[[], str | None] = lambda: "the log is read-only"
        self.refusal = "the log is read-only"
        self._waiters: dict[asyncio.Future[None], int] = {}
        self.doubt: str | None = None
        reader.watch(self.saw_doubt)

    def attach(
        self,
        sequencer: Sequencer,
        *,
        stop: Callable[[str], None],
        stopped: Callable[[], str | None],
    ) -> None:
        """Take entries through a started sequencer, until its writer stops."""
        self._sequencer = sequencer
        self._stop = stop
        self._stopped = stopped
        if self.doubt is not None:
            stop(self.doubt)

    @property
    def name(self) -> str:
        """The log's name in URLs."""
        return self.identity.name

    @property
    def origin(self) -> str:
        """The log's origin."""
        return self.identity.origin

    @property
    def kind(self) -> str:
        """The kind of log: "raw" or "events"."""
        return self.identity.kind

    @property
    def key(self) -> VerifierKey:
        """The log's public key."""
        return self.identity.key

    @property
    def is_read_only(self) -> bool:
        """Whether the log takes no entries at all."""
        return self._sequencer is None

    @property
    def stopped(self) -> str | None:
        """Why the log does not sign, or None when it does."""
        return self._stopped()

    @property
    def queue_depth(self) -> int:
        """Entries that wait to be committed."""
        return self._sequencer.depth if self._sequencer else 0

    @property
    def has_room(self) -> bool:
        """Whether the queue is far from full."""
        return self._sequencer is not None and self._sequencer.has_room

    @property
    def has_disk(self) -> bool:
        """Whether the disk is above its floor."""
        return self._free_now() >= self._limits.min_free_bytes

    @property
    def failed(self) -> asyncio.Future[BaseException] | None:
        """Resolved when the writer has failed and the process must end (D10)."""
        return self._sequencer.failed if self._sequencer else None

    def saw_head(self, head: Head) -> None:
        """Take note of a released head. Called by the sequencer, on the loop."""
        if self.published is not None and self.published.size >= self.head.size:
            self._unwitnessed_from_ms = head.time_ms
        self.reader.follow(head)
        self.head = head

    def stop_signing(self, reason: str) -> None:
        """Sign nothing more in this process (D9)."""
        if self._stop is not None:
            self._stop(reason)

    def saw_doubt(self, what: str) -> None:
        """Sign nothing on top of wrong data. Called by the reader, in any thread."""
        if self.doubt is None:
            self.doubt = f"what is stored is wrong: {what}"
        facts = {"log": self.name, "what": what}
        _log.error("stored data are wrong", extra=facts)
        self.stop_signing(self.doubt)

    async def append(self, submission: Submission) -> Ack:
        """Append; durable when this returns. Refusals come before any promise.

        Raises UnavailableError, DiskFullError, QueueFullError or KeyReusedError.
        """
        return await self._admit().append(submission)

    async def append_events(self, submission: EventSubmission) -> EventAck:
        """Append events; durable when this returns. Refusals come before any promise.

        Raises as `append` does, and NotFoundError in a log of another kind.
        """
        if self.kind != EVENTS:
            raise NotFoundError(f"the log {self.name} takes no events")
        return await self._admit().append(submission)

    def check_open(self) -> None:
        """Raise what `append` would raise now, before anything is prepared for it."""
        self._admit()

    def _admit(self) -> Sequencer:
        """Give what appends, or raise why nothing may be appended now."""
        if self._sequencer is None:
            raise UnavailableError(self.refusal)
        if not self.has_disk:
            raise DiskFullError(
                f"less than {self._limits.min_free_bytes} bytes are free",
                retry_after_s=60,
            )
        self._check_unwitnessed()
        return self._sequencer

    async def mark_publishable(self) -> Head:
        """Ask the writer for a head that may be published (D3)."""
        if self._sequencer is None:
            raise UnavailableError("the log is read-only")
        return await self._sequencer.mark_publishable()

    async def publish(self, published: Published) -> None:
        """Store and then serve a published checkpoint; wake who waits for it."""
        if self._sequencer is None:
            raise UnavailableError("the log is read-only")
        await self._sequencer.publish(published)
        self.published = published  # stored before it is served
        for waiter, size in list(self._waiters.items()):
            if size <= published.size and not waiter.done():
                waiter.set_result(None)

    async def witnessed(self, size: int, timeout_s: float) -> Published | None:
        """Wait until a witnessed checkpoint of at least `size` is published (D4).

        None when time runs out, too many wait already, or the policy asks nobody.
        """
        if self.policy is None or not self.policy.asks_for_witnesses:
            return None
        if (ready := self._published_from(size)) or len(self._waiters) >= MAX_WAITERS:
            return ready
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters[waiter] = size
        try:
            async with asyncio.timeout(timeout_s):
                await waiter
        except TimeoutError:
            return None
        finally:
            del self._waiters[waiter]
        return self._published_from(size)

    async def drain(self) -> None:
        """Take no more entries and commit what waits; publishing still works."""
        if self._sequencer is not None:
            await self._sequencer.drain()

    async def close(self) -> None:
        """Take nothing more, commit what waits, end the writer."""
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        if self._sequencer is not None:
            await self._sequencer.close()

    def _published_from(self, size: int) -> Published | None:
        """The published checkpoint if it covers `size` and meets today's policy."""
        found = self.published
        if found is None or found.size < size:
            return None
        return found if is_witnessed(found.note, self.key, self.policy) else None

    def _check_unwitnessed(self) -> None:
        """Raise UnavailableError when too much waits for the witnesses."""
        limits, published = self._limits, self.published
        size, time_ms = (published.size, published.time_ms) if published else (0, 0)
        if size >= self.head.size:
            return
        most = limits.max_unwitnessed_entries
        if most is not None and self.head.size - size > most:
            raise UnavailableError(
                f"{self.head.size - size} entries wait for witnesses, at most {most}",
                retry_after_s=10,
            )
        oldest_ms = limits.max_unwitnessed_ms
        since_ms = max(time_ms, self._unwitnessed_from_ms)  # quiet hours do not count
        if oldest_ms is not None and self._clock.now_ms() - since_ms > oldest_ms:
            raise UnavailableError(
                "no witnessed checkpoint for longer than allowed", retry_after_s=10
            )

    def _free_now(self) -> int:
        """Free bytes, asked for at most once a second."""
        now_ms = self._clock.monotonic_ms()
        last_ms = self._free_checked_ms
        if last_ms is None or now_ms - last_ms >= _DISK_CHECK_MS:
            self._free = self._free_bytes()
            self._free_checked_ms = now_ms
        return self._free
