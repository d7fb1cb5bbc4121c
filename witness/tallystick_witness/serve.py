"""Serve a witness until it is told to stop, or must.

SIGTERM and SIGINT: no new connections, what is in work is answered, exit 0.  An error
that leaves the state in doubt ends the process with that error's exit code.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import ssl
import sys
import time
from typing import TextIO

import uvloop
from aiohttp import web

from tallystick_witness.app import Face, format_about, make_app
from tallystick_witness.clock import SystemClock
from tallystick_witness.config import Address, WitnessSettings, parse_listen
from tallystick_witness.connections import CappedSite
from tallystick_witness.descriptors import make_room
from tallystick_witness.desk import Desk
from tallystick_witness.errors import ListenError, UsageError, WitnessError
from tallystick_witness.framing import check_parser
from tallystick_witness.handling import PlainRunner
from tallystick_witness.service import Witness
from tallystick_witness.visitors import Patience, Visitors
from tallystick_witness.wiring import open_witness

KEEPALIVE_S = 15.0
"""How long a connection may be idle between two requests."""

BACKLOG = 512
"""Connections the kernel holds while the witness is busy."""

SHUTDOWN_S = 10.0
"""How long a stop waits for requests in work."""

SWEEP_S = 60.0
"""How often dead readers of the store are looked for."""

_log = logging.getLogger(__name__)


def serve(settings: WitnessSettings) -> None:
    """Serve until stopped; raise the WitnessError that ended it otherwise.

    Prints one line on stdout when ready: "listening on URL".
    """
    check_parser()
    try:
        with (
            open_witness(settings, SystemClock()) as witness,
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        ):
            error = runner.run(_serve(settings, witness))
    finally:
        _let_go()
    if error is not None:
        raise error


async def _serve(settings: WitnessSettings, witness: Witness) -> WitnessError | None:
    """Run the listener; return the error that ended it, None for a signal."""
    desk = Desk(witness, max_waiting=settings.max_waiting)
    runner: web.AppRunner | None = None
    stop = _catch_signals()
    try:
        address = parse_listen(settings.listen)
        listener = _bind(address)
        scheme = "https" if settings.tls_cert else "http"
        url = address.url(listener.getsockname()[1], scheme=scheme)
        about = format_about(witness.name, witness.vkeys, settings.public_url or url)
        app = make_app(Face(desk, settings.body_timeout_s, about))
        runner = PlainRunner(
            app,
            auto_decompress=False,
            keepalive_timeout=KEEPALIVE_S,
            lingering_time=1.0,
            access_log=None,
            shutdown_timeout=SHUTDOWN_S,
        )
        await runner.setup()
        site = CappedSite(
            runner,
            listener,
            visitors=Visitors(Patience(), clock_s=time.monotonic),
            most=make_room(settings.max_connections),
            backlog=BACKLOG,
            ssl_context=_load_tls(settings),
        )
        await site.start()
        _announce(url)
        return await wait_for_end(desk, stop)
    finally:
        if runner is not None:
            await runner.cleanup()
        desk.close()


def _announce(url: str) -> None:
    """Say on stdout where requests are taken; take them where nobody can hear it."""
    try:
        sys.stdout.write(f"listening on {url}\n")
        sys.stdout.flush()
    except OSError as error:  # a full disk, a closed pipe
        fields = {"url": url, "why": error.strerror}
        _log.warning("stdout is lost", extra={"fields": fields})
        _forget(sys.stdout)


def _let_go() -> None:
    """See that log lines that cannot be written do not become the exit code.

    Python ends with 120 when it cannot flush at its end; a supervisor would take that
    for a failure of the witness.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            _forget(stream)


def _forget(stream: TextIO) -> None:
    """Let what a stream still holds go nowhere: its loss is no error of the process."""
    nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


async def wait_for_end(desk: Desk, stop: asyncio.Event) -> WitnessError | None:
    """Wait for a signal or an error, sweeping meanwhile; give the error, if any.

    Raises what is a bug: it must not look like a stop that was asked for.
    """
    stopped = asyncio.create_task(stop.wait())
    failed = asyncio.create_task(desk.failure())
    sweeping = asyncio.create_task(desk.sweep_every(SWEEP_S))
    tasks = (stopped, failed, sweeping)
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    errors = [result for result in results if isinstance(result, WitnessError)]
    for result in results:
        if isinstance(result, Exception) and result not in errors:
            raise result
    event = "stopping in doubt" if errors else "stopping"
    _log.info(event, extra={"fields": {"why": str(errors[0])} if errors else {}})
    return errors[0] if errors else None


def _catch_signals() -> asyncio.Event:
    """Give an event that SIGTERM and SIGINT set."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


def _bind(address: Address) -> socket.socket:
    """Listen on the address; port 0 takes a free one."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        return socket.create_server((address.host, address.port), family=family)
    except OSError as error:
        raise ListenError(
            f"cannot listen on {address.host} port {address.port}: {error.strerror}"
        ) from error


def _load_tls(settings: WitnessSettings) -> ssl.SSLContext | None:
    """Load certificate and key, if TLS is asked for."""
    if settings.tls_cert is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(settings.tls_cert, settings.tls_key)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(
            f"cannot use the certificate {settings.tls_cert}: {error}"
        ) from error
    return context
