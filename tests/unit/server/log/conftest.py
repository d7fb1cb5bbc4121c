"""A log on disk for the tests that damage one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

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
