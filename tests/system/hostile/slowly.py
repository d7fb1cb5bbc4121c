"""Clients that take their time: many at once, each watched until its end."""

from __future__ import annotations

import select
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field

from tests.system.hostile.attack import Target

TICK_S = 0.1
"""Seconds between two drops of a client that drips."""

_NO_LINGER = struct.pack("ii", 1, 0)


@dataclass(slots=True)
class Ended:
    """How a group of connections ended.

    `after_s` are the seconds until each was closed, `left` how many never were,
    `said` what each one got.
    """

    after_s: list[float] = field(default_factory=list)
    left: int = 0
    said: list[bytes] = field(default_factory=list)

    @property
    def last_s(self) -> float:
        """When the last one was closed."""
        return max(self.after_s, default=0.0)


@contextmanager
def connections(
    target: Target, many: int, *, receive_bytes: int | None = None
) -> Iterator[list[socket.socket]]:
    """Open many connections, each with a receive buffer of its own size."""
    with ExitStack() as stack:
        links = []
        for _ in range(many):
            link = stack.enter_context(socket.socket())
            if receive_bytes is not None:
                link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
            link.settimeout(30)
            link.connect(target.place)
            links.append(link)
        yield links


def until_cut(
    links: list[socket.socket],
    *,
    most_s: float,
    drop: bytes = b"",
    sip: int = 65_536,
    is_done: Callable[[], bool] = lambda: False,
) -> Ended:
    """Send `drop` and take at most `sip` bytes on each connection, every tick.

    Returns when all were closed by the other side, `is_done` says so, or `most_s` has
    passed.
    """
    began_s = time.monotonic()
    ended = Ended()
    open_links = dict.fromkeys(links, b"")
    while open_links and time.monotonic() - began_s < most_s and not is_done():
        for link in list(open_links):
            part = _step(link, drop, sip)
            if part == b"":
                ended.after_s.append(time.monotonic() - began_s)
                ended.said.append(open_links.pop(link))
            elif part is not None:
                open_links[link] = (open_links[link] + part)[:4096]
        select.select([], [], [], TICK_S)
    ended.left = len(open_links)
    return ended


def reset(link: socket.socket) -> None:
    """End a connection without a word, in the middle of whatever is being sent."""
    link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    link.close()


def _step(link: socket.socket, drop: bytes, sip: int) -> bytes | None:
    """Send and take once; give what came, b"" for the end, None for nothing yet."""
    link.setblocking(False)
    with suppress(BlockingIOError, BrokenPipeError, ConnectionResetError):
        if drop:
            link.send(drop)
    try:
        return link.recv(sip)
    except BlockingIOError:
        return None
    except ConnectionResetError:
        return b""
