"""All bytes that a log of events lets out, or keeps, besides what its readers read.

on the disks     every file below the data directory: the store, the vault, dead
                 letters, what follows the events, tokens; and the lines of the log
over HTTP        checkpoint, tiles, bundles, receipts, proofs, what a log says of
                 itself, its schemas and producers, and whatever `said` is given
in the store     index entries and records one by one, to name what is found
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tallystick_merkle.exchange.base import Request, Response
from tallystick_merkle.tile import bundles_of, format_tile_path, tiles_of
from tallystick_server.log.paths import store_directory
from tallystick_server.storage.lmdb import open_store
from tests.system.drive import fetch
from tests.system.one_log import API, READ, OneLog
from tests.system.stack import LOG

Place = tuple[str, bytes]
"""The name of a place, and the bytes in it."""

_OF_LOG = ("", "/schemas", "/producers", "/dead-letters")
_OF_SERVER = ("/", "/healthz", "/readyz")


def served(log: OneLog) -> Iterator[Place]:
    """Fetch what a running server gives to those who may read no event."""
    note = _get(log, f"{READ}/checkpoint")
    yield "checkpoint", note
    size = int(note.split(b"\n")[1])
    for tile in [*tiles_of(size), *bundles_of(0, size, size)]:
        path = format_tile_path(tile)
        yield path, _get(log, f"{READ}/{path}")
    for index in range(size):
        yield f"receipt {index}", _get(log, f"{API}/receipts/{index}")
    for path in (*(API + tail for tail in _OF_LOG), *_OF_SERVER):
        yield path, _get(log, path)


def stored(folder: Path) -> Iterator[Place]:
    """Read every file below a folder."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield str(path.relative_to(folder)), path.read_bytes()


def kept_beside(data: Path) -> Iterator[Place]:
    """Read the index entry and the record of every event, of a log that is stopped."""
    store = open_store(store_directory(data, LOG), read_only=True)
    try:
        size = store.load().head.size
        for at, entry in enumerate(store.read_entries(0, size)):
            yield f"entry {at}", entry
        for side in store.read_records(0, size):
            yield f"index entry {side.index}", side.index_entry
            yield f"record {side.index}", side.record
    finally:
        store.close()


def _get(log: OneLog, path: str) -> bytes:
    headers = {"Authorization": f"Bearer {log.token}"}
    reply = fetch(Request("GET", f"{log.url}{path}", headers=headers, timeout_s=60))
    assert isinstance(reply, Response), reply
    assert reply.status == 200, (path, reply)
    return reply.body
