"""A server that does not do what its description says, in many ways at once."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from aiohttp import web

from tallystick_merkle.keys import format_vkey
from tallystick_merkle.tile import format_bundle
from tallystick_server.errors import RequestError
from tallystick_server.web.app import make_app, make_runner
from tallystick_server.web.append import HEADERS
from tallystick_server.web.openapi.examples import EXAMPLES
from tests.fakes.cosigned import WITNESS, cosigned, policy
from tests.fakes.logs import ORIGIN, log_key
from tests.fakes.web import WebBench
from tests.system.api.exercise import Target
from tests.system.api.judging import FILLED

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Sabotage = Callable[[web.Response], None]


def another_status(answer: web.Response) -> None:
    """An undocumented status."""
    answer.set_status(203)


def another_type(answer: web.Response) -> None:
    """An undocumented content type."""
    answer.content_type = "text/html"


def a_bug(answer: web.Response) -> None:
    """An error that nobody expected."""
    raise RuntimeError("planted")


def a_member_less(answer: web.Response) -> None:
    """A body that lacks what the schema requires."""
    body = _body(answer)
    del body["vkey"]
    answer.body = json.dumps(body).encode()


def a_member_more(answer: web.Response) -> None:
    """A body with a member that nobody described."""
    answer.body = json.dumps({**_body(answer), "secret": 1}).encode()


def no_header(answer: web.Response) -> None:
    """A header that is documented as always there, and is not."""
    del answer.headers["ETag"]


def another_root(answer: web.Response) -> None:
    """A proof that fits its schema and proves nothing."""
    body = _body(answer)
    body["old_root"] = body["new_root"]
    body["proof"] = body["proof"][::-1]
    answer.body = json.dumps(body).encode()


def _body(answer: web.Response) -> dict[str, list[str]]:
    assert isinstance(answer.body, bytes)
    body: dict[str, list[str]] = json.loads(answer.body)
    return body


SPOILT: dict[str, tuple[str, Sabotage]] = {
    "GET /livez": ("ST103", another_status),
    "GET /healthz": ("ST105", another_type),
    "GET /v1/logs/{log}/proof/inclusion": ("ST101", a_bug),
    "GET /v1/logs/{log}": ("ST108", a_member_less),
    "GET /readyz": ("ST108", a_member_more),
    "GET /docs": ("ST107", no_header),
    "GET /v1/logs/{log}/proof/consistency": ("ST901", another_root),
}
"""What is done to good answers, and the code that schemathesis has for it."""

LENIENT = "POST /v1/logs/{log}/entries"
"""Whatever is refused here is taken, with or without a token."""

PLANTED = {
    *(f"{code} {operation}" for operation, (code, _) in SPOILT.items()),
    f"ST201 {LENIENT}",
    f"ST401 {LENIENT}",
}
"""What has to be found."""


@web.middleware
async def sabotage(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Spoil some good answers, and take what is refused at one place."""
    resource = request.match_info.route.resource
    label = f"{request.method} {resource.canonical if resource else None}"
    try:
        answer = await handler(request)
    except RequestError:
        if label != LENIENT:
            raise
        body = json.dumps(EXAMPLES["entry"]).encode()
        return web.Response(status=201, body=body, headers=HEADERS)
    planted = SPOILT.get(label)
    if planted and isinstance(answer, web.Response) and answer.status == 200:
        planted[1](answer)
    return answer


class PlantedServer:
    """Serves a log in memory on a free port of 127.0.0.1, in a thread of its own."""

    def __init__(self, folder: Path) -> None:
        """Make a log."""
        self._bench = WebBench(folder, policy=policy())
        self._folder = folder
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    @property
    def target(self) -> Target:
        """Where it is."""
        lines = [
            f"log {format_vkey(log_key().verifier)}",
            f"witness w {format_vkey(WITNESS.verifier)}",
            "quorum w",
        ]
        path = self._folder / "policy"
        path.write_text("\n".join(lines), encoding="utf-8")
        port = self._runner.addresses[0][1]
        url = f"http://127.0.0.1:{port}"
        return Target(url, ORIGIN, self._bench.token.text, path)

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._open(), self._loop).result(30)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _open(self) -> None:
        await self._bench.__aenter__()
        entries = [b"entry %d" % number for number in range(1, FILLED)]
        await self._bench.batch(format_bundle(entries), key="fill")
        await self._bench.log.publish(cosigned(self._bench.log.head))
        app = make_app(self._bench.services)
        app.middlewares.append(sabotage)
        self._runner = make_runner(app, shutdown_s=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()

    async def _close(self) -> None:
        await self._runner.cleanup()
        await self._bench.__aexit__(None, None, None)
