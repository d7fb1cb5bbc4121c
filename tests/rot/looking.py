"""Serve a log as the server does, and look at everything that it serves and signs.

The real wiring opens the log, the real application answers over a Unix socket.  What a
sound log answers is the measure: a damaged one may answer the same, or refuse with a
clean problem document, and nothing else.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from tallystick_merkle.checkpoint import Checkpoint
from tallystick_merkle.cosignature import open_log_checkpoint
from tallystick_merkle.errors import KernelError
from tallystick_merkle.frontier import Edge, grow
from tallystick_merkle.hashing import leaf_hashes
from tallystick_merkle.receipt import parse_receipt
from tallystick_merkle.tile import (
    TILE_WIDTH,
    Tile,
    bundles_of,
    format_bundle,
    format_tile_path,
    tiles_of,
)
from tallystick_server.clock import SetClock
from tallystick_server.config.load import load
from tallystick_server.errors import ServerError, StartError
from tallystick_server.log.publisher import Publisher
from tallystick_server.ops.peers import Peers
from tallystick_server.storage.lmdb import open_store
from tallystick_server.web.app import make_app, make_runner
from tallystick_server.web.compressed import BundleCache
from tallystick_server.web.services import Limits, make_services
from tallystick_server.wiring.running import Permissions, RunningLog, World, start_log
from tests.fakes.web import Reply, read_reply, request
from tests.rot.place import NAME, NOW_MS, ORIGIN, Place

API = f"/v1/logs/{NAME}"
LATER_MS = 3_600_000


@dataclass
class Seen:
    """What a look at a served log has found.

    `refused` says why it did not start.  `answers` are those to reads and repeats, by
    path.  `refusals` counts clean problem documents of the 5xx class; `doubted` says
    that one of them was for wrong data.  `unclean` are answers that are neither;
    `wrong_signed` heads with a root that they must not have; `again` repeats that were
    appended anew; `signed_in_doubt` appends that were answered after wrong data were
    found.  `ended` is why the process would have ended.
    """

    refused: str = ""
    answers: dict[str, bytes] = field(default_factory=dict)
    refusals: int = 0
    doubted: bool = False
    unclean: list[str] = field(default_factory=list)
    wrong_signed: list[str] = field(default_factory=list)
    again: list[str] = field(default_factory=list)
    signed_in_doubt: int = 0
    appended: int = 0
    ended: str = ""

    def wrong(self, sound: Mapping[str, bytes]) -> list[str]:
        """Name the answers that are not those of the sound log."""
        return [path for path, body in self.answers.items() if sound[path] != body]


Prepare = Callable[[RunningLog], None]


def look_at(
    place: Place,
    *,
    late: Callable[[], None] | None = None,
    prepare: Prepare = lambda _: None,
    asked: tuple[int, ...] = (),
    read_only: bool = False,
) -> Seen:
    """Start a log, read all of it, repeat requests, append, publish, and look.

    `late` is called once everything has been read, and then it is read again.
    `prepare` may change the log before that.  `asked` are entries to ask about besides.
    A `read_only` log is read, and nothing else.
    """
    looking = _Looking(place, asked, read_only)
    try:
        asyncio.run(looking.run(late, prepare))
    except (StartError, ServerError) as error:
        looking.seen.refused = f"{type(error).__name__}: {error}"
    looking.check_stored()
    return looking.seen


class _Looking:
    def __init__(self, place: Place, asked: tuple[int, ...], read_only: bool) -> None:
        self.place = place
        self.asked = asked
        self.read_only = read_only
        self.seen = Seen()
        self.edge: Edge = place.edge
        self.roots = {place.edge.size: place.edge.root()}
        self.reader: asyncio.StreamReader | None = None
        self.writer: asyncio.StreamWriter | None = None

    async def run(self, late: Callable[[], None] | None, prepare: Prepare) -> None:
        peers = Peers()
        clock = SetClock(wall_ms=NOW_MS + LATER_MS)
        # Its published head is cosigned, and nobody is asked: that has to be said.
        unproven = Permissions(unproven=frozenset({NAME}))
        world = World(clock, peers, unproven, self._fail)
        loaded = load(
            flags={
                "server": {
                    "data": str(self.place.data),
                    "disk_margin_bytes": 0,
                    "read_only": self.read_only,
                },
                "logs": {NAME: {"policy": str(self.place.policy)}},
            },
            environment={},
        )
        try:
            running = await start_log(NAME, loaded, world)
        finally:
            await peers.close()
        prepare(running)
        services = make_services(
            [running.hosted], clock=clock, limits=Limits(), bundles=BundleCache()
        )
        runner = make_runner(make_app(services), shutdown_s=0.1)
        await runner.setup()
        socket = self.place.data / "socket"
        try:
            await web.UnixSite(runner, str(socket)).start()
            await self._look(running, socket, late)
        finally:
            await self._hang_up()
            await runner.cleanup()
            await running.close()

    def _fail(self, name: str, error: BaseException) -> None:
        self.seen.ended = f"{name}: {error}"

    async def _look(
        self, running: RunningLog, socket: Path, late: Callable[[], None] | None
    ) -> None:
        if late is not None:
            for path in self._paths():
                await self._get(socket, path)
            late()
        for path in self._paths():
            await self._get(socket, path)
        if self.read_only:
            return
        for key, entries in self._repeats():
            await self._post(socket, key, entries, is_repeat=True)
        doubted = self.seen.doubted or running.log.doubt is not None
        for number, entries in enumerate(((b"one more",), (b"a", b"b", b"c"))):
            appended = await self._post(
                socket, f"new-{number}", entries, is_repeat=False
            )
            self.seen.signed_in_doubt += doubted and appended
        if self.seen.ended:
            return  # the process would not be there any more
        publisher = running.hosted.standing.publisher
        assert isinstance(publisher, Publisher)
        try:
            await publisher.publish_once()
        except ServerError as error:
            self.seen.ended = f"publisher: {error}"
        path = f"/t/{NAME}/checkpoint"
        reply = self._good(path, await self._send(socket, request("GET", path, {})))
        if reply is not None:
            self._check_note("published", reply.body)

    def _paths(self) -> Iterator[str]:
        """Name everything there is to read: all tiles and bundles, some of the rest."""
        size, sizes = self.place.edge.size, self.place.sizes
        yield f"/t/{NAME}/checkpoint"
        yield API
        for tile in (*tiles_of(size), *bundles_of(0, size, size)):
            yield f"/t/{NAME}/{format_tile_path(tile)}"
        last = size // TILE_WIDTH
        for tile in (Tile(0, last, 1), Tile(0, 3, 100), Tile(-1, 3, 100)):
            yield f"/t/{NAME}/{format_tile_path(tile)}"
        step = max(1, len(sizes) // 12)
        for old in sizes[::step]:
            yield f"{API}/proof/consistency?old={old}&new={size}"
            yield f"{API}/proof/consistency?old=1&new={old}"
        for index in (*range(0, size, size // 23), *self.asked, size - 1):
            yield f"{API}/receipts/{index}"
            yield f"{API}/proof/inclusion?index={index}&size={size}"
            yield f"{API}/proof/inclusion?index={index}&size={index + 1}"

    def _repeats(self) -> Iterator[tuple[str, tuple[bytes, ...]]]:
        requests = list(self.place.requests.items())
        first = 1
        for key, entries in requests:
            hit = any(first <= index < first + len(entries) for index in self.asked)
            if hit or key in dict(requests[:: len(requests) // 7]):
                yield key, entries
            first += len(entries)

    async def _get(self, socket: Path, path: str) -> None:
        reply = self._good(path, await self._send(socket, request("GET", path, {})))
        if reply is not None:
            self.seen.answers[path] = reply.body

    async def _post(
        self, socket: Path, key: str, entries: tuple[bytes, ...], *, is_repeat: bool
    ) -> bool:
        """Append; check what was signed. Gives whether it was answered as durable."""
        is_batch = len(entries) > 1
        body = format_bundle(list(entries)) if is_batch else entries[0]
        headers = {
            "Authorization": f"Bearer {self.place.token}",
            "Idempotency-Key": key,
            "Content-Length": str(len(body)),
        }
        path = f"{API}/entries{':batch' if is_batch else ''}"
        sent = request("POST", path, headers, body)
        reply = self._good(f"append {key}", await self._send(socket, sent))
        if reply is None:
            return False
        if is_repeat and reply.status == 200 and not self.seen.again:
            self.seen.answers[f"append {key}"] = reply.body
            return True
        if reply.status == 200:  # at a head that the sound log does not have
            return True
        if is_repeat:
            self.seen.again.append(key)
        growth = grow(self.edge, leaf_hashes(list(entries)))
        self.edge = growth.edge
        self.roots[self.edge.size] = growth.root
        self.seen.appended += 1
        answer = json.loads(reply.body)
        note = (
            answer["checkpoint"].encode()
            if is_batch
            else parse_receipt(answer["receipt"].encode()).checkpoint
        )
        self._check_note(f"append {key}", note)
        return True

    def _good(self, what: str, reply: Reply | None) -> Reply | None:
        """Give a good answer; count clean refusals, and keep what is neither."""
        if reply is None:
            self.seen.unclean.append(f"{what}: no answer")
            return None
        if reply.status in {200, 201}:
            return reply
        if reply.is_problem(500, "internal"):
            self.seen.doubted = True
            self.seen.refusals += 1
        elif reply.is_problem(503, "unavailable"):
            self.seen.refusals += 1
        else:
            self.seen.unclean.append(f"{what}: {reply.status} {reply.body[:200]!r}")
        return None

    def _check_note(self, what: str, note: bytes) -> None:
        """Hold a signed note against the tree that must be there."""
        key = self.place.known.key
        try:
            found = open_log_checkpoint(note, origin=ORIGIN, log_keys=[key]).checkpoint
        except KernelError as error:
            self.seen.wrong_signed.append(f"{what}: {error}")
            return
        if found.size in self.place.sizes and found.size != self.place.edge.size:
            return  # an older head, which is compared byte by byte
        root = self.roots.get(found.size)
        if root is None or found != Checkpoint(ORIGIN, found.size, root):
            self.seen.wrong_signed.append(f"{what}: size {found.size}")

    def check_stored(self) -> None:
        """Look at the heads that were stored; none may be wrong, or be unknown."""
        try:
            store = open_store(self.place.store, read_only=True)
        except ServerError:
            return  # it could not be opened, so nothing was stored
        try:
            for head in store.heads(over=self.place.edge.size):
                if self.roots.get(head.size) != head.root:
                    self.seen.wrong_signed.append(f"stored head of size {head.size}")
        except ServerError:
            return  # it cannot be read any more
        finally:
            store.close()

    async def _send(self, socket: Path, data: bytes) -> Reply | None:
        """Send over the kept connection, or a new one; None when it was cut."""
        if self.reader is None or self.writer is None:
            self.reader, self.writer = await asyncio.open_unix_connection(
                str(socket), limit=1 << 20
            )
        try:
            self.writer.write(data)
            await self.writer.drain()
            return await read_reply(self.reader)
        except (OSError, asyncio.IncompleteReadError):
            await self._hang_up()
            return None

    async def _hang_up(self) -> None:
        if self.writer is not None:
            self.writer.close()
        self.reader = self.writer = None
