"""What publishing needs: a few things of the log, and its bounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from tallystick_merkle.keys import VerifierKey
from tallystick_server.log.reader import Reader
from tallystick_server.storage.base import Head, Published


class PublishedLog(Protocol):
    """What the publisher needs of a log; `log.Log` is one."""

    @property
    def key(self) -> VerifierKey:
        """The log's public key, named as its origin."""
        ...

    @property
    def reader(self) -> Reader:
        """Reads proofs and roots."""
        ...

    @property
    def head(self) -> Head:
        """The head last released."""
        ...

    @property
    def published(self) -> Published | None:
        """The checkpoint that is served."""
        ...

    @property
    def stopped(self) -> str | None:
        """Why the log does not sign, or None."""
        ...

    async def mark_publishable(self) -> Head:
        """Have the writer name a head that may be published."""
        ...

    async def publish(self, published: Published) -> None:
        """Store and then serve a checkpoint."""
        ...

    def stop_signing(self, reason: str) -> None:
        """Sign nothing more in this process."""
        ...


@dataclass(frozen=True, slots=True)
class PublishSettings:
    """Bounds of publishing, in seconds.

    republish_s: age of the quorum's cosignatures at which they are renewed without
    growth.  answer_s: longest that one witness may take.  max_ahead_s: how far in the
    future a cosignature may be dated.  stop_s: longest last round at a graceful stop.
    """

    republish_s: float = 900.0
    answer_s: float = 10.0
    max_ahead_s: int = 60
    stop_s: float = 5.0
