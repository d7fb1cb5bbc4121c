"""How much of a reliability row one run tries: quick, ci or long.

quick   what `make test` can afford: a few seconds for each row
ci      what each change is held against, in minutes
long    `make torture`: the figures of docs/reliability.md
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

import pytest

T = TypeVar("T")


class Form(StrEnum):
    """How much is tried."""

    QUICK = "quick"
    CI = "ci"
    LONG = "long"

    def pick(self, *, quick: T, ci: T, long: T) -> T:
        """Give the amount that stands for this form."""
        return {Form.QUICK: quick, Form.CI: ci, Form.LONG: long}[self]

    def needs(self, least: Form, why: str) -> None:
        """Skip the test where this form tries less than `least`."""
        order = list(Form)
        if order.index(self) < order.index(least):
            pytest.skip(f"from --form {least} on: {why}")


@dataclass(frozen=True, slots=True)
class Figure:
    """What one row tried, and what went wrong.

    `row` is its name in the plan (R1 to R19), `what` says what was tried in a few
    words, `tried` and `bad` count it; `note` holds more figures in one line.
    `seconds` is how long the test took until it said so.
    """

    row: str
    what: str
    tried: int
    bad: int
    note: str
    seconds: float
