"""Mapping files: TOML, read strictly, so that a misspelt word is not ignored.

    name = "door"                       # stands in every event, and in its id
    version = 1
    action = "/event"                   # a rule; "/..." is a place in the record
    occurred_at = { path = "/when", format = "unix-s" }
    outcome = [{ value = "denied", where = { "/open" = false } }, "success"]
    actor = { type = "employee", id = "/badge" }

A *rule* is a text (a place if it begins with a slash, else a constant), a table with
one of `path`, `value`, `template` or `part` and any of `where`, `pattern`, `lookup`
and `style`, or a list of rules of which the first that finds something counts.
`docs/how-to/map-your-own.md` explains each word.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from typing import TypeVar

from tallystick_client.errors import UsageError
from tallystick_client.mapping.cloudevents import CLOUDEVENTS
from tallystick_client.mapping.engine import RecordMapping, When, Who
from tallystick_client.mapping.fitting import DETAILS
from tallystick_client.mapping.records import Pointer, parse_pointer
from tallystick_client.mapping.rules import Condition, Rule, Ways
from tallystick_client.mapping.spelling import RFC3339, UNIX
from tallystick_merkle.event import EXTRA_ROOTS, Value

MAX_FILE = 256 * 1024
"""Longest mapping file in bytes."""

MAX_LINE = 4096
"""Longest line of it: the time to read a dotted name grows with its square."""

_T = TypeVar("_T")
_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}", re.ASCII)
_HOLE = re.compile(r"\{([^{}]*)\}")
_ZONE = re.compile(r"([+-])(\d{2}):(\d{2})", re.ASCII)
_FIND = ("path", "value", "template", "part")
_CHANGE = ("where", "pattern", "lookup", "style")
_KEYS = frozenset(
    {
        *("name", "version", "about", "action", "actor", "occurred_at", "outcome"),
        *("code", "region", "targets", "fields", "identity", "records", "unwrap"),
        *("skip", "empty", "parts", "tables"),
    }
)
_NEEDED = ("name", "version", "action", "actor", "occurred_at", "outcome")


def load_mapping(data: bytes, *, file: str) -> RecordMapping:
    """Read a mapping file; raise UsageError naming the file and the key."""
    if len(data) > MAX_FILE or max(map(len, data.split(b"\n"))) > MAX_LINE:
        raise UsageError(f"{file}: longer than a mapping, or a line of it is")
    try:
        table = tomllib.loads(data.decode())
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{file} is not TOML: {error}") from error
    try:
        return _Reader(table).mapping()
    except _WrongError as error:
        raise UsageError(f"{file}: {error}") from error


class _WrongError(Exception):
    """A part of a mapping that is not as it has to be."""


class _Reader:
    """Reads one mapping; its parts and tables are known by name."""

    def __init__(self, table: Mapping[str, object]) -> None:
        _only(table, _KEYS, "the mapping")
        for key in _NEEDED:
            if key not in table:
                raise _WrongError(f"{key} is missing")
        self._table = table
        self._tables = _table(table.get("tables", {}), "tables")
        self._parts: dict[str, Ways] = {}
        for name, rule in _table(table.get("parts", {}), "parts").items():
            self._parts[name] = self._ways(rule, f"parts.{name}")

    def mapping(self) -> RecordMapping:
        """Read all of it."""
        table = self._table
        name, version = _text(table["name"], "name"), table["version"]
        if not _NAME.fullmatch(name):
            raise _WrongError("name: expected lower-case letters, digits and dashes")
        if type(version) is not int or not 1 <= version <= 1_000_000:
            raise _WrongError("version: expected an integer from 1")
        unwrap = table.get("unwrap")
        if unwrap not in {None, CLOUDEVENTS}:
            raise _WrongError(f"unwrap: the only wrapping is {CLOUDEVENTS!r}")
        skip = _listed(table.get("skip", []), "skip", self._conditions)
        empty = _listed(table.get("empty", []), "empty", _text)
        return RecordMapping(
            name=name,
            version=version,
            action=self._ways(table["action"], "action"),
            actor=_listed(table["actor"], "actor", self._who),
            occurred_at=_listed(table["occurred_at"], "occurred_at", self._when),
            outcome=self._ways(table["outcome"], "outcome"),
            code=self._ways(table.get("code", []), "code"),
            region=self._ways(table.get("region", []), "region"),
            targets=_listed(table.get("targets", []), "targets", self._target),
            fields=self._fields(_table(table.get("fields", {}), "fields")),
            identity=_listed(table.get("identity", []), "identity", _place),
            records=_listed(table.get("records", []), "records", _place),
            unwrap=None if unwrap is None else CLOUDEVENTS,
            skip=skip,
            empty=frozenset({"", *empty}),
        )

    def _fields(self, table: Mapping[str, object]) -> dict[Pointer, Ways]:
        found: dict[Pointer, Ways] = {}
        for name, rule in table.items():
            parts = tuple(name.split("/"))
            if parts[0] not in EXTRA_ROOTS - {DETAILS} or "" in parts:
                roots = ", ".join(sorted(EXTRA_ROOTS - {DETAILS}))
                raise _WrongError(f"fields.{name}: a name begins with one of {roots}")
            found[parts] = self._ways(rule, f"fields.{name}")
        return found

    def _ways(self, data: object, where: str) -> Ways:
        """Read a rule, or a list of rules."""
        return _listed(data, where, self._rule)

    def _rule(self, data: object, where: str) -> Rule:
        if isinstance(data, str):
            if data.startswith("/"):
                return Rule(path=_place(data, where))
            return Rule(value=data)
        table = _table(data, where)
        _only(table, {*_FIND, *_CHANGE}, where)
        if sum(key in table for key in _FIND) != 1:
            raise _WrongError(f"{where}: expected exactly one of {', '.join(_FIND)}")
        style = table.get("style")
        if style not in {None, "kebab"}:
            raise _WrongError(f"{where}: the only style is 'kebab'")
        return Rule(
            path=_maybe(table, "path", where, _place),
            value=_maybe(table, "value", where, _scalar),
            template=_maybe(table, "template", where, self._template),
            part=_maybe(table, "part", where, self._part),
            where=self._conditions(table.get("where", {}), f"{where}.where"),
            pattern=_maybe(table, "pattern", where, _pattern),
            lookup=_maybe(table, "lookup", where, self._lookup),
            is_kebab=style == "kebab",
        )

    def _template(self, data: object, where: str) -> tuple[str | Ways, ...]:
        """Read a template: `{/place}` and `{part}` are holes."""
        pieces: list[str | Ways] = []
        for number, text in enumerate(_HOLE.split(_text(data, where))):
            if number % 2 == 0:
                pieces += [text] if text else []
            elif text.startswith("/"):
                pieces.append((Rule(path=_place(text, where)),))
            else:
                pieces.append(self._part(text, where))
        return tuple(pieces)

    def _part(self, data: object, where: str) -> Ways:
        name = _text(data, where)
        if name not in self._parts:
            raise _WrongError(f"{where}: there is no part {name!r} above it")
        return self._parts[name]

    def _lookup(self, data: object, where: str) -> Mapping[str, Value]:
        name = _text(data, where)
        table = _table(self._tables.get(name), f"tables.{name}")
        return {
            key: _scalar(item, f"tables.{name}.{key}") for key, item in table.items()
        }

    def _conditions(self, data: object, where: str) -> tuple[Condition, ...]:
        return tuple(
            _condition(_place(place, where), item, f"{where}.{place}")
            for place, item in _table(data, where).items()
        )

    def _when(self, data: object, where: str) -> When:
        table = {"path": data} if isinstance(data, str) else _table(data, where)
        _only(table, {"path", "format", "zone", "where"}, where)
        how = _text(table.get("format", RFC3339), where)
        if how != RFC3339 and how not in UNIX and "%" not in how:
            known = ", ".join((RFC3339, *UNIX))
            raise _WrongError(f"{where}: format is {known}, or a pattern of strptime")
        zone = _ZONE.fullmatch(_text(table.get("zone", "+00:00"), where))
        if zone is None or int(zone[2]) > 23 or int(zone[3]) > 59:
            raise _WrongError(f"{where}: zone is an offset from UTC like '+01:00'")
        minutes = int(zone[2]) * 60 + int(zone[3])
        return When(
            _place(table.get("path"), where),
            how,
            minutes if zone[1] == "+" else -minutes,
            self._conditions(table.get("where", {}), f"{where}.where"),
        )

    def _who(self, data: object, where: str, *more: str) -> Who:
        table = _table(data, where)
        _only(table, {"type", "id", "where", *more}, where)
        for key in ("type", "id"):
            if key not in table:
                raise _WrongError(f"{where}: {key} is missing")
        person = table.get("person")
        if person is not None and not isinstance(person, bool):
            raise _WrongError(f"{where}: person is true or false")
        return Who(
            self._ways(table["type"], f"{where}.type"),
            self._ways(table["id"], f"{where}.id"),
            self._conditions(table.get("where", {}), f"{where}.where"),
            _maybe(table, "each", where, _place),
            person,
        )

    def _target(self, data: object, where: str) -> Who:
        return self._who(data, where, "each", "person")


def _condition(path: Pointer, data: object, where: str) -> Condition:
    """Read what must hold at a place."""
    if not isinstance(data, dict):
        return Condition(path, values=_listed(data, where, _scalar))
    _only(data, {"least", "most", "matches", "exists"}, where)
    for key in ("least", "most"):
        if key in data and type(data[key]) is not int:
            raise _WrongError(f"{where}: {key} is an integer")
    if "exists" in data and not isinstance(data["exists"], bool):
        raise _WrongError(f"{where}: exists is true or false")
    return Condition(
        path,
        least=data.get("least"),
        most=data.get("most"),
        matches=_maybe(data, "matches", where, _pattern),
        exists=data.get("exists"),
    )


def _listed(
    data: object, where: str, read: Callable[[object, str], _T]
) -> tuple[_T, ...]:
    """Read a list of things, or one thing as a list of it."""
    items = data if isinstance(data, list) else [data]
    return tuple(read(item, where) for item in items)


def _maybe(
    table: Mapping[str, object], key: str, where: str, read: Callable[[object, str], _T]
) -> _T | None:
    return read(table[key], f"{where}.{key}") if key in table else None


def _only(
    table: Mapping[str, object], known: set[str] | frozenset[str], where: str
) -> None:
    for key in table:
        if key not in known:
            raise _WrongError(
                f"{where}: {key!r} is not one of {', '.join(sorted(known))}"
            )


def _table(data: object, where: str) -> Mapping[str, object]:
    if not isinstance(data, dict):
        raise _WrongError(f"{where}: expected a table")
    return data


def _text(data: object, where: str) -> str:
    if not isinstance(data, str):
        raise _WrongError(f"{where}: expected a text")
    return data


def _scalar(data: object, where: str) -> Value:
    if not isinstance(data, str | int):
        raise _WrongError(f"{where}: expected a text, an integer, true or false")
    return data


def _place(data: object, where: str) -> Pointer:
    text = _text(data, where)
    try:
        return parse_pointer(text)
    except ValueError as error:
        raise _WrongError(f"{where}: {error}") from error


def _pattern(data: object, where: str) -> re.Pattern[str]:
    text = _text(data, where)
    try:
        found = re.compile(text)
    except re.error as error:
        raise _WrongError(f"{where}: {text!r} is not a pattern: {error}") from error
    if found.groups > 1:
        raise _WrongError(f"{where}: {text!r} has more than one group")
    return found
