"""The web application: one table of routes, one middleware, one loop beside them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import suppress

from aiohttp import hdrs, web
from aiohttp.log import access_logger

from tallystick_merkle.exchange.appending import MAX_BATCH_BYTES
from tallystick_server.web.append import append_batch, append_entry
from tallystick_server.web.deadletters import (
    drop_letter,
    get_letter,
    list_letters,
    redrive_letter,
)
from tallystick_server.web.envelope import get_envelope, get_taxonomy
from tallystick_server.web.events import submit_batch, submit_event
from tallystick_server.web.framing import refuse_doubtful
from tallystick_server.web.health import get_health, get_live, get_ready
from tallystick_server.web.index import get_index
from tallystick_server.web.openapi.serving import get_document, get_page
from tallystick_server.web.problems import Handler, answer_problems
from tallystick_server.web.producers import list_producers
from tallystick_server.web.proofs import (
    get_consistency,
    get_inclusion,
    get_log,
    get_receipt,
)
from tallystick_server.web.records import get_event, list_events
from tallystick_server.web.refusing import ProblemRunner
from tallystick_server.web.schemas import get_schema, list_schemas, register_schema
from tallystick_server.web.services import SERVICES, Services
from tallystick_server.web.tiles import get_checkpoint, get_tile

log = logging.getLogger(__name__)

LINGER_S = 1.0
"""How long the rest of a refused body is read, so that the client sees the answer."""

WATCH_S = 1.0
"""How often token files are looked at and freshness is measured, in seconds."""


async def _expect(request: web.Request) -> None:
    """Say `100 Continue` to whoever asks, unless the body would be refused anyway.

    Any other expectation is ignored, as a server may (RFC 9110 §10.1.1).
    """
    is_asked = request.headers.get(hdrs.EXPECT, "").lower() == "100-continue"
    if is_asked and (request.content_length or 0) <= MAX_BATCH_BYTES:
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # the answer itself is still to come


def _get(path: str, handler: Handler) -> web.RouteDef:
    return web.get(path, handler, expect_handler=_expect)


def _post(path: str, handler: Handler) -> web.RouteDef:
    return web.post(path, handler, expect_handler=_expect)


def _delete(path: str, handler: Handler) -> web.RouteDef:
    return web.delete(path, handler, expect_handler=_expect)


ROUTES = (
    _get("/", get_index),
    _get("/livez", get_live),
    _get("/readyz", get_ready),
    _get("/healthz", get_health),
    _get("/t/{log}/tile/{path:.*}", get_tile),
    _get("/t/{log}/checkpoint", get_checkpoint),
    _post("/v1/logs/{log}/entries", append_entry),
    _post("/v1/logs/{log}/events", submit_event),
    _get("/v1/logs/{log}/proof/inclusion", get_inclusion),
    _get("/v1/logs/{log}/receipts/{index}", get_receipt),
    _post("/v1/logs/{log}/entries:batch", append_batch),
    _post("/v1/logs/{log}/events:batch", submit_batch),
    _get("/v1/logs/{log}/events/{event_id}", get_event),
    _get("/v1/logs/{log}/events", list_events),
    _get("/v1/logs/{log}/proof/consistency", get_consistency),
    _get("/v1/logs/{log}/schemas", list_schemas),
    _post("/v1/logs/{log}/schemas", register_schema),
    _get("/v1/logs/{log}/schemas/{id}/{version}", get_schema),
    _get("/v1/logs/{log}/producers", list_producers),
    _get("/v1/logs/{log}/dead-letters", list_letters),
    _get("/v1/logs/{log}/dead-letters/{id}", get_letter),
    _delete("/v1/logs/{log}/dead-letters/{id}", drop_letter),
    _post("/v1/logs/{log}/dead-letters/{id}/redrive", redrive_letter),
    _get("/v1/logs/{log}", get_log),
    _get("/v1/schemas/event.json", get_envelope),
    _get("/v1/taxonomy", get_taxonomy),
    _get("/openapi.json", get_document),
    _get("/docs", get_page),
)
"""Every route there is; the router tries them in order, so the busy ones come first."""


def make_app(services: Services) -> web.Application:
    """Make the application around its services."""
    app = web.Application(middlewares=[answer_problems, refuse_doubtful])
    app[SERVICES] = services
    app.add_routes(ROUTES)
    app.cleanup_ctx.append(_watch)
    return app


def make_runner(
    app: web.Application,
    *,
    keepalive_s: float = 30.0,
    shutdown_s: float = 15.0,
    has_access_log: bool = False,
) -> web.AppRunner:
    """Make the runner of an application.

    What the HTTP library would do by itself and must not: keep idle connections, and
    half request heads, for an hour; unpack bodies; read the rest of a refused body for
    ten seconds; log each request; and answer in its own name what it refuses itself.
    """
    return ProblemRunner(
        app,
        keepalive_timeout=keepalive_s,
        auto_decompress=False,
        lingering_time=LINGER_S,
        shutdown_timeout=shutdown_s,
        access_log=access_logger if has_access_log else None,
    )


def watch_once(services: Services) -> None:
    """Read changed token files again, and measure how fresh each log is.

    An error of one log is logged and ends nothing: a revocation elsewhere, or a second
    later, must still be seen.
    """
    now_ms = services.clock.monotonic_ms()
    for name, hosted in services.hosted.items():
        published = hosted.log.published
        hosted.freshness.observe(
            size=hosted.log.head.size,
            published=published.size if published else 0,
            now_ms=now_ms,
        )
        try:
            hosted.gate.refresh()
        except Exception:
            log.exception("watching a log failed", extra={"log": name})


async def _watch(app: web.Application) -> AsyncIterator[None]:
    """Watch while the application runs."""
    services = app[SERVICES]

    async def watch() -> None:
        while True:
            watch_once(services)
            await asyncio.sleep(WATCH_S)

    task = asyncio.create_task(watch(), name="watch")
    yield
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
