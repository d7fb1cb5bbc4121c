"""Events of producers, made short; and a producer's whole life in a few words."""

from __future__ import annotations

from tallystick_merkle.event import Event, Producer, Ref, Value, id_text
from tallystick_server.ingest.own import SERVICE, OwnEvent
from tallystick_server.ingest.producers import Producers, ProducerState
from tallystick_server.ingest.streams import HEARTBEAT

START_MS = 1_800_000_000_000
MINUTE_MS = 60_000


def event(
    sequence: int,
    *,
    principal: str = "billing",
    instance: str = "web-1",
    epoch: int = 0,
    occurred_ms: int = START_MS,
    action: str = "user.role.updated",
    details: dict[str, Value] | None = None,
) -> Event:
    """An event of a producer."""
    number = f"{principal}/{instance}/{epoch}/{sequence}".encode()
    event_id = id_text(b"\x01" * 6 + b"\x70\x00\x80" + number[-7:].rjust(7, b"\0"))
    return Event(
        event_id,
        action,
        Ref("user", "ann"),
        (),
        occurred_ms,
        "success",
        None,
        Producer(principal, instance, epoch, sequence),
        extra={} if details is None else {"details": details},
    )


class Life:
    """Producers that are watched: every event gets the next index, and a time."""

    def __init__(self, *, most: int = 10_000) -> None:
        self.producers = Producers(most=most)
        self.now_ms = START_MS
        self.seen: list[tuple[int, Event, int]] = []
        self.producers.due(self.now_ms)  # from here on the server is there

    def see(
        self,
        *sequences: int,
        principal: str = "billing",
        instance: str = "web-1",
        epoch: int = 0,
        ago_ms: int = 0,
    ) -> None:
        """Have events come, all at this time; they happened `ago_ms` before."""
        for sequence in sequences:
            self.take(
                event(
                    sequence,
                    principal=principal,
                    instance=instance,
                    epoch=epoch,
                    occurred_ms=self.now_ms - ago_ms,
                )
            )

    def beat(self, sequence: int, heartbeat_s: Value, *, epoch: int = 0) -> None:
        """Have a heartbeat announced."""
        details = {"heartbeat_s": heartbeat_s}
        self.take(event(sequence, epoch=epoch, action=HEARTBEAT, details=details))

    def take(self, one: Event) -> None:
        """Have an event come."""
        self.seen.append((len(self.seen), one, self.now_ms))
        self.producers.observe(*self.seen[-1])

    def wait(self, ms: int) -> None:
        """Let time pass."""
        self.now_ms += ms

    def due(self) -> list[OwnEvent]:
        """What is due now."""
        return self.producers.due(self.now_ms)

    def write(self, own: OwnEvent) -> None:
        """Have an event of the server's own stand in the log."""
        self.take(
            event(
                len(self.seen),
                principal=SERVICE,
                instance="server",
                occurred_ms=self.now_ms,
                action=own.action,
                details=dict(own.details),
            )
        )

    def findings(self) -> list[dict[str, Value]]:
        """What is due now, written down at once: each finding."""
        found: list[dict[str, Value]] = []
        for own in self.due():
            self.write(own)
            listed = own.details["findings"]
            assert isinstance(listed, list)
            found += [one for one in listed if isinstance(one, dict)]
        return found

    def state(self, epoch: int = 0) -> ProducerState:
        """The state of one start of billing's web-1."""
        (found,) = (
            one
            for one in self.producers.states(self.now_ms)
            if one.principal == "billing" and one.stream.epoch == epoch
        )
        return found
