"""What every answer to whoever administers a log is asked and read with.

All of it is the log's word: nothing here is proven, and texts are cleaned before they
reach a terminal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tallystick_merkle.errors import MalformedError
from tallystick_merkle.exchange.answers import authorization, read_object
from tallystick_merkle.exchange.appending import LogAddress
from tallystick_merkle.exchange.base import (
    Exchange,
    Request,
    Retry,
    clean_text,
    persist,
    require,
)
from tallystick_merkle.hashing import MAX_SIZE

MAX_ANSWER = 16 * 1024 * 1024
"""Longest answer that is read, in bytes."""

MAX_PAGES = 2000
"""Most pages of one list that are asked for."""

PAGE = 1000
"""Rows asked for at once."""

Body = Mapping[str, object]
"""A JSON object of an answer."""


def ask_log(
    log: LogAddress, method: str, path: str, *, retry: Retry | None = None
) -> Exchange[dict[str, object]]:
    """Make a request without a body; give the JSON object of a good answer.

    Raises RefusedError, UnreachableError and MalformedError.
    """
    request = Request(
        method,
        f"{log.api_url}{path}",
        headers=authorization(log.token),
        limit=MAX_ANSWER,
    )
    response = require((yield from persist(request, retry or Retry())), 200)
    return read_object(response.body)


def rows_of(body: Body, name: str) -> Iterator[Body]:
    """Give the objects of a list in an answer; raise MalformedError without one."""
    rows = body.get(name)
    if not isinstance(rows, list):
        raise MalformedError("answer", f"no list {name!r}")
    for row in rows:
        if not isinstance(row, dict):
            raise MalformedError("answer", f"a row of {name!r} is no object")
        yield row


def number_of(body: Body, name: str) -> int:
    """Give a number of an answer; raise MalformedError without one."""
    value = body.get(name)
    if type(value) is not int or not 0 <= value <= MAX_SIZE:
        raise MalformedError("answer", f"no number {name!r}")
    return value


def cursor_of(body: Body, name: str) -> int | None:
    """Give where the next page begins; None at the end."""
    return None if body.get(name, 0) is None else number_of(body, name)


def text_of(body: Body, name: str) -> str:
    """Give a text of an answer, cleaned; raise MalformedError without one."""
    value = body.get(name)
    if not isinstance(value, str):
        raise MalformedError("answer", f"no text {name!r}")
    return clean_text(value)


def flag_of(body: Body, name: str) -> bool:
    """Give a yes or no of an answer; raise MalformedError without one."""
    value = body.get(name)
    if not isinstance(value, bool):
        raise MalformedError("answer", f"no yes or no {name!r}")
    return value
