"""Read what a reader of events asks for in a query, strictly.

Names of fields hold any character, so they alone may be written with escapes, in UTF-8;
a comma between two names is written as it is, one inside a name as %2C.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from tallystick_merkle.event import MAX_FIELDS
from tallystick_server.errors import BadRequestError
from tallystick_server.web.incoming import read_number, read_query

MAX_QUERY = 8192
"""Longest query, in characters."""

MAX_EVENTS = 1000
"""Most events in one answer."""

DEFAULT_EVENTS = 100
"""How many where nothing is said."""

_PLAIN = re.compile(r"(?:[A-Za-z0-9._~!$'()*+:@/?;-]|%[0-9A-F]{2})+", re.ASCII)


@dataclass(frozen=True, slots=True)
class EventQuery:
    """What is asked of one event: all of it, or `fields` of it with a proof.

    `show_names` shows the names of the other fields of these groups, `all_names` those
    of all groups; `is_sensitive` says that sensitive values are to be shown.
    """

    fields: tuple[str, ...]
    show_names: bool
    is_sensitive: bool
    all_names: bool = False


@dataclass(frozen=True, slots=True)
class PageQuery:
    """A page of events: from index `start` on, at most `limit` of them."""

    start: int
    limit: int
    is_sensitive: bool


def read_event_query(raw: str) -> EventQuery:
    """Read `fields`, `names` and `sensitive`, each at most once.

    Raises BadRequestError.
    """
    found = _split(raw)
    all_names = found.get("names") == "all"
    show_names = all_names or _is_shown(found, "names", default="shown", more="all, ")
    is_sensitive = _is_shown(found, "sensitive")
    fields: tuple[str, ...] = ()
    if "fields" in found:
        if "sensitive" in found:
            raise BadRequestError("fields shows what it names; sensitive is for none")
        fields = tuple(map(_name, found["fields"].split(",")))
        if len(fields) > MAX_FIELDS or len(set(fields)) != len(fields):
            raise BadRequestError(f"fields: at most {MAX_FIELDS} names, each once")
    elif "names" in found:
        raise BadRequestError("names goes with fields")
    return EventQuery(fields, show_names, is_sensitive, all_names)


def read_page_query(raw: str) -> PageQuery:
    """Read `after`, `limit` and `sensitive`, each at most once.

    Raises BadRequestError.
    """
    found = read_query(raw, "after", "limit", "sensitive")
    after = read_number(found, "after") if "after" in found else -1
    limit = read_number(found, "limit") if "limit" in found else DEFAULT_EVENTS
    if not 1 <= limit <= MAX_EVENTS:
        raise BadRequestError(f"limit={limit}: expected 1 to {MAX_EVENTS}")
    return PageQuery(after + 1, limit, _is_shown(found, "sensitive"))


def _is_shown(
    found: dict[str, str], name: str, *, default: str = "hidden", more: str = ""
) -> bool:
    """Read a parameter that says shown or hidden; `more` is what else it may say."""
    value = found.get(name, default)
    if value not in ("shown", "hidden"):
        raise BadRequestError(f"query parameter {name}: expected {more}shown or hidden")
    return value == "shown"


def _split(raw: str) -> dict[str, str]:
    """Split a raw query into its parameters."""
    if len(raw) > MAX_QUERY:
        raise BadRequestError(f"a query has at most {MAX_QUERY} characters")
    found: dict[str, str] = {}
    for part in raw.split("&") if raw else []:
        name, _, value = part.partition("=")
        if name not in ("fields", "names", "sensitive") or name in found:
            raise BadRequestError(
                "query parameter: expected fields, names or sensitive, each once"
            )
        found[name] = value
    return found


def _name(part: str) -> str:
    """Read the name of a field."""
    if _PLAIN.fullmatch(part) is None:
        raise BadRequestError("fields: expected names, escaped with %XX, and commas")
    try:
        return unquote_to_bytes(part).decode()
    except UnicodeDecodeError as error:
        raise BadRequestError("fields: a name is not UTF-8") from error
