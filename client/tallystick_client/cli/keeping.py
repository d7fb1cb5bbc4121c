"""Talk to a log as whoever administers it: no policy, and a token that may.

What such an answer says is the log's word and proves nothing, so there is nothing to
judge it by; what a log proves is asked with the other commands.
"""

from __future__ import annotations

import random
import time
from typing import TypeVar

from tallystick_client.address import is_in_the_clear, log_address
from tallystick_client.cli.console import Shell
from tallystick_client.cli.inputs import read_token
from tallystick_client.cli.network import Choice, extra, settings_of
from tallystick_client.errors import UsageError
from tallystick_client.transport import drive
from tallystick_merkle.exchange.appending import LogAddress
from tallystick_merkle.exchange.base import Exchange

T = TypeVar("T")


def choose_log(shell: Shell, choice: Choice) -> LogAddress:
    """Put together which log is meant; raise UsageError for what is missing."""
    settings = settings_of(shell)
    server = choice.server or settings.server
    log = choice.log or settings.log
    token = read_token(choice.token_file or settings.token_file)
    if server is None:
        raise UsageError("no server: name one with --server URL")
    if log is None:
        raise UsageError("no log: name one with --log NAME")
    if not token:
        raise UsageError(
            "no token: name its file with --token-file FILE; its scope is admin"
        )
    if is_in_the_clear(server):
        shell.note("warning: the token travels unencrypted: use an https:// server")
    return log_address(server, log, origin="", token=token)


def ask(exchange: Exchange[T], command: str) -> T:
    """Drive an exchange with a log to its end."""
    with extra("client", command):
        from tallystick_client.urllib3_transport import Urllib3Transport
    transport = Urllib3Transport()
    try:
        return drive(exchange, transport, sleep=time.sleep, random=random.random)
    finally:
        transport.close()
