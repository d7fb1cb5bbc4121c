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
from tallystick_client.cli.tally import Tally
from tallystick_client.demo.place import LOG_NAME, ORIGIN, WITNESSES, Place, Ports
from tallystick_client.results import Audited, Upgrade

_MEANING = (
    "What this means: the log signed a head over all records, and two witnesses "
    "cosigned that head, one of them with a post-quantum key. (Here they run beside "
    "the log; in real life other people run them.) Each receipt now proves, offline "
    "and to anyone, that its record is in the log. Whoever changes or removes a record "
    "later, the operator included, contradicts what the witnesses signed."
)


class Told(Protocol):
    """The steps of the story that the screen shows."""

    place: Place
    ports: Ports

    def append(self, meter: Meter) -> Tally:
        """Log the records."""
        ...

    def upgrade(self) -> Upgrade:
        """Wait for the witnesses."""
        ...

    def verify(self) -> int:
        """Check all receipts; give their number."""
        ...

    def audit(self, progress: Progress) -> Audited:
        """Hash the log again."""
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
            f"logged {tally.logged} CloudTrail records of an intrusion: {tally.added} "
            f"new, {tally.repeated} already logged"
        )
        with self._waiting("waiting for both witnesses to cosign"):
            upgrade = story.upgrade()
        self.step(
            f"both witnesses cosigned the head of size {upgrade.head.size}: every "
            "promised receipt is now a witnessed one"
        )
        verified = story.verify()
        self.step(f"checked all {verified} receipts offline: 2 of 2 witnesses, good")
        with self._shell.meter("audited") as meter:
            audited = story.audit(meter.show)
        self.step(
            f"audited the log: {audited.head.size} entries, {audited.checked} hashed "
            f"now, root {audited.head.root.hex()[:16]}…"
        )
        self._conclude(story, tally, verified, audited)

    def _conclude(
        self, story: Told, tally: Tally, verified: int, audited: Audited
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
            self._show("The log", [f"{server}/t/{LOG_NAME}/checkpoint"])
            self._show("The witnesses", witnesses)
        commands = commands_to_try(place, ports, stays=self._stays)
        for title, command in commands:
            self._show(title, [command], style="cyan")
        if self._stays:
            self._console.print("\nAll of it runs until you press Ctrl-C.")
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
                "size": audited.head.size,
                "root": audited.head.root.hex(),
                "cosigners": list(audited.head.cosigners),
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
    offline = [
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
