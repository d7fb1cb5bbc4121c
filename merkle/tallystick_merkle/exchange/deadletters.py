"""Look after the refused events of a log.

    GET    <api>/dead-letters?limit=N&before=ID
    GET    <api>/dead-letters/{id}
    POST   <api>/dead-letters/{id}/redrive
    DELETE <api>/dead-letters/{id}

Needs a token with the scope `admin`.  The two that change something are asked once: a
letter whose answer was lost may be gone, and looking again says so.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tallystick_merkle.errors import MalformedError
from tallystick_merkle.exchange.appending import LogAddress
from tallystick_merkle.exchange.base import NO_RETRY, Exchange, Retry, clean_text
from tallystick_merkle.exchange.keeping import (
    MAX_PAGES,
    PAGE,
    Body,
    ask_log,
    cursor_of,
    flag_of,
    number_of,
    rows_of,
    text_of,
)
from tallystick_merkle.spelling import parse_base64

MAX_BODY = 256 * 1024
"""Longest body of a letter, in bytes."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A refused event without what it says.

    `size` is that of the body as it came; `is_kept` says that it is there, and
    `is_readable` that it opens.  `pointer` is the place of the fault.
    """

    id: int
    received_at: str
    principal: str
    content_type: str
    code: str
    pointer: str
    detail: str
    size: int
    is_kept: bool
    is_readable: bool


@dataclass(frozen=True, slots=True)
class LetterPage:
    """Letters, newest first; `next_before` goes on, None at the end.

    `count` and `bytes` are of all that is kept; the others of what was not, since the
    start of the server.
    """

    letters: tuple[Letter, ...]
    count: int
    bytes: int
    pushed_out: int
    not_kept: int
    next_before: int | None


@dataclass(frozen=True, slots=True)
class WholeLetter:
    """A letter and what came; `body` is None where it is not there."""

    letter: Letter
    body: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Redriven:
    """A letter that is an entry of the log now."""

    id: int
    index: int
    event_id: str
    is_repeat: bool
    warnings: tuple[str, ...]


def list_letters(
    log: LogAddress,
    *,
    before: int | None = None,
    limit: int = PAGE,
    retry: Retry | None = None,
) -> Exchange[LetterPage]:
    """Ask for letters, newest first, those with an id below `before`."""
    query = f"?limit={min(limit, PAGE)}"
    query += "" if before is None else f"&before={before}"
    body = yield from ask_log(log, "GET", f"/dead-letters{query}", retry=retry)
    return LetterPage(
        tuple(_read_letter(row) for row in rows_of(body, "letters")),
        number_of(body, "count"),
        number_of(body, "bytes"),
        number_of(body, "pushed_out"),
        number_of(body, "not_kept"),
        cursor_of(body, "next_before"),
    )


def list_all_letters(
    log: LogAddress, *, retry: Retry | None = None
) -> Exchange[list[Letter]]:
    """Ask for every letter that is there now, oldest first."""
    found: list[Letter] = []
    before: int | None = None
    for _ in range(MAX_PAGES):
        page = yield from list_letters(log, before=before, retry=retry)
        found += page.letters
        following = page.next_before
        if following is None:
            return found[::-1]
        if before is not None and following >= before:
            break
        before = following
    raise MalformedError("answer", "the pages of dead letters do not end")


def get_letter(
    log: LogAddress, number: int, *, retry: Retry | None = None
) -> Exchange[WholeLetter]:
    """Ask for one letter with its body."""
    body = yield from ask_log(log, "GET", f"/dead-letters/{number}", retry=retry)
    letter, came = _read_letter(body), None
    if letter.id != number:
        raise MalformedError("answer", "of another letter")
    if body.get("body", "") is not None:
        said = body.get("body")
        if not isinstance(said, str):
            raise MalformedError("answer", "no text 'body'")
        came = parse_base64(
            said.encode("ascii", "replace"),
            what="answer",
            where="body",
            longest=MAX_BODY,
        )
    return WholeLetter(letter, came)


def redrive_letter(log: LogAddress, number: int) -> Exchange[Redriven]:
    """Have a letter submitted again, once.

    Raises RefusedError with the event's own refusal; the letter is still there then.
    """
    path = f"/dead-letters/{number}/redrive"
    body = yield from ask_log(log, "POST", path, retry=NO_RETRY)
    warnings = body.get("warnings")
    if not isinstance(warnings, list):
        raise MalformedError("answer", "no list 'warnings'")
    return Redriven(
        number_of(body, "id"),
        number_of(body, "index"),
        text_of(body, "event_id"),
        flag_of(body, "is_repeat"),
        tuple(clean_text(str(one)) for one in warnings),
    )


def drop_letter(log: LogAddress, number: int) -> Exchange[None]:
    """Drop a letter for good; RefusedError with status 404 if it is not there."""
    yield from ask_log(log, "DELETE", f"/dead-letters/{number}", retry=NO_RETRY)


def _read_letter(row: Body) -> Letter:
    return Letter(
        id=number_of(row, "id"),
        received_at=text_of(row, "received_at"),
        principal=text_of(row, "principal"),
        content_type=text_of(row, "content_type"),
        code=text_of(row, "code"),
        pointer=text_of(row, "pointer"),
        detail=text_of(row, "detail"),
        size=number_of(row, "size"),
        is_kept=flag_of(row, "is_kept"),
        is_readable=flag_of(row, "is_readable"),
    )
