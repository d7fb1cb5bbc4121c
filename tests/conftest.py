"""What holds for every test: repeatable examples, and no network outside tests/system.

Hypothesis draws the same examples on every run, so that a red build is red for the
next person too. To look for new ones: `pytest --hypothesis-profile=explore`.

A test outside tests/system that connects, binds or looks up a name is refused on the
spot and fails at its end, even where the code under test swallowed the refusal. Unix
sockets and socket pairs stay allowed: event loops wake themselves with them.
"""

import signal
import socket
import sys
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.rows.report import (  # noqa: F401 -- hooks and fixtures of every test
    figures,
    form,
    pytest_addoption,
    pytest_runtest_logreport,
    pytest_sessionfinish,
    pytest_terminal_summary,
)

# A shell's background jobs inherit an ignored SIGINT, and so would every command that
# the tests start and stop by Ctrl-C.  A handler of our own is not inherited.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("house", derandomize=True, deadline=None, database=None)
settings.register_profile("explore", deadline=None, max_examples=2_000)
settings.load_profile("house")

_LOOK_UPS = frozenset({"socket.getaddrinfo", "socket.gethostbyname"})
_CALLS = frozenset({"socket.bind", "socket.connect", "socket.sendto"})
_INTERNET = frozenset({socket.AF_INET, socket.AF_INET6})


class SocketRefusedError(Exception):
    """A test outside tests/system reached for the network."""


class SocketGuard:
    """Refuse internet sockets while armed, and remember each attempt."""

    def __init__(self) -> None:
        self.armed = False
        self.attempts: list[str] = []

    def audit(self, event: str, arguments: tuple[object, ...]) -> None:
        """Judge one event of the interpreter (the shape of `sys.addaudithook`)."""
        if not self.armed or not self._reaches_out(event, arguments):
            return
        self.attempts.append(event)
        message = f"{event}: sockets are for tests/system; use a fake here"
        raise SocketRefusedError(message)

    @staticmethod
    def _reaches_out(event: str, arguments: tuple[object, ...]) -> bool:
        if event in _LOOK_UPS:
            return True
        if event not in _CALLS:
            return False
        caller = arguments[0]
        return isinstance(caller, socket.socket) and caller.family in _INTERNET


_GUARD = SocketGuard()
# An audit hook cannot be taken out again; disarmed, it costs one test of a flag.
sys.addaudithook(_GUARD.audit)


@pytest.fixture(autouse=True)
def socket_guard(request: pytest.FixtureRequest) -> Iterator[SocketGuard]:
    """Keep a test off the network unless it lives in tests/system."""
    system = request.config.rootpath / "tests" / "system"
    _GUARD.attempts.clear()
    _GUARD.armed = not request.path.is_relative_to(system)
    yield _GUARD
    _GUARD.armed = False
    if _GUARD.attempts:
        pytest.fail(f"reached for the network: {', '.join(_GUARD.attempts)}")
