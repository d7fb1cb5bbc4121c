"""Take in connections: no more than there is room for, and none for nothing.

    room        for `most` connections, TLS handshakes under way included
    no room     whoever has been idle longest is closed for the newcomer; where nobody
                is idle, the newcomer is closed
    handshakes  that do not finish are cut after `HANDSHAKE_S`
    the system  short of descriptors: said once, tried again every second, and one idle
                connection is closed for it

What strangers can cause is logged once a second, as a count.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from contextlib import suppress
from itertools import islice

from aiohttp import web

from tallystick_witness.visitors import Visitors

_log = logging.getLogger(__name__)

HANDSHAKE_S = 5.0
"""Seconds that a TLS handshake may take."""

ACCEPT_AT_ONCE = 64
"""Connections taken in before whatever else is ready gets its turn."""

GRACE_S = 0.1
"""Seconds that whoever is idle may take to ask before it has to make room."""

LOOK_S = 1.0
"""How often connections are looked at, and accepting is tried again, in seconds."""

UNSENT_BYTES = 128 * 1024
"""Bytes of one connection that the kernel holds before they can be sent."""


class CappedSite(web.BaseSite):
    """Listens on a bound socket, with at most `most` connections at once."""

    def __init__(
        self,
        runner: web.AppRunner,
        sock: socket.socket,
        *,
        visitors: Visitors,
        most: int,
        backlog: int,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        """Take a bound socket; `start` listens on it."""
        super().__init__(runner, ssl_context=ssl_context, backlog=backlog)
        self._sock = sock
        self._visitors = visitors
        self._most = most
        # Who has come and is no visitor yet: a TLS handshake is under way.
        self._arriving: dict[socket.socket, float] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._looking: asyncio.Task[None] | None = None
        self._refused = 0
        self._closed = 0
        self._is_short = False  # of descriptors, since the shortage was told
        self._is_paused = False  # until the next look nobody is accepted
        self._resting: asyncio.TimerHandle | None = None

    @property
    def name(self) -> str:
        """The address that is listened on."""
        return str(self._sock.getsockname())

    async def start(self) -> None:
        """Begin to listen."""
        await super().start()
        server = self._runner.server
        if server is None:
            raise RuntimeError("the runner is not set up")
        self._web = server
        server.request_handler = self._visitors.during(server.request_handler)
        self._sock.setblocking(False)
        if self._sock.family != socket.AF_UNIX:  # each connection inherits it
            self._sock.setsockopt(
                socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES
            )
        self._sock.listen(self._backlog)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._sock, self._accept)
        self._looking = asyncio.create_task(self._look_again_and_again())

    async def stop(self) -> None:
        """Accept no more; what is established goes on."""
        if self._looking is not None:
            self._looking.cancel()
            if self._resting is not None:
                self._resting.cancel()
            self._loop.remove_reader(self._sock)
            self._sock.close()
            for link in list(self._arriving):
                self._turn_away(link)
            await asyncio.gather(self._looking, *self._tasks, return_exceptions=True)
            self._looking = None
        await super().stop()

    def _accept(self) -> None:
        """Take in who waits."""
        for _ in range(ACCEPT_AT_ONCE):
            if (wait_s := self._until_room_s()) > 0:
                self._rest(wait_s)
                return
            try:
                link, _address = self._sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self._run_short(error)
                return
            if self._has_room():
                self._take_in(link)
            else:
                link.close()
                self._refused += 1

    def _run_short(self, error: OSError) -> None:
        """Wait for descriptors or memory: until the next look, nobody is accepted."""
        if not self._is_short:
            _log.error("cannot accept", extra={"fields": {"why": error.strerror}})
        self._is_short = self._is_paused = True
        self._loop.remove_reader(self._sock)
        self._closed += self._close_idle()

    def _until_room_s(self) -> float:
        """Give the time until room can be made from somebody who had time to ask.

        0 where there is room, and where nobody is idle: then a newcomer is refused.
        """
        if len(self._visitors) + len(self._arriving) < self._most:
            return 0.0
        longest = [self._visitors.idle_since_s(), *islice(self._arriving.values(), 1)]
        times_s = [since_s for since_s in longest if since_s is not None]
        if not times_s:
            return 0.0
        return max(0.0, min(times_s) + GRACE_S - self._visitors.now_s())

    def _rest(self, wait_s: float) -> None:
        """Leave newcomers in the queue of the socket for a moment."""
        self._loop.remove_reader(self._sock)
        self._resting = self._loop.call_later(wait_s, self._go_on)

    def _go_on(self) -> None:
        """Take in newcomers again, unless descriptors are short."""
        self._resting = None
        if not self._is_paused:
            self._loop.add_reader(self._sock, self._accept)

    def _has_room(self) -> bool:
        """Whether there is room for one more, or could be made."""
        if len(self._visitors) + len(self._arriving) < self._most:
            return True
        is_made = self._close_idle()
        self._closed += is_made
        return is_made

    def _close_idle(self) -> bool:
        """Close whoever has been waited for longest: a handshake, or a request."""
        idle_s = self._visitors.idle_since_s()
        link, since_s = next(iter(self._arriving.items()), (None, 0.0))
        if link is not None and (idle_s is None or since_s <= idle_s):
            self._turn_away(link)
            return True
        return self._visitors.close_idle()

    def _take_in(self, link: socket.socket) -> None:
        self._arriving[link] = self._visitors.now_s()
        task = self._loop.create_task(self._receive(link))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _receive(self, link: socket.socket) -> None:
        """Make the transport of a connection, after its handshake if there is one."""
        tls = self._ssl_context

        def arrive() -> None:
            self._arriving.pop(link, None)

        try:
            # The client's doing: no handshake, or not in time, or it is gone.
            with suppress(OSError):
                await self._loop.connect_accepted_socket(
                    lambda: self._visitors.welcome(self._web(), arrive),
                    link,
                    ssl=tls,
                    ssl_handshake_timeout=HANDSHAKE_S if tls else None,
                )
        finally:
            arrive()

    def _turn_away(self, link: socket.socket) -> None:
        """End a handshake; the transport notices, and closes the socket."""
        del self._arriving[link]
        with suppress(OSError):  # it is gone already
            link.shutdown(socket.SHUT_RDWR)

    async def _look_again_and_again(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                self._look()
            except Exception:  # noqa: BLE001 -- the top of a loop, logged
                _log.exception("looking at connections failed")  # and looked at again

    def _look(self) -> None:
        """Cut who is late or slow, tell of the last second, and accept again."""
        if self._is_paused:
            self._is_paused = False
            self._loop.add_reader(self._sock, self._accept)
        else:
            self._is_short = False  # over after a second without one
        refused, closed = self._refused, self._closed
        self._refused = self._closed = 0
        if refused:
            _log.warning("connection refused", extra=_count(refused))
        if closed:
            _log.warning("idle connections closed", extra=_count(closed))
        cut = self._visitors.look()
        if cut.late:
            _log.warning("late connections cut", extra=_count(cut.late))
        if cut.slow:
            _log.warning("stalled connections cut", extra=_count(cut.slow))


def _count(connections: int) -> dict[str, object]:
    """Give the fields of a log line."""
    return {"fields": {"connections": connections}}
