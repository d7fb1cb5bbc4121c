"""A log in memory and clients of both kinds on it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tallystick_client.trust_directory import DirectoryTrust
from tallystick_merkle.policy import Policy
from tests.unit.client.drivers import KINDS, Driver, Open, open_driver
from tests.unit.client.fake_log import (
    ORIGIN,
    POLICY,
    FakeLog,
)


@pytest.fixture
def log() -> FakeLog:
    return FakeLog()


@pytest.fixture(params=KINDS)
def connect(request: pytest.FixtureRequest, log: FakeLog, tmp_path: Path) -> Open:
    """Open a client of one kind on the log, with its state below the test's path."""

    def open_one(*, policy: Policy = POLICY, keep: bool = True) -> Driver:
        return open_driver(
            request.param, log, tmp_path / "state" if keep else None, policy
        )

    return open_one


@pytest.fixture
def trust(tmp_path: Path) -> DirectoryTrust:
    return DirectoryTrust(tmp_path / "state", ORIGIN)
