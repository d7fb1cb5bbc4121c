"""Evidence against this log: two heads under its key that cannot both be true.

A witness that shows a head under our key which we do not hold has proven that the log
was set back or forked.  Signing stops at once; both notes are kept, because the next
thing anybody needs is to show them.  One JSON file for each strange head:

    {"reason": "…", "ours": "<signed note>", "theirs": "<signed note>"}
"""

from __future__ import annotations

import json
import os
from hashlib import sha256
from pathlib import Path
from typing import Protocol

from tallystick_server.errors import StoreError
from tallystick_server.log.keyring import sync_directory


class Evidence(Protocol):
    """Keeps pairs of contradicting heads."""

    def keep(self, *, reason: str, ours: bytes, theirs: bytes) -> str:
        """Keep both notes, durable when this returns; say where. Raises StoreError.

        The same strange head is kept once, however often it is seen.
        """
        ...


class MemoryEvidence:
    """Evidence in a list: the memory twin."""

    def __init__(self) -> None:
        """Start with nothing."""
        self.kept: list[tuple[str, bytes, bytes]] = []

    def keep(self, *, reason: str, ours: bytes, theirs: bytes) -> str:
        """Keep both notes in memory."""
        if all(_name(theirs) != _name(known) for _, _, known in self.kept):
            self.kept.append((reason, ours, theirs))
        return _name(theirs)


class FileEvidence:
    """Evidence in files of one directory, made when the first one is kept."""

    def __init__(self, directory: Path) -> None:
        """Keep files in `directory`; its parent must exist."""
        self._directory = directory

    def keep(self, *, reason: str, ours: bytes, theirs: bytes) -> str:
        """Write one file: whole, or not at all."""
        path = self._directory / _name(theirs)
        text = {
            "reason": reason,
            "ours": ours.decode("utf-8", "replace"),
            "theirs": theirs.decode("utf-8", "replace"),
        }
        try:
            if not path.exists():
                self._directory.mkdir(mode=0o700, exist_ok=True)
                _write(path, json.dumps(text, indent=1).encode())
        except OSError as error:
            raise StoreError(f"cannot keep evidence in {path}: {error}") from error
        return str(path)


def _name(theirs: bytes) -> str:
    """Name a head by its signed text, so that another cosignature makes no other."""
    text, _, _ = theirs.rpartition(b"\n\n")
    return f"head-{sha256(text).hexdigest()[:16]}.json"


def _write(path: Path, data: bytes) -> None:
    """Write a file durably: bytes, then the name, then the directory's own name."""
    fresh = path.with_suffix(".new")
    with fresh.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    sync_directory(path.parent)
    sync_directory(path.parent.parent)
