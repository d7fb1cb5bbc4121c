"""The web application over a log in memory, behind a Unix socket, and a raw client."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from tallystick_merkle.policy import Policy
from tallystick_server.log.log import Identity, Log, LogLimits
from tallystick_server.log.reader import Reader
from tallystick_server.log.sequencer import QueueLimits, Sequencer
from tallystick_server.log.tokenfile import change_tokens
from tallystick_server.log.tokengate import TokenGate
from tallystick_server.log.tokens import SCOPE_APPEND, NewToken, make_token
from tallystick_server.log.writer import Writer
from tallystick_server.storage.base import LogStore, Published
from tallystick_server.web.app import make_app, make_runner
from tallystick_server.web.compressed import BundleCache
from tallystick_server.web.freshness import Freshness
from tallystick_server.web.services import Hosted, Limits, Standing, make_services
from tests.fakes.logs import NAME, ORIGIN, log_key, memory_log

MIB = 1024 * 1024
TYPES = "https://tallystick.dev/problems/"


def draw(count: int) -> bytes:
    """Bytes that look drawn, and are the same each time."""
    return sha256(b"tests").digest()[:count]


@dataclass(frozen=True)
class Reply:
    """One HTTP answer; header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:  # noqa: ANN401 -- whatever the answer holds
        """Read the body."""
        return json.loads(self.body)

    def is_problem(self, status: int, code: str) -> bool:
        """Whether this is a problem document of a kind."""
        kind = self.headers.get("content-type")
        if self.status != status or kind != "application/problem+json":
            return False
        body = self.json()
        return bool(
            body["type"] == TYPES + code
            and body["status"] == status
            and body["request_id"] == self.headers["x-request-id"]
        )


class WebBench:
    """One log named `events`, served on a Unix socket."""

    def __init__(
        self,
        folder: Path,
        *,
        policy: Policy | None = None,
        store: LogStore | None = None,
        limits: Limits | None = None,
        detects_rollback: bool = True,
        anchor_shares_disk: bool = False,
        takes_entries: bool = True,
        is_public: bool = False,
    ) -> None:
        self.inner = memory_log()
        self.free = 1024 * MIB
        self.store = store or self.inner.store
        self.socket = folder / "socket"
        self.token_path = folder / "tokens.json"
        self.token = self.add_token("service")
        self.log = Log(
            Identity(NAME, ORIGIN, "raw", log_key().verifier),
            reader=Reader(self.store, self.inner.state.head),
            head=self.inner.state.head,
            published=None,
            policy=policy,
            clock=self.inner.clock,
            limits=LogLimits(),
            free_bytes=lambda: self.free,
        )
        self.writer = Writer(
            store=self.store,
            signer=self.inner.signer,
            state=self.inner.state,
            clock=self.inner.clock,
            anchor=None,
        )
        self.takes_entries = takes_entries
        self.hosted = Hosted(
            self.log,
            TokenGate(NAME, self.token_path, self.inner.clock),
            Freshness(),
            Standing(),
            detects_rollback=detects_rollback,
            anchor_shares_disk=anchor_shares_disk,
            stale_after_ms=5_000,
            is_public=is_public,
        )
        self.services = make_services(
            [self.hosted],
            clock=self.inner.clock,
            limits=limits or Limits(),
            bundles=BundleCache(),
        )
        self.runner: web.AppRunner | None = None

    def add_token(
        self, principal: str, scopes: Iterable[str] = (SCOPE_APPEND,)
    ) -> NewToken:
        """Add a token to the file."""
        number = len(self.tokens()) if self.token_path.exists() else 0
        new = make_token(
            log=NAME,
            created_ms=self.inner.clock.now_ms(),
            draw=lambda count: sha256(b"token %d" % number).digest()[:count],
            principal=principal,
            scopes=scopes,
        )
        change_tokens(self.token_path, lambda tokens: [*tokens, new.token])
        return new

    def tokens(self) -> list[Any]:
        """What the token file holds."""
        return list(json.loads(self.token_path.read_bytes())["tokens"])

    async def __aenter__(self) -> Self:
        if self.takes_entries:
            sequencer = Sequencer(
                self.writer, limits=QueueLimits(), on_head=self.log.saw_head
            )
            sequencer.start()
            self.log.attach(
                sequencer,
                stop=self.writer.stop_signing,
                stopped=lambda: self.writer.stopped,
            )
        self.runner = make_runner(make_app(self.services), shutdown_s=1.0)
        await self.runner.setup()
        await web.UnixSite(self.runner, str(self.socket)).start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.log.close()
        assert self.runner is not None
        await self.runner.cleanup()

    async def publish(self) -> None:
        """Serve the last head as the published checkpoint."""
        head = self.log.head
        await self.log.publish(Published(head.size, head.note, head.time_ms))

    async def get(self, path: str, **headers: str) -> Reply:
        """GET a path, spelt as it is."""
        return await self.send(request("GET", path, headers))

    async def post(
        self, path: str, body: bytes, *, key: str = "key", **headers: str
    ) -> Reply:
        """POST with the bench's token; a header given as "" is left out."""
        fields = {
            "Authorization": f"Bearer {self.token.text}",
            "Idempotency-Key": key,
            "Content-Type": "application/octet-stream",
            "Content-Length": str(len(body)),
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        kept = {name: value for name, value in fields.items() if value}
        return await self.send(request("POST", path, kept, body))

    async def append(self, entry: bytes, *, key: str = "key", query: str = "") -> Reply:
        """Append one entry."""
        return await self.post(f"/v1/logs/{NAME}/entries{query}", entry, key=key)

    async def batch(self, body: bytes, *, key: str = "key", query: str = "") -> Reply:
        """Append a batch."""
        return await self.post(f"/v1/logs/{NAME}/entries:batch{query}", body, key=key)

    async def send(self, data: bytes) -> Reply:
        """Send raw bytes over a connection of its own; read one answer."""
        reader, writer = await asyncio.open_unix_connection(str(self.socket))
        try:
            writer.write(data)
            await writer.drain()
            return await read_reply(reader, is_head=data.startswith(b"HEAD "))
        finally:
            writer.close()
            await writer.wait_closed()


def request(
    method: str, path: str, headers: Mapping[str, str], body: bytes = b""
) -> bytes:
    """Write a request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: tests"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def read_reply(reader: asyncio.StreamReader, *, is_head: bool = False) -> Reply:
    """Read one answer."""
    head = await reader.readuntil(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")[:-2]
    pairs = (line.partition(": ") for line in lines)
    headers = {name.lower(): value for name, _, value in pairs}
    length = 0 if is_head else int(headers.get("content-length", "0"))
    return Reply(int(status.split()[1]), headers, await reader.readexactly(length))
