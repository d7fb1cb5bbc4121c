"""What becomes of each submitted event."""

from __future__ import annotations

from dataclasses import dataclass, field

from tallystick_merkle.opening import Opening
from tallystick_server.errors import RequestError
from tallystick_server.log.sequencer import EventAck


@dataclass(frozen=True, slots=True)
class Taken:
    """An event that is in the log, durably.

    `leaf` are its 80 bytes; `opening` is for its submitter alone, and None where
    something of the event was erased; `warning` says what was only just let through.
    """

    event_id: str
    index: int
    time_ms: int
    leaf: bytes
    is_repeat: bool
    opening: Opening | None = field(repr=False)
    warning: str = ""

    @property
    def is_erased(self) -> bool:
        """Whether a repeat could not be compared any more (D14)."""
        return self.opening is None


@dataclass(frozen=True, slots=True)
class Refused:
    """An event that is not in the log, and why. `event_id` is "" where unknown."""

    event_id: str
    error: RequestError


Result = Taken | Refused


@dataclass(frozen=True, slots=True)
class Submitted:
    """What became of a submission: each event in order, and the head it stands at.

    `ack` is None when nothing reached the log.
    """

    results: tuple[Result, ...]
    ack: EventAck | None
