"""A log on disk for the tests that damage one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tallystick_merkle.genesis import EVENTS
from tests.unit.server.log.stored_logs import (
    StoredLog,
    known_log,
    make_log,
)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> StoredLog:
    """A sound log."""
    return make_log(tmp_path_factory.mktemp("template"))


@pytest.fixture
def log(template: StoredLog, tmp_path: Path) -> StoredLog:
    """A copy of the sound log, to be damaged."""
    shutil.copytree(template.data, tmp_path / "data")
    return known_log(tmp_path / "data", template.known)


@pytest.fixture(scope="module")
def event_template(tmp_path_factory: pytest.TempPathFactory) -> StoredLog:
    """A sound log of events."""
    return make_log(tmp_path_factory.mktemp("events"), EVENTS)


@pytest.fixture
def event_log(event_template: StoredLog, tmp_path: Path) -> StoredLog:
    """A copy of the sound log of events, to be damaged."""
    shutil.copytree(event_template.data, tmp_path / "data")
    return known_log(tmp_path / "data", event_template.known)
