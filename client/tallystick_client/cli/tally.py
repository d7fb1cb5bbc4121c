"""What an append has achieved, counted as it goes."""

from __future__ import annotations

from dataclasses import dataclass, field

from tallystick_client.cli.console import Shell
from tallystick_client.cli.network import Target
from tallystick_merkle.exchange.appending import Refusal
from tallystick_merkle.policy import Policy
from tallystick_merkle.receipt import Status


@dataclass(slots=True)
class Tally:
    """Entries in the log and entries refused, of one run."""

    added: int = 0
    repeated: int = 0
    promised: int = 0
    first: int | None = None
    last: int | None = None
    refused: list[tuple[int, Refusal]] = field(default_factory=list)
    places: dict[int, int] | None = None
    """Index of each line, for those who want to know them all."""

    @property
    def logged(self) -> int:
        """Entries that are in the log now."""
        return self.added + self.repeated

    def take(self, index: int, *, line: int, status: Status, is_repeat: bool) -> None:
        """Count one entry that is in the log."""
        if self.places is not None:
            self.places[line] = index
        if is_repeat:
            self.repeated += 1
        else:
            self.added += 1
        self.promised += status is Status.PROMISED
        self.first = index if self.first is None else min(self.first, index)
        self.last = index if self.last is None else max(self.last, index)

    def refuse(self, line: int, refusal: Refusal) -> None:
        """Count one entry that the log did not take."""
        self.refused.append((line, refusal))

    def show(self, shell: Shell, target: Target) -> None:
        """Say what was achieved."""
        for line, refusal in self.refused:
            shell.complain(f"line {line} was refused: {refusal.detail}")
        document = {
            "origin": target.log.origin,
            "added": self.added,
            "repeated": self.repeated,
            "promised": self.promised,
            "witnessed": self.logged - self.promised,
            "first_index": self.first,
            "last_index": self.last,
            "refused": [
                {
                    "line": line,
                    "status": refusal.status,
                    "code": refusal.code,
                    "detail": refusal.detail,
                }
                for line, refusal in self.refused
            ],
        }
        shell.result(document, self.summary(target.policy))

    def summary(self, policy: Policy) -> str:
        """Say in one line what is in the log."""
        if not self.logged:
            return "nothing was logged"
        parts = [f"{self.added} new"]
        if self.repeated:
            parts.append(f"{self.repeated} already logged")
        span = (
            f"entry {self.first}"
            if self.first == self.last
            else f"entries {self.first} to {self.last}"
        )
        text = f"{', '.join(parts)}: {span}"
        if self.promised and not policy.asks_for_witnesses:
            text += f"; {self.promised} promised: the policy asks no witness"
        elif self.promised:
            text += (
                f"; {self.promised} promised, not yet witnessed "
                "(later: tallystick receipts upgrade)"
            )
        else:
            text += "; all witnessed"
        return text
