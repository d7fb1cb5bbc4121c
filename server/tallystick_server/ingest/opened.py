"""Open stored records: what readers see, what repeats are compared with (D14).

A group whose key is gone stays closed; what it says is left out, and everything else
can still be shown and proven.  A group whose key is there and that does not open is
damaged: that is told to the log, which signs no more on top of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tallystick_merkle.errors import KernelError
from tallystick_merkle.event import Event, Producer, Ref
from tallystick_merkle.eventjson import parse_event
from tallystick_merkle.layout import assemble
from tallystick_merkle.leaf import EventLeaf, format_leaf
from tallystick_merkle.sealing import (
    OpenedGroup,
    Record,
    open_group,
    parse_record,
    record_commitment,
)
from tallystick_merkle.tags import index_digest
from tallystick_server.errors import IntegrityError
from tallystick_server.ingest.keys import VaultFindsKeys
from tallystick_server.log.log import Log

CHUNK = 256
"""Records that are opened in one go, off the loop."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A record of the log in the clear, as far as its keys are there.

    `groups` holds None for a group whose key is gone.
    """

    index: int
    record: Record
    index_entry: bytes = field(repr=False)
    groups: tuple[OpenedGroup | None, ...] = field(repr=False)

    @property
    def received_ms(self) -> int:
        """When the log committed it, POSIX milliseconds."""
        return self.record.time_ms

    @property
    def leaf(self) -> bytes:
        """The 80 bytes of its leaf."""
        digest = index_digest(self.index_entry)
        return format_leaf(
            EventLeaf(self.record.time_ms, record_commitment(self.record), digest)
        )

    @property
    def erased(self) -> list[int]:
        """The numbers of the groups that cannot be read any more."""
        return [number for number, group in enumerate(self.groups) if group is None]

    @property
    def body(self) -> dict[str, Any]:
        """The JSON shape of what can be read of it."""
        return assemble([None if one is None else one.fields for one in self.groups])

    @property
    def event(self) -> Event | None:
        """The event; None when anything of it is gone."""
        return None if self.erased else parse_event(self.body)

    @property
    def outline(self) -> Event | None:
        """The event, or what followers of the log need of it: the facts in group 0.

        None when these are gone too.
        """
        facts = self.groups[0]
        if facts is None or not self.erased:
            return self.event
        fields = facts.fields
        return Event(
            event_id=fields["event_id"],
            action=fields["action"],
            actor=Ref("", ""),
            targets=(),
            occurred_ms=fields["occurred_at"],
            outcome=fields["outcome"][0],
            code=fields["outcome"][1],
            producer=Producer(*fields["producer"]),
        )

    @property
    def shown(self) -> list[OpenedGroup | bytes]:
        """The groups as a disclosure is made of them: in the clear, or their digest."""
        pairs = zip(self.groups, self.record.groups, strict=True)
        return [sealed.digest if one is None else one for one, sealed in pairs]


class Records:
    """Opens the records of one log."""

    def __init__(self, log: Log, vault: VaultFindsKeys, executor: Executor) -> None:
        """Take the log, the vault with the keys, and what runs the opening."""
        self._log = log
        self._vault = vault
        self._executor = executor

    async def find(self, event_id: bytes) -> Opened | None:
        """Open the record of an event by its 16-byte id; None when there is none."""
        used = self._log.reader.find_event(event_id)
        if used is None or used.index >= self._log.head.size:
            return None
        found = await self.read(used.index, used.index + 1)
        if not found or found[0].record.event_id != event_id:
            self._log.saw_doubt(f"entry {used.index} is not the event of its id")
            raise IntegrityError(f"entry {used.index} is not the event of its id")
        return found[0]

    async def read(self, start: int, stop: int) -> list[Opened]:
        """Open the records of entries [start, stop); other entries have none."""
        loop = asyncio.get_running_loop()
        opened: list[Opened] = []
        for at in range(start, stop, CHUNK):
            end = min(at + CHUNK, stop)
            opened += await loop.run_in_executor(self._executor, self._open, at, end)
        return opened

    def _open(self, start: int, stop: int) -> list[Opened]:
        """Open a chunk. Runs in a thread of the executor."""
        try:
            return list(self._open_each(start, stop))
        except IntegrityError as error:
            self._log.saw_doubt(str(error))
            raise

    def _open_each(self, start: int, stop: int) -> Iterator[Opened]:
        rows = [
            (index, entry, parse_record(record))
            for index, entry, record in self._log.reader.records(start, stop)
        ]
        ciphers = self._ciphers([record for _, _, record in rows])
        for index, entry, record in rows:
            try:
                groups = tuple(
                    open_group(record, number, ciphers[group.kid])
                    if group.kid in ciphers
                    else None
                    for number, group in enumerate(record.groups)
                )
            except KernelError as error:
                raise IntegrityError(f"the record of entry {index}: {error}") from error
            yield Opened(index, record, entry, groups)

    def _ciphers(self, records: Sequence[Record]) -> dict[bytes, AESGCM]:
        """Make the ciphers of all groups whose keys are there."""
        kids = {group.kid for record in records for group in record.groups}
        keys = self._vault.by_kid(list(kids))
        return {kid: AESGCM(key.dek) for kid, key in keys.items()}
