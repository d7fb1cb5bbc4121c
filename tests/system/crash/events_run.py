"""A server of a log of events, hit between vault and log: all acked is readable.

What runs is `tallystick server serve` as it is installed, with an anchor.  A run sends
events about people that the vault does not know yet, alone and in a batch, repeats one,
reads one, and stops the server; the calls of all that are the points.

After the hit the server is started again, untouched.  Each event that was tried is sent
again; one that was acked must be there already, at its index, with its leaf; all are
read, and must say what was sent.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from tallystick_merkle.errors import KernelError, RefusedError, UnreachableError
from tallystick_merkle.event import Event
from tallystick_merkle.exchange.appending import LogAddress
from tallystick_merkle.exchange.base import NO_RETRY
from tallystick_merkle.exchange.eventreading import get_event
from tallystick_merkle.exchange.events import (
    Emitted,
    Kept,
    draft,
    submit_event,
    submit_events,
)
from tallystick_merkle.policy import Policy, parse_policy
from tests.system.crash.calls import Call, Point
from tests.system.crash.ends import judge_end
from tests.system.crash.process import Traced
from tests.system.drive import drive
from tests.system.stack import LOG, ORIGIN, run, run_json

T = TypeVar("T")


def event_of(number: int) -> Event:
    """An event by somebody new, about somebody new."""
    return draft(
        {
            "event_id": f"01938a7e-0000-7000-8000-{number:012x}",
            "action": "user.role.updated",
            "actor": {"type": "user", "id": f"actor-{number}.example"},
            "targets": [{"type": "user", "id": f"target-{number}.example"}],
            "occurred_at": "2026-11-23T12:00:00.000Z",
            "outcome": {"result": "success"},
            "producer": {"instance": "crash", "sequence": number},
            "reason": f"because of {number}",
        }
    )


@dataclass
class Case:
    """One place with a log of events, and what was told of it.

    `tried` holds each event that was sent, `acked` index and leaf of those answered.
    """

    place: Path
    vkey: str
    token: str
    tried: dict[str, Event] = field(default_factory=dict)
    acked: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def copy(self, place: Path) -> Case:
        """Copy everything to another place."""
        shutil.copytree(self.place, place)
        case = Case(
            place, self.vkey, self.token, deepcopy(self.tried), deepcopy(self.acked)
        )
        case.configure()
        return case

    def configure(self) -> None:
        """Write what names the place."""
        (self.place / "server.toml").write_text(
            f'[server]\ndata = "{self.place}/data"\nlisten = "127.0.0.1:0"\n'
            f'vault_root = "{self.place}/other/root"\ndisk_margin_bytes = 0\n'
            f'[logs.{LOG}]\nanchor = "{self.place}/other/anchor"\n',
            "utf-8",
        )

    def policy(self) -> Policy:
        """Whom clients believe: the log alone."""
        return parse_policy(f"log {self.vkey}\nquorum none\n".encode())

    def words(self, *command: str) -> list[str]:
        """A command on this place."""
        return ["server", *command, "--config", str(self.place / "server.toml")]

    def serve(
        self, *more: str, point: Point | None = None, listing: bool = False
    ) -> Traced:
        """Start the server here, with more words if there are."""
        words = [*self.words("serve"), *more]
        return Traced(words, place=self.place, point=point, listing=listing)


def new_case(place: Path) -> Case:
    """Make a log of events that was never served, and its vault."""
    (place / "other").mkdir(parents=True)
    case = Case(place, "", "")
    case.configure()
    words = ("--log", LOG, "--origin", ORIGIN, "--kind", "events")
    made = run_json(*case.words("init"), *words)
    return Case(place, made["vkey"], made["token"])


class Client:
    """Sends and reads events, and keeps what it is told; a failure is kept too."""

    def __init__(self, case: Case, server: Traced) -> None:
        """Wait until the server listens, or has ended."""
        self._case = case
        self._server = server
        self.url = server.listens()
        base = f"{self.url or ''}"
        self.log = LogAddress(
            ORIGIN, f"{base}/v1/logs/{LOG}", f"{base}/t/{LOG}", case.token
        )
        self.failures: list[str] = []

    def send(self, event: Event) -> None:
        """Send one event; one that was acked must be there already."""
        self._case.tried[event.event_id] = event

        def submit() -> None:
            got = drive(
                submit_event(
                    self.log, event, policy=self._case.policy(), retry=NO_RETRY
                )
            )
            assert isinstance(got, Emitted)  # nothing is erased here
            self._keep(got.kept)

        self._try(submit)

    def send_all(self, events: Sequence[Event]) -> None:
        """Send a batch."""
        self._case.tried |= {event.event_id: event for event in events}

        def submit() -> None:
            got = drive(
                submit_events(
                    self.log, events, policy=self._case.policy(), retry=NO_RETRY
                )
            )
            for kept in got.kept.values():
                self._keep(kept)
            self._case.wrong += [f"refused: {why}" for why in got.refusals.values()]

        self._try(submit)

    def read(self, event: Event) -> None:
        """Read an event whole; it must say what was sent, and nothing may be gone."""

        def ask() -> None:
            shown = drive(
                get_event(
                    self.log, event.event_id, policy=self._case.policy(),
                    retry=NO_RETRY,
                )
            ).read  # fmt: skip
            said = shown.event
            ids = [said["actor"]["id"], *(one["id"] for one in said["targets"])]
            sent = [event.actor.id, *(target.id for target in event.targets)]
            if shown.erased or ids != sent or said["reason"] != event.extra["reason"]:
                self._case.wrong.append(f"{event.event_id} cannot be read: {said}")

        self._try(ask)

    def _keep(self, kept: Kept) -> None:
        acked = self._case.acked
        place = kept.index, kept.leaf
        if kept.event_id in acked and not kept.is_repeat:
            self._case.wrong.append(f"{kept.event_id} was acked, and was not there")
        if acked.setdefault(kept.event_id, place) != place:
            self._case.wrong.append(f"{kept.event_id} is somewhere else now")

    def _try(self, step: Callable[[], None]) -> None:
        """Do a step while the server runs; what it refuses or loses is no finding."""
        if self.url is None or not self._server.is_alive:
            return
        try:
            step()
        except (UnreachableError, RefusedError) as error:
            self.failures.append(str(error))
        except KernelError as error:
            self._case.wrong.append(f"an answer does not verify: {error}")


def first_run(client: Client) -> None:
    """Send events in every way there is."""
    client.send(event_of(1))
    client.send_all([event_of(number) for number in range(2, 6)])
    client.send(event_of(1))
    client.read(event_of(3))
    client.send(event_of(6))


def list_calls(case: Case) -> list[Call]:
    """Do a run in which nothing is hit; give its calls."""
    with case.serve(listing=True) as server:
        client = Client(case, server)
        first_run(client)
        assert server.stop() == 0, server.said()
        assert (client.failures, case.wrong) == ([], [])
        return server.calls()


def hit(case: Case, point: Point) -> bool:
    """Do a run in which a point is hit; give whether it was reached."""
    with case.serve(point=point) as server:
        try:
            first_run(Client(case, server))
            server.stop()
        except subprocess.TimeoutExpired:
            case.wrong.append("it hangs")
            return True
        case.wrong += judge_end(server)
        return server.was_hit()


def recover(case: Case) -> list[str]:
    """Start again untouched; give all that is wrong, before or after."""
    with case.serve() as server:
        client = Client(case, server)
        if client.url is None:
            return [*case.wrong, f"it does not start again: {server.said()}"]
        for event in list(case.tried.values()):
            client.send(event)
        client.send(event_of(99))
        for event in case.tried.values():
            client.read(event)
        if client.failures:
            case.wrong.append(f"refused after a start: {client.failures}")
        if server.stop() != 0:
            case.wrong.append(f"it does not stop well: {server.said()}")
    if set(case.acked) != set(case.tried):
        case.wrong.append("not all that was tried is in the log now")
    fsck = run(*case.words("fsck"), check=False)
    if fsck.returncode:
        case.wrong.append(f"fsck: {fsck.stdout}")
    deep = run(*case.words("vault", "status"), "--deep", "--json", check=False)
    if deep.returncode or json.loads(deep.stdout)["problems"]:
        case.wrong.append(f"the vault: {deep.stdout} {deep.stderr}")
    return case.wrong
