"""The life of a server process.

    bind → open and start every log → listen → … → SIGTERM
    → accept no connection → take no entry → commit what waits → publish the last head
    → answer what is under way → close everything → exit 0

When a writer fails the process ends at once (D10): what is in memory is in doubt, so
nothing of it is flushed, published or answered.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from aiohttp import web

from tallystick_server.clock import Clock
from tallystick_server.config.load import Loaded
from tallystick_server.errors import NotInitialisedError, StartError
from tallystick_server.log.paths import log_names, logs_directory
from tallystick_server.log.writer import Writer
from tallystick_server.ops.descriptors import make_room
from tallystick_server.ops.peers import Peers
from tallystick_server.web.app import make_app, make_runner
from tallystick_server.web.compressed import BundleCache
from tallystick_server.web.connections import CappedSite
from tallystick_server.web.framing import check_parser
from tallystick_server.web.services import Limits, Services, make_services
from tallystick_server.web.visitors import Patience, Visitors
from tallystick_server.wiring.ingesting import Workshop
from tallystick_server.wiring.listening import bind, make_tls
from tallystick_server.wiring.running import Permissions, RunningLog, World, start_log
from tallystick_server.wiring.vaulting import open_server_vault, read_marks

log = logging.getLogger(__name__)

EXIT_FAILED = 5
"""Exit code when a writer failed: another start may succeed, once all is re-read."""

_MAINTAIN_S = 60.0


@dataclass(slots=True)
class Start:
    """How a server is started.

    `announce` is told the address once connections are accepted; `reload` is called on
    SIGHUP, before the token files are read again.  `writer` makes each log's writer.
    """

    loaded: Loaded
    clock: Clock
    permissions: Permissions
    announce: Callable[[str], None]
    reload: Callable[[], None]
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    writer: type[Writer] = Writer


async def serve(start: Start) -> None:
    """Serve until SIGTERM or SIGINT; return when everything is closed.

    Raises StartError or StoreError when a log may not be opened, or fails later.
    """
    settings = start.loaded.settings.server
    check_parser()
    async with AsyncExitStack() as closing:
        sock = bind(settings)
        closing.callback(sock.close)
        tls = make_tls(settings)
        peers = Peers()
        closing.push_async_callback(peers.close)
        logs = await _start_logs(start, peers, closing)
        services = _make_services(start, logs)
        runner = _make_runner(start, services)
        await runner.setup()
        closing.push_async_callback(runner.cleanup)
        site = CappedSite(
            runner,
            sock,
            visitors=_make_visitors(start),
            most=make_room(settings.max_connections),
            backlog=settings.backlog,
            ssl_context=tls,
        )
        await site.start()
        _watch_signals(start, services)
        log.info("serving", extra={"url": site.name, "logs": list(services.hosted)})
        start.announce(site.name)
        try:
            await _run(start, logs, site)
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from errors
    log.info("stopped")


async def _start_logs(
    start: Start, peers: Peers, closing: AsyncExitStack
) -> list[RunningLog]:
    """Start every log, one after the other."""
    logs: list[RunningLog] = []
    names = _names(start.loaded)
    world = World(
        start.clock,
        peers,
        start.permissions,
        _end_at_once,
        writer=start.writer,
        workshop=_open_workshop(start.loaded, closing),
    )
    for name in names:
        running = await start_log(name, start.loaded, world)
        closing.push_async_callback(running.close)
        logs.append(running)
    return logs


def _open_workshop(loaded: Loaded, closing: AsyncExitStack) -> Workshop | None:
    """Open the vault, where there are logs of events that need it."""
    settings = loaded.settings.server
    vault = open_server_vault(settings, read_marks(settings.data))
    if vault is None:
        return None
    closing.callback(vault.close)
    workshop = Workshop(vault, processes=settings.sealing_processes)
    closing.push_async_callback(workshop.close)
    return workshop


async def _run(start: Start, logs: list[RunningLog], site: CappedSite) -> None:
    """Run everything beside the requests until the process is told to end."""
    keepers = [running.keeper for running in logs if running.keeper is not None]
    intakes = [running.intake for running in logs if running.intake is not None]
    async with asyncio.TaskGroup() as group:
        maintaining = group.create_task(_maintain(logs))
        keeping = [group.create_task(keeper.run()) for keeper in keepers]
        keeping += [group.create_task(intake.tending.run()) for intake in intakes]
        await start.stop.wait()
        log.info("stopping")
        await site.stop()
        for intake in intakes:
            await intake.tending.finish()
        for running in logs:
            await running.log.drain()  # committed first: the last head covers it
        for keeper in keepers:
            keeper.stop()
        await asyncio.gather(*keeping)
        for running in logs:
            await running.log.close()  # wakes who waits for witnesses
        maintaining.cancel()


def _end_at_once(name: str, error: BaseException) -> None:
    """End the process: a writer failed, and what it committed last is in doubt (D10).

    Nothing is flushed, answered or closed; the next start re-reads and re-verifies.
    The exit code is that of the error: a disk that failed is no loss of integrity.
    """
    log.critical("writer failed", extra={"log": name}, exc_info=error)
    logging.shutdown()
    os._exit(error.exit_code if isinstance(error, StartError) else EXIT_FAILED)


async def _maintain(logs: list[RunningLog]) -> None:
    """Free what dead readers hold in the stores, every minute."""
    while True:
        await asyncio.sleep(_MAINTAIN_S)
        for running in logs:
            running.opened.store.maintain()


def _names(loaded: Loaded) -> list[str]:
    """Name the logs to serve: all that there are, and none that is only configured."""
    data = loaded.settings.server.data
    names = log_names(data)
    missing = sorted(set(loaded.settings.logs) - set(names))
    if missing or not names:
        where = logs_directory(data) / (missing[0] if missing else "")
        raise NotInitialisedError(
            f"no log at {where}; make one with: tallystick server init"
        )
    return names


def _make_services(start: Start, logs: list[RunningLog]) -> Services:
    settings = start.loaded.settings.server
    return make_services(
        [running.hosted for running in logs],
        clock=start.clock,
        limits=Limits(
            body_timeout_s=settings.body_timeout_s, wait_max_s=settings.wait_max_s
        ),
        bundles=BundleCache(most_bytes=settings.bundle_cache_bytes),
    )


def _make_visitors(start: Start) -> Visitors:
    settings = start.loaded.settings.server
    patience = Patience(
        head_s=settings.head_timeout_s,
        write_s=settings.write_timeout_s,
        least_rate=settings.write_least_rate,
    )
    return Visitors(patience, clock_s=time.monotonic)


def _make_runner(start: Start, services: Services) -> web.AppRunner:
    settings = start.loaded.settings.server
    return make_runner(
        make_app(services),
        keepalive_s=settings.keepalive_s,
        shutdown_s=settings.shutdown_s,
        has_access_log=settings.access_log,
    )


def _watch_signals(start: Start, services: Services) -> None:
    """SIGTERM and SIGINT end the process in order; SIGHUP reads what may change."""
    loop = asyncio.get_running_loop()

    def reload() -> None:
        start.reload()
        for hosted in services.hosted.values():
            hosted.gate.reload()

    loop.add_signal_handler(signal.SIGTERM, start.stop.set)
    loop.add_signal_handler(signal.SIGINT, start.stop.set)
    loop.add_signal_handler(signal.SIGHUP, reload)
