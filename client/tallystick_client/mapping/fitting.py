"""Make the free members of an event fit, and say what had to be changed for that.

    folded  written as JSON text into one field: a value with names that fields cannot
            have, nested too deep, not valid Unicode, or with too many fields of its own
    more    members of the record for which there was no field left, as JSON text
    split   a text too long for one field: it goes on in fields named "NAME (2)", …
    cut     a text that lost its end, since the event was full: with a digest of it all

All of it stands in `details/mapping`.  What is folded or split is still all there; of
what is cut, the digest allows to recognise the original.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from hashlib import sha256

from tallystick_client.mapping.records import (
    Pointer,
    RecordError,
    find,
    format_json,
    format_pointer,
)
from tallystick_merkle.canonical import pack
from tallystick_merkle.errors import MalformedError
from tallystick_merkle.event import (
    MAX_EVENT,
    MAX_FIELD,
    MAX_FIELDS,
    MAX_NAME,
    MAX_PARTS,
    Value,
    check_name,
    check_value,
    flatten,
)

DETAILS = "details"
"""The member that takes the rest of a record."""

NOTES = "mapping"
"""The member of it that says by which mapping, and what was folded or cut."""

_MOST_FIELDS = MAX_FIELDS - 5  # the notes are at most five
_RESERVES = (512, 4 * 1024, 16 * 1024)
_OVERHEAD = 16
_CHUNK = 15 * 1024

Fields = dict[Pointer, Value]
"""Fields by the parts of their names."""


def fit(extra: Mapping[str, Value], *, mapping: str) -> dict[str, Value]:
    """Give the free members of an event as they fit, with the notes.

    `extra` is made of the roots that events have; the rest of the record is its
    `details`.  Raises RecordError for what cannot be made to fit.
    """
    details = dict(_as_object(extra.get(DETAILS)))
    notes: Fields = {(DETAILS, NOTES, "name"): mapping}
    if NOTES in details:  # the record has a member of this name too
        details[NOTES] = {"source": details[NOTES]}
    more = {name: details.pop(name) for name in list(details) if not _is_name(name)}
    tree: dict[str, Value] = {**extra, DETAILS: details}
    folded: list[str] = []
    fields = dict(_fields_of(tree, (), folded))
    fields.pop((DETAILS,), None)  # all of the record went elsewhere
    _fold_until_few(fields, tree, folded)
    _move_until_few(fields, tree, more)
    if more:
        notes[DETAILS, NOTES, "more"] = format_json(more)
    split = _split({**fields, **notes}, folded)
    if split is not None:
        fields, notes = split, {}
    if folded:
        notes[DETAILS, NOTES, "folded"] = [*sorted(folded)]
    return _shorten({**fields, **notes})


def _as_object(value: Value) -> dict[str, Value]:
    return value if isinstance(value, dict) else {}


def _is_name(name: str) -> bool:
    try:
        check_name(name, where="")
    except MalformedError:
        return False
    return True


def _fields_of(
    value: Value, place: Pointer, folded: list[str]
) -> Iterator[tuple[Pointer, Value]]:
    """List the fields of a value; what no field can hold is folded."""
    if isinstance(value, dict) and value and len(place) < MAX_PARTS:
        if all(map(_is_name, value)):
            for name, item in value.items():
                yield from _fields_of(item, (*place, name), folded)
            return
    else:
        try:
            check_value(value, where="")
            pack(value)
        except MalformedError:
            pass
        else:
            yield place, value
            return
    folded.append(format_pointer(place))
    yield place, format_json(value)


def _fold_until_few(
    fields: Fields, tree: Mapping[str, Value], folded: list[str]
) -> None:
    """Fold objects of the details until there are few enough fields.

    The smallest one that is enough by itself, else the largest.
    """
    while len(fields) > _MOST_FIELDS:
        excess = len(fields) - _MOST_FIELDS
        counts = Counter(
            place[:size]
            for place in fields
            if place[0] == DETAILS
            for size in range(2, len(place))
        )
        found = sorted((count, place) for place, count in counts.items() if count > 1)
        if not found:
            return
        enough = [one for one in found if one[0] > excess]
        _, chosen = enough[0] if enough else found[-1]
        inside = [place for place in fields if place[: len(chosen)] == chosen]
        for place in inside:
            del fields[place]
            if (name := format_pointer(place)) in folded:
                folded.remove(name)
        fields[chosen] = format_json(find(dict(tree), chosen))
        folded.append(format_pointer(chosen))


def _move_until_few(
    fields: Fields, tree: Mapping[str, Value], more: dict[str, Value]
) -> None:
    """Move the last members of the details away until there are few enough fields."""
    places = [place for place in fields if place[0] == DETAILS]
    while len(fields) > _MOST_FIELDS and places:
        place = places.pop()
        del fields[place]
        more[place[1]] = find(dict(tree), place[:2])


def _split(fields: Fields, folded: list[str]) -> Fields | None:
    """Spread what is too long for one field over several; None if there is no room."""
    long = [place for place, value in fields.items() if len(pack(value)) > MAX_FIELD]
    texts = {place: _text(fields[place]) for place in long}
    pieces = {place: _pieces(text) for place, text in texts.items()}
    count = len(fields) + sum(len(one) - 1 for one in pieces.values())
    size = sum(_size(place, value) for place, value in fields.items())
    if not long or count > _MOST_FIELDS or size > MAX_EVENT - _RESERVES[1]:
        return None
    kept: Fields = {}
    for place, value in fields.items():
        if place not in pieces:
            kept[place] = value
            continue
        if not isinstance(value, str):
            folded.append(format_pointer(place))
        for number, piece in enumerate(pieces[place], 1):
            more = place if number == 1 else _continued(place, number)
            if (number > 1 and more in fields) or len(more[-1]) > MAX_NAME:
                return None
            kept[more] = piece
    kept[DETAILS, NOTES, "split"] = [format_pointer(place) for place in long]
    return kept


def _continued(place: Pointer, number: int) -> Pointer:
    """Name the field in which a text goes on."""
    return (*place[:-1], f"{place[-1]} ({number})")


def _text(value: Value) -> str:
    return value if isinstance(value, str) else format_json(value)


def _pieces(text: str) -> list[str]:
    """Cut a text into pieces that are not too long; together they are the text."""
    pieces = []
    data = text.encode()
    while data:
        piece = data[:_CHUNK].decode("utf-8", "ignore")
        pieces.append(piece)
        data = data[len(piece.encode()) :]
    return pieces


def _shorten(fields: Fields) -> dict[str, Value]:
    """Cut what is too long, as little as possible, and put the fields together."""
    for reserve in _RESERVES:
        kept = _cut(fields, MAX_EVENT - reserve)
        body = _nested(kept)
        try:
            flatten(body)
        except MalformedError:
            continue
        return body
    raise RecordError("the record is too large for an event, even when it is cut")


def _cut(fields: Fields, room: int) -> Fields:
    """Cut fields to the longest that one may be, and to what all have room for."""
    sizes = {place: _size(place, value) for place, value in fields.items()}
    most = min(MAX_FIELD, _level(sorted(sizes.values()), room))
    kept: Fields = {}
    cut: list[Value] = []
    for place, value in fields.items():
        if sizes[place] <= most:
            kept[place] = value
            continue
        data = _text(value).encode()
        left = most - _size(place, "") - _OVERHEAD
        digest = sha256(data).hexdigest()
        name = format_pointer(place)
        cut.append({"member": name, "bytes": len(data), "sha256": digest})
        kept[place] = data[: max(left, 0)].decode("utf-8", "ignore")
    if cut:
        kept[DETAILS, NOTES, "cut"] = cut
    return kept


def _size(place: Pointer, value: Value) -> int:
    """Count the bytes of a field, or a few more."""
    return len(pack(format_pointer(place))) + len(pack(value)) + 1


def _level(sizes: list[int], room: int) -> int:
    """Find the size to which all may be cut so that together they have room."""
    for position, size in enumerate(sizes):
        share = room // (len(sizes) - position)
        if size > share:
            return share
        room -= size
    return MAX_FIELD


def _nested(fields: Fields) -> dict[str, Value]:
    """Put fields together again."""
    body: dict[str, Value] = {}
    for (*holders, name), value in fields.items():
        holder = body
        for part in holders:
            inner = holder.setdefault(part, {})
            assert isinstance(inner, dict)  # no field's name begins with another's
            holder = inner
        holder[name] = value
    return body
