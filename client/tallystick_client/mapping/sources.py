"""Records out of files: JSON lines, one JSON document, or lists inside of documents.

A file whose first line is a whole JSON value is read line by line, without holding
more than one; all others are read as one document.  A document may be a list of
records, or hold one where the mapping says (`{"Records": […]}`, `{"items": […]}`).
Files that are gzip are unpacked as they are read.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader

from tallystick_client.errors import UsageError
from tallystick_client.mapping.cloudevents import CLOUDEVENTS, unwrap
from tallystick_client.mapping.records import Pointer, RecordError, find, parse_json
from tallystick_merkle.event import Value

MAX_DOCUMENT = 256 * 1024 * 1024
"""Longest line or document, in bytes, unpacked."""

_GZIP = b"\x1f\x8b"
_BLANK = b" \t\r\n\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Raw:
    """A record and where it stands: its line from 1, or its place in a document.

    `value` is a RecordError for what could not be read.
    """

    number: int
    line: int
    value: Value | RecordError


def read_records(
    file: BufferedReader, *, name: str, lists: tuple[Pointer, ...], wrapping: str | None
) -> Iterator[Raw]:
    """Read the records of a file in order; `number` counts them from 1.

    Raises UsageError for a file that cannot be read on: what came before was given.
    """
    number = 0
    for line, value in _documents(file, name):
        for record in _records(value, lists):
            number += 1
            try:
                item = record
                if wrapping == CLOUDEVENTS and not isinstance(record, RecordError):
                    item = unwrap(record)
            except RecordError as error:
                item = error
            yield Raw(number, line, item)


def _documents(
    file: BufferedReader, name: str
) -> Iterator[tuple[int, Value | RecordError]]:
    """Read JSON values with the lines on which they begin."""
    lines = _lines(file, name)
    for line, first in lines:
        try:
            value = parse_json(first)
        except RecordError as error:
            yield from _whole(line, first, lines, name, error)
            return
        yield line, value
        break
    for line, data in lines:
        try:
            yield line, parse_json(data)
        except RecordError as error:
            yield line, error


def _whole(
    line: int,
    begun: bytes,
    lines: Iterator[tuple[int, bytes]],
    name: str,
    reason: RecordError,
) -> Iterator[tuple[int, Value | RecordError]]:
    """Read a file as one document, or else as lines whose first is broken."""
    rest = []
    size = len(begun)
    for number, data in lines:
        rest.append((number, data))
        size += len(data)
        if size > MAX_DOCUMENT:
            raise UsageError(f"{name} is neither JSON lines nor a document: {reason}")
    try:
        yield line, parse_json(b"\n".join([begun, *(data for _, data in rest)]))
        return
    except RecordError as error:
        if not rest or not _has_value(rest):
            raise UsageError(f"{name}: {error}") from error
    yield line, reason
    for number, data in rest:
        try:
            yield number, parse_json(data)
        except RecordError as error:
            yield number, error


def _has_value(lines: list[tuple[int, bytes]]) -> bool:
    """Whether some line is a whole JSON object."""
    for _, data in lines:
        try:
            if isinstance(parse_json(data), dict):
                return True
        except RecordError:
            continue
    return False


def _lines(file: BufferedReader, name: str) -> Iterator[tuple[int, bytes]]:
    """Read lines that are not blank, unpacked; a byte order mark is left out."""
    number = 0
    try:
        is_packed = file.peek(len(_GZIP)).startswith(_GZIP)
        stream = gzip.GzipFile(fileobj=file) if is_packed else file
        while raw := stream.readline(MAX_DOCUMENT + 1):
            number += 1
            if len(raw) > MAX_DOCUMENT:
                raise UsageError(f"{name}: line {number} is over {MAX_DOCUMENT} bytes")
            data = raw.strip(_BLANK) if number == 1 else raw.strip(_BLANK[:4])
            if data:
                yield number, data
    except (OSError, EOFError, zlib.error) as error:
        raise UsageError(
            f"cannot read {name} on from line {number}: {error}"
        ) from error


def _records(
    value: Value | RecordError, lists: tuple[Pointer, ...]
) -> list[Value | RecordError]:
    """Take the records out of a document."""
    if isinstance(value, RecordError):
        return [value]
    for place in lists:
        found = find(value, place)
        if isinstance(found, list):
            return list(found)
    return list(value) if isinstance(value, list) else [value]
