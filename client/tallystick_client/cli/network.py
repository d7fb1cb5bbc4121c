"""Which log a command means: its options over the settings, put together and checked.

The transports are imported by whoever opens a client, so that commands which need no
network work without them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tallystick_client.address import is_in_the_clear, log_address, origin_of
from tallystick_client.cli.console import Shell
from tallystick_client.cli.inputs import read_policy, read_token
from tallystick_client.cli.settings import Settings, load_settings, state_directory
from tallystick_client.errors import MissingExtraError, UsageError
from tallystick_merkle.exchange.appending import LogAddress
from tallystick_merkle.policy import Policy


@dataclass(frozen=True, slots=True)
class Choice:
    """What the options of a command say about the log; None where they say nothing."""

    server: str | None = None
    log: str | None = None
    policy: Path | None = None
    origin: str | None = None
    token_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """A log to talk to, the policy to judge it by, and where its state lies."""

    log: LogAddress
    policy: Policy
    state: Path


def settings_of(shell: Shell) -> Settings:
    """Read the settings that hold where an option is missing."""
    return load_settings(os.environ, shell.config)


def choose_policy(given: Path | None, settings: Settings) -> Policy:
    """Read the policy that was given, or the one of the settings."""
    path = given or settings.policy
    if path is None:
        raise UsageError("no policy: name one with --policy FILE")
    return read_policy(path)


def choose_state(shell: Shell, settings: Settings) -> Path:
    """Give the state directory."""
    return state_directory(shell.state, settings, os.environ)


def choose_target(shell: Shell, choice: Choice) -> Target:
    """Put together which log is meant; raise UsageError for what is missing."""
    settings = settings_of(shell)
    policy = choose_policy(choice.policy, settings)
    server = choice.server or settings.server
    log = choice.log or settings.log
    if server is None:
        raise UsageError("no server: name one with --server URL")
    if log is None:
        raise UsageError("no log: name one with --log NAME")
    address = log_address(
        server,
        log,
        origin=origin_of(policy, choice.origin or settings.origin),
        token=read_token(choice.token_file or settings.token_file),
    )
    if address.token and is_in_the_clear(server):
        shell.note("warning: the token travels unencrypted: use an https:// server")
    return Target(address, policy, choose_state(shell, settings))


@contextmanager
def extra(name: str, command: str) -> Iterator[None]:
    """Turn a missing library into one clear line about the extra that brings it."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("tallystick"):
            raise
        raise MissingExtraError(
            f"tallystick {command} needs: pip install 'tallystick[{name}]'"
        ) from error
