"""What an emission has achieved, counted as it goes."""

from __future__ import annotations

from dataclasses import dataclass, field

from tallystick_client.cli.console import Shell
from tallystick_client.cli.drafts import Drafted, Drafts
from tallystick_client.results import SubmittedEvents, Unproven
from tallystick_merkle.exchange.events import EventRefusal
from tallystick_merkle.policy import Policy
from tallystick_merkle.receipt import Status

MOST_TOLD = 20
"""Most refusals that are told one by one; `--json` has all."""


@dataclass(slots=True)
class EmitTally:
    """Events in the log and records that are none, of one run."""

    drafts: Drafts
    added: int = 0
    repeated: int = 0
    promised: int = 0
    first: int | None = None
    last: int | None = None
    refused: list[tuple[Drafted, EventRefusal]] = field(default_factory=list)
    unproven: list[tuple[Drafted, Unproven]] = field(default_factory=list)
    warnings: set[str] = field(default_factory=set)

    @property
    def logged(self) -> int:
        """Events that are in the log now, each checked to be the one that was sent."""
        return self.added + self.repeated

    def take(self, drafted: list[Drafted], done: SubmittedEvents) -> None:
        """Count the events of a batch."""
        for position, kept in done.kept.items():
            self.repeated += kept.is_repeat
            self.added += not kept.is_repeat
            self.promised += done.statuses[position] is Status.PROMISED
            index = kept.index
            self.first = index if self.first is None else min(self.first, index)
            self.last = index if self.last is None else max(self.last, index)
            self.warnings.update(kept.warnings)
        for position, refusal in done.refusals.items():
            self.refused.append((drafted[position], refusal))
        for position, claimed in done.unproven.items():
            self.unproven.append((drafted[position], claimed))

    def refuse(self, drafted: Drafted) -> None:
        """Count a record that could not become an event."""
        refusal = EventRefusal(0, "unmapped", drafted.why)
        self.refused.append((drafted, refusal))

    def document(self, origin: str) -> dict[str, object]:
        """Give all of it, for programs."""
        return {
            "origin": origin,
            "read": self.drafts.read,
            "skipped": self.drafts.skipped,
            "duplicates": self.drafts.duplicates,
            "added": self.added,
            "repeated": self.repeated,
            "promised": self.promised,
            "witnessed": self.logged - self.promised,
            "first_index": self.first,
            "last_index": self.last,
            "warnings": sorted(self.warnings),
            "unproven": [
                {
                    **_place(drafted),
                    "event_id": claimed.event_id,
                    "index": claimed.index,
                }
                for drafted, claimed in self.unproven
            ],
            "refused": [describe(*one) for one in self.refused],
        }

    def complain(self, shell: Shell) -> None:
        """Tell what was refused, and of what the log warned."""
        for drafted, refusal in self.refused[:MOST_TOLD]:
            place = f"{drafted.file}, record {drafted.number} (line {drafted.line})"
            shell.complain(f"{place} was refused: {refusal}")
        if len(self.refused) > MOST_TOLD:
            more = len(self.refused) - MOST_TOLD
            shell.complain(f"and {more} more were refused: --json lists all")
        for drafted, claimed in self.unproven[:MOST_TOLD]:
            place = f"{drafted.file}, record {drafted.number} (line {drafted.line})"
            shell.complain(
                f"{place} is unproven: the log says that it is entry {claimed.index} "
                "and was erased since; no receipt checked for it is kept here"
            )
        if len(self.unproven) > MOST_TOLD:
            more = len(self.unproven) - MOST_TOLD
            shell.complain(f"and {more} more are unproven: --json lists all")
        for warning in sorted(self.warnings):
            shell.note(f"warning of the log: {warning}")

    def summary(self, policy: Policy) -> str:
        """Say in one line what was read and what is in the log."""
        drafts = self.drafts
        parts = [f"{drafts.read} record{'' if drafts.read == 1 else 's'} read"]
        if drafts.skipped:
            parts.append(f"{drafts.skipped} skipped by the mapping")
        if drafts.duplicates:
            parts.append(f"{drafts.duplicates} twice in the files")
        if self.refused:
            parts.append(f"{len(self.refused)} refused")
        if self.unproven:
            parts.append(
                f"{len(self.unproven)} unproven: the log says it erased "
                + ("it" if len(self.unproven) == 1 else "them")
            )
        text = ", ".join(parts)
        if not self.logged:
            return f"{text}; nothing was logged"
        text += f"; {self.added} new in the log"
        if self.repeated:
            text += f", {self.repeated} already there"
        span = f"entries {self.first} to {self.last}"
        if self.first == self.last:
            span = f"entry {self.first}"
        text += f" ({span}), all checked"
        if not self.promised:
            return f"{text}; all witnessed"
        if not policy.asks_for_witnesses:
            return f"{text}; {self.promised} promised: the policy asks no witness"
        return (
            f"{text}; {self.promised} promised, not yet witnessed "
            "(later: tallystick receipts upgrade)"
        )


def describe(drafted: Drafted, refusal: EventRefusal) -> dict[str, object]:
    """Give one refusal, for programs."""
    return {
        **_place(drafted),
        "event_id": None if drafted.event is None else drafted.event.event_id,
        "status": refusal.status or None,
        "code": refusal.code,
        "detail": refusal.detail,
        "errors": [{"pointer": place, "detail": why} for place, why in refusal.errors],
    }


def _place(drafted: Drafted) -> dict[str, object]:
    """Say where a record stands."""
    return {"file": drafted.file, "record": drafted.number, "line": drafted.line}
