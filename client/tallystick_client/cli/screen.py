"""How the demo looks: steps as they happen, what they meant, and what to try next."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from rich.console import Console
from rich.markup import escape

from tallystick_client.auditing import Progress
from tallystick_client.cli.console import Meter, Shell
from tallystick_client.cli.emittally import EmitTally
from tallystick_client.cli.evidence import shown_of, tell
from tallystick_client.cli.tally import Tally
from tallystick_client.demo.place import (
    EVENTS_NAME,
    EVENTS_ORIGIN,
    LOG_NAME,
    ORIGIN,
    WITNESSES,
    Place,
    Ports,
)
from tallystick_client.results import Audited, Upgrade
from tallystick_merkle.evidence import Evidence, Found

_MEANING = (
    "What this means: each log signed a head over all of its records, and two "
    "witnesses cosigned that head, one of them with a post-quantum key. (Here they run "
    "beside the logs; in real life other people run them.) Each receipt now proves, "
    "offline and to anyone, that its record is in the log. Whoever changes or removes "
    "a record later, the operator included, contradicts what the witnesses signed. "
    "The log of raw entries keeps bytes for everybody to read. The log of events "
    "publishes 80 bytes a record that say nothing about anybody: what is in them is "
    "encrypted for each person, and any field can be proven alone, like those "
    "above."
)


class Told(Protocol):
    """The steps of the story that the screen shows."""

    place: Place
    ports: Ports

    def append(self, meter: Meter) -> Tally:
        """Log the records."""
        ...

    def emit(self, shell: Shell) -> EmitTally:
        """Emit the same records as events."""
        ...

    def upgrade(self) -> tuple[Upgrade, Upgrade]:
        """Wait for the witnesses of both logs."""
        ...

    def verify(self) -> int:
        """Check all receipts; give their number."""
        ...

    def disclose(self) -> tuple[Evidence, Found]:
        """Prove some fields of one event, checked."""
        ...

    def audit(self, progress: Progress) -> tuple[Audited, Audited]:
        """Hash both logs again."""
        ...


class Screen:
    """Shows the demo on a terminal, plainly where there is none, or as JSON."""

    def __init__(self, shell: Shell, *, stays: bool) -> None:
        """Show nothing on the way for `--json` and `--quiet`."""
        self._shell = shell
        self._stays = stays
        is_silent = shell.is_json or shell.is_quiet
        self._console = Console(quiet=is_silent, highlight=False, soft_wrap=True)

    def begin(self, place: Place, *, is_new: bool) -> None:
        """Say what begins."""
        self._console.print(f"[bold]Tallystick demo[/] in {escape(str(place.path))}\n")
        if not is_new:
            self.step("going on with the log that is there (--reset starts over)")

    def step(self, text: str) -> None:
        """Say that a step is done."""
        self._console.print(f"  [green]ok[/]  {escape(text)}")

    def stopping(self) -> None:
        """Say that all ends."""
        self._console.print("\nstopping the server and the witnesses")

    def tell(self, story: Told) -> None:
        """Show the work as it is done, and then what it was."""
        with self._shell.meter("logged") as meter:
            tally = story.append(meter)
        self.step(
            f"logged {tally.logged} CloudTrail records of an intrusion as they are: "
            f"{tally.added} new, {tally.repeated} already logged"
        )
        emitted = story.emit(self._shell)
        self.step(
            f"emitted the same {emitted.logged} as events, each leaf checked: "
            f"{emitted.added} new, {emitted.repeated} already there"
        )
        with self._waiting("waiting for both witnesses to cosign"):
            raw, events = story.upgrade()
        self.step(
            f"both witnesses cosigned heads of size {raw.head.size} and "
            f"{events.head.size}: every promised receipt is now a witnessed one"
        )
        verified = story.verify()
        self.step(f"checked all {verified} receipts offline: 2 of 2 witnesses, good")
        evidence, found = story.disclose()
        self.step(
            f"disclosed event {found.index} in part, and checked it offline: "
            f"{found.verdict.status.value}"
        )
        for line in tell(found, evidence):
            self._console.print(f"        {line}", markup=False)
        with self._shell.meter("audited") as meter:
            audits = story.audit(meter.show)
        for audited in audits:
            origin = audited.head.judged.opened.checkpoint.origin
            self.step(
                f"audited {origin}: {audited.head.size} entries, {audited.checked} "
                f"hashed now, root {audited.head.root.hex()[:16]}…"
            )
        self._conclude(story, tally, emitted, verified, found, audits)

    def _conclude(
        self,
        story: Told,
        tally: Tally,
        emitted: EmitTally,
        verified: int,
        found: Found,
        audits: tuple[Audited, Audited],
    ) -> None:
        """Say what it meant, where things are, and what to try."""
        place, ports = story.place, story.ports
        server = ports.url(ports.server)
        witnesses = [
            ports.url(ports.witness(number)) for number in range(1, len(WITNESSES) + 1)
        ]
        self._console.print()
        self._console.print(_MEANING, soft_wrap=False, width=min(80, self._width()))
        if self._stays:
            names = (LOG_NAME, EVENTS_NAME)
            self._show("The logs", [f"{server}/t/{name}/checkpoint" for name in names])
            self._show("The witnesses", witnesses)
        commands = commands_to_try(place, ports, stays=self._stays)
        for title, command in commands:
            self._show(title, [command], style="cyan")
        if self._stays:
            self._console.print("\nAll of it runs until you press Ctrl-C.")
        raw, events = audits
        self._shell.result(
            {
                "directory": str(place.path),
                "origin": ORIGIN,
                "server": server,
                "witnesses": witnesses,
                "policy": str(place.policy),
                "added": tally.added,
                "repeated": tally.repeated,
                "verified": verified,
                "size": raw.head.size,
                "root": raw.head.root.hex(),
                "cosigners": list(raw.head.cosigners),
                "events": {
                    "origin": EVENTS_ORIGIN,
                    "policy": str(place.events_policy),
                    "added": emitted.added,
                    "repeated": emitted.repeated,
                    "size": events.head.size,
                    "root": events.head.root.hex(),
                    "evidence": str(place.evidence),
                    "verdict": found.verdict.status.value,
                    "shown": shown_of(found),
                },
            }
        )

    def _show(self, title: str, lines: list[str], style: str = "") -> None:
        self._console.print(f"\n[bold]{escape(title)}[/]")
        for line in lines:
            self._console.print(f"  {line}", style=style, markup=False)

    def _width(self) -> int:
        return self._console.width

    @contextmanager
    def _waiting(self, text: str) -> Iterator[None]:
        """Show that something is waited for, on a terminal."""
        if not self._console.is_terminal or self._console.quiet:
            yield
            return
        with self._console.status(text):
            yield


Hint = tuple[str, str]
"""A title and a command that can be copied."""


def commands_to_try(place: Place, ports: Ports, *, stays: bool) -> list[Hint]:
    """Give commands to try, each with a title that says what it shows."""
    me = shlex.quote(_program())
    policy = shlex.quote(str(place.policy))
    receipt = shlex.quote(str(place.example))
    sample = shlex.quote(str(place.sample))
    config = shlex.quote(str(place.client_config))
    verify = f"{me} verify {receipt}"
    evidence = shlex.quote(str(place.evidence))
    whom = f"--policy {shlex.quote(str(place.events_policy))}"
    forge = f"sed 's/s3.get-object/s3.put-object/' {evidence} > forged.evidence"
    events = shlex.quote(str(place.events_config))
    offline = [
        (
            "Check the fields of the event, offline",
            f"{me} verify {evidence} {whom} --verbose",
        ),
        (
            "Change one of them, and the check fails",
            f"{forge}; {me} verify forged.evidence {whom}",
        ),
        (
            "Check the receipt of the first record, offline",
            f"{verify} {sample} --line 1 --policy {policy} --verbose",
        ),
        (
            "Change one word of that record, and the check fails",
            f"sed 's/pedro/mallory/' {sample} | {verify} - --line 1 --policy {policy}",
        ),
        ("See whom the policy believes", f"{me} policy check {policy}"),
    ]
    online = [
        (
            "Look at the events, which only their readers can",
            f"{me} event list --limit 5 --config {events}",
        ),
        (
            "Log something of your own, and wait for the witnesses",
            f"echo 'hello' | {me} append - --wait witnessed --config {config}",
        ),
        ("Hash the whole log again", f"{me} audit --from-start --config {config}"),
        (
            "Look at the newest head with all its signatures",
            f"curl {ports.url(ports.server)}/t/{LOG_NAME}/checkpoint",
        ),
    ]
    return offline + online if stays else offline


def _program() -> str:
    """Name the command as it was called, if it was called by its name."""
    called = Path(sys.argv[0])
    return sys.argv[0] if called.name == "tallystick" else "tallystick"
