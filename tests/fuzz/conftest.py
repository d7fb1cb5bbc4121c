"""What the rows of fuzzing share."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """A witness logs each piece of evidence: thousands of lines of no interest."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)
