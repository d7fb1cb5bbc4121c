"""The guard of tests/conftest.py refuses the network and leaves event loops alone."""

import asyncio
import contextlib
import socket
from typing import Protocol

import pytest


class Guard(Protocol):
    """What these tests need of the fixture `socket_guard`."""

    armed: bool
    attempts: list[str]


@pytest.mark.parametrize(
    ("family", "host"),
    [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")],
)
@pytest.mark.parametrize("call", ["bind", "connect"])
def test_an_internet_socket_is_refused(
    socket_guard: Guard, family: socket.AddressFamily, host: str, call: str
) -> None:
    with (
        socket.socket(family) as door,
        pytest.raises(Exception, match="use a fake here"),
    ):
        getattr(door, call)((host, 9))

    assert socket_guard.attempts == [f"socket.{call}"]
    socket_guard.attempts.clear()


def test_a_datagram_is_refused(socket_guard: Guard) -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door,
        pytest.raises(Exception, match="use a fake here"),
    ):
        door.sendto(b"x", ("127.0.0.1", 9))

    assert socket_guard.attempts == ["socket.sendto"]
    socket_guard.attempts.clear()


def test_a_look_up_of_a_name_is_refused(socket_guard: Guard) -> None:
    with pytest.raises(Exception, match="use a fake here"):
        socket.getaddrinfo("localhost", 9)

    assert socket_guard.attempts == ["socket.getaddrinfo"]
    socket_guard.attempts.clear()


def test_a_swallowed_refusal_is_remembered(socket_guard: Guard) -> None:
    with socket.socket() as door, contextlib.suppress(Exception):
        door.connect(("127.0.0.1", 9))

    assert socket_guard.attempts == ["socket.connect"]
    socket_guard.attempts.clear()


def test_a_disarmed_guard_refuses_nothing(socket_guard: Guard) -> None:
    socket_guard.armed = False

    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))

    assert socket_guard.attempts == []


def test_socket_pairs_work() -> None:
    left, right = socket.socketpair()
    with left, right:
        left.sendall(b"tally")

        assert right.recv(5) == b"tally"


async def test_an_event_loop_works() -> None:
    loop = asyncio.get_running_loop()

    assert await loop.run_in_executor(None, len, b"stick") == 5
