"""Evidence before news: the one place where a log's misbehaviour is put on record.

Whatever a client does with a log runs inside `guarded`.  When two signed heads cannot
both be true, both are on the disk before the error is raised, and it names the files.
When served bytes do not belong to a signed head, the heads at stake are kept as well.
"""

from __future__ import annotations

import json
from pathlib import Path

from tallystick_client.errors import ForkError, ShrunkenLogError, StateError
from tallystick_client.transport import ClientExchange, T, on_disk
from tallystick_client.trust import Trust
from tallystick_merkle.checkpoint import parse_checkpoint
from tallystick_merkle.errors import InconsistentError, TreeMismatchError
from tallystick_merkle.exchange.base import Exchange, Retry
from tallystick_merkle.exchange.reading import TileReader
from tallystick_merkle.note import parse_note


class Reading(TileReader):
    """A tile reader that remembers the checkpoints at stake, as evidence."""

    def __init__(self, prefix: str, *, token: str = "", retry: Retry | None) -> None:
        """Begin with neither."""
        super().__init__(prefix, token=token, retry=retry)
        self.served: bytes | None = None
        self.believed: bytes | None = None

    def checkpoint(self) -> Exchange[bytes]:
        """Fetch the checkpoint and remember it."""
        self.served = yield from super().checkpoint()
        return self.served


def guarded(
    exchange: ClientExchange[T], trust: Trust, *, origin: str, reader: Reading
) -> ClientExchange[T]:
    """Run an exchange; put evidence on the disk before its error is told."""
    try:
        return (yield from exchange)
    except InconsistentError as error:
        files, where = yield from _save_evidence(
            trust,
            origin,
            "fork",
            {"first.checkpoint": error.first, "second.checkpoint": error.second},
            str(error),
        )
        raise ForkError(
            f"{error}{where}", first=error.first, second=error.second, files=files
        ) from error
    except TreeMismatchError as error:
        raise (yield from _describe(error, trust, origin, reader)) from error


def _describe(
    error: TreeMismatchError, trust: Trust, origin: str, reader: Reading
) -> ClientExchange[TreeMismatchError]:
    """Keep the heads that the served bytes do not belong to; say where they are."""
    served, believed = reader.served, reader.believed
    if served is None:
        return error
    notes = {"served.checkpoint": served}
    if believed is not None:
        notes["believed.checkpoint"] = believed
    kind, message = "mismatch", str(error)
    made: type[TreeMismatchError] = TreeMismatchError
    if believed is not None and size_of(served) < size_of(believed):
        kind, made = "shrunken", ShrunkenLogError
        message = (
            f"the log shrank from size {size_of(believed)} to {size_of(served)}: "
            f"{error}"
        )
    _, where = yield from _save_evidence(trust, origin, kind, notes, message)
    return made(f"{message}{where}", index=error.index)


def _save_evidence(
    trust: Trust, origin: str, kind: str, notes: dict[str, bytes], message: str
) -> ClientExchange[tuple[tuple[Path, ...], str]]:
    """Keep notes and a report; give the files and a phrase that names them."""
    report = {"origin": origin, "kind": kind, "message": message}
    files = notes | {"report.json": json.dumps(report).encode() + b"\n"}

    def save() -> tuple[tuple[Path, ...], str]:
        try:
            paths = trust.keep_evidence(kind, files)
        except StateError as error:  # the finding counts more than this
            return (), f"; the evidence could not be kept: {error}"
        kept = tuple(path for path in paths if path.name in notes)
        names = " and ".join(map(str, kept))
        return kept, f"; the evidence is in {names}" if kept else ""

    return (yield from on_disk(save))


def size_of(note: bytes) -> int:
    """Read the size of a checkpoint that was judged before."""
    return parse_checkpoint(parse_note(note).text).size
