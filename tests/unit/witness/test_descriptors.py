"""File descriptors: raised where that may be, and fewer connections where not."""

from __future__ import annotations

import resource
from collections.abc import Iterator

import pytest

from tallystick_witness.descriptors import RESERVED, make_room


@pytest.fixture(autouse=True)
def limit() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def soft() -> int:
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def lower(soft_limit: int) -> int:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft_limit, hard))
    return hard


def test_a_low_limit_is_raised_to_what_is_needed() -> None:
    lower(200)

    assert make_room(100) == 100
    assert soft() == 100 + RESERVED


def test_a_limit_that_is_high_enough_is_left_alone() -> None:
    lower(300)

    assert make_room(100) == 100
    assert soft() == 300


def test_where_the_limit_cannot_be_raised_fewer_connections_are_taken() -> None:
    hard = lower(200)

    assert make_room(hard) == hard - RESERVED
    assert soft() == hard
