"""A log of events in memory, served to its producers and to whoever administers it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, Self

from aiohttp import web

from tallystick_merkle.event import Event
from tallystick_merkle.policy import Policy
from tallystick_server.errors import EventError
from tallystick_server.ingest.own import SERVICE
from tallystick_server.ingest.rules import Admitted
from tallystick_server.ingest.schemas.registry import Registry, Unknown
from tallystick_server.log.tokenfile import change_tokens
from tallystick_server.log.tokengate import TokenGate
from tallystick_server.log.tokens import (
    SCOPE_ADMIN,
    SCOPE_EMIT,
    SCOPE_READ,
    make_token,
)
from tallystick_server.vault.base import Vault
from tallystick_server.web.app import make_app, make_runner
from tallystick_server.web.compressed import BundleCache
from tallystick_server.web.freshness import Freshness
from tallystick_server.web.services import Hosted, Limits, Standing, make_services
from tests.fakes.cosigned import cosigned
from tests.fakes.intakes import IntakeBench, event_json
from tests.fakes.logs import NAME
from tests.fakes.web import Reply, read_reply, request

API = f"/v1/logs/{NAME}"
LETTERS = f"{API}/dead-letters"


class Moody(Registry):
    """A registry that refuses every event of a producer while it has a reason."""

    def __init__(self, *, log_name: str = NAME, unknown: Unknown = "allow") -> None:
        super().__init__(log_name=log_name, unknown=unknown)
        self.refusal: EventError | None = None

    def admit(self, event: Event) -> Admitted:
        if self.refusal is not None and event.producer.service != SERVICE:
            raise self.refusal
        return super().admit(event)


class KeptLog:
    """One log of events on a Unix socket, with a token of each scope."""

    def __init__(
        self,
        folder: Path,
        *,
        vault: Vault | None = None,
        policy: Policy | None = None,
        unknown: Unknown = "allow",
        is_read_only: bool = False,
    ) -> None:
        folder.mkdir(exist_ok=True)
        self._is_read_only = is_read_only
        self.rules = Moody(unknown=unknown)
        self.bench = IntakeBench(
            folder, vault=vault, policy=policy, registry=self.rules, unknown=unknown
        )
        self.intake = self.bench.intake
        self.clock = self.bench.inner.clock
        self.socket = folder / "socket"
        self._tokens = folder / "tokens.json"
        self.emit = self.token("billing")
        self.other = self.token("shop")
        self.read = self.token("auditor", SCOPE_READ)
        self.admin = self.token("keeper", SCOPE_ADMIN)
        self.hosted = Hosted(
            self.bench.log,
            TokenGate(NAME, self._tokens, self.clock),
            Freshness(),
            Standing(),
            detects_rollback=True,
            anchor_shares_disk=False,
            stale_after_ms=5_000,
            intake=self.intake,
        )
        services = make_services(
            [self.hosted],
            clock=self.clock,
            limits=Limits(wait_max_s=0.02),
            bundles=BundleCache(),
        )
        self.runner: web.AppRunner = make_runner(make_app(services), shutdown_s=1.0)

    def token(self, principal: str, scope: str = SCOPE_EMIT) -> str:
        """Make a token."""
        new = make_token(
            log=NAME,
            created_ms=self.clock.now_ms(),
            draw=lambda count: sha256(principal.encode()).digest()[:count],
            principal=principal,
            scopes=[scope],
        )
        change_tokens(self._tokens, lambda tokens: [*tokens, new.token])
        return new.text

    async def __aenter__(self) -> Self:
        if not self._is_read_only:
            await self.bench.__aenter__()
        await self.intake.followed.catch_up()
        await self.runner.setup()
        await web.UnixSite(self.runner, str(self.socket)).start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.runner.cleanup()
        await self.bench.__aexit__(None, None, None)

    async def ask(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Make a request, as the administrator unless another token is given."""
        fields = {
            "Authorization": f"Bearer {self.admin if token is None else token}",
            "Content-Length": str(len(body)),
            **(headers or {}),
        }
        reader, writer = await asyncio.open_unix_connection(str(self.socket))
        try:
            writer.write(request(method, path, fields, body))
            await writer.drain()
            return await read_reply(reader)
        finally:
            writer.close()
            await writer.wait_closed()

    async def submit(
        self,
        body: bytes,
        *,
        kind: str = "application/json",
        query: str = "",
        name: str = "",
    ) -> Reply:
        """Submit an event as the producer `billing`; `name` names the request."""
        headers = {"Content-Type": kind, **({"X-Request-ID": name} if name else {})}
        path = f"{API}/events{query}"
        return await self.ask("POST", path, token=self.emit, body=body, headers=headers)

    async def submit_batch(
        self, body: bytes, *, kind: str = "application/json", query: str = ""
    ) -> Reply:
        """Submit a batch as the producer `billing`."""
        return await self.ask(
            "POST",
            f"{API}/events:batch{query}",
            token=self.emit,
            body=body,
            headers={"Content-Type": kind},
        )

    async def register(self, document: Mapping[str, Any], *, name: str = "") -> Reply:
        """Register a schema as the administrator; `name` names the request."""
        headers = {"Content-Type": "application/schema+json"}
        return await self.ask(
            "POST",
            f"{API}/schemas",
            body=json.dumps(document).encode(),
            headers={**headers, **({"X-Request-ID": name} if name else {})},
        )

    async def show(self, rest: str) -> Reply:
        """Read events as an auditor; `rest` is what follows the path of all events."""
        return await self.ask("GET", f"{API}/events{rest}", token=self.read)

    async def publish(self) -> None:
        """Publish the last head, with the cosignature of the witness."""
        await self.bench.log.publish(cosigned(self.bench.log.head))

    async def submit_event(self, number: int, **members: Any) -> Reply:  # noqa: ANN401 -- any
        """Submit an event that is one, with some members replaced."""
        return await self.submit(json.dumps(event_json(number, **members)).encode())

    def holds(self, needle: bytes) -> list[str]:
        """The files of the log's folder that hold some bytes."""
        files = [one for one in self.socket.parent.rglob("*") if one.is_file()]
        assert any("letters" in one.name for one in files)
        return [one.name for one in files if needle in one.read_bytes()]

    async def letters(self, query: str = "") -> dict[str, Any]:
        """List the dead letters."""
        reply = await self.ask("GET", LETTERS + query)
        assert reply.status == 200
        found: dict[str, Any] = reply.json()
        return found
