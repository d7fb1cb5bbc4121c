from __future__ import annotations

import gzip
import io
import json
from contextlib import suppress
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick_client.errors import UsageError
from tallystick_client.mapping.records import RecordError
from tallystick_client.mapping.sources import Raw, read_records
from tallystick_merkle.event import Value


def opened(data: bytes) -> io.BufferedReader:
    return cast("io.BufferedReader", io.BufferedReader(io.BytesIO(data)))


def read(data: bytes, *, wrapping: str | None = None) -> list[Raw]:
    file = opened(data)
    return list(
        read_records(file, name="file", lists=(("Records",),), wrapping=wrapping)
    )


def values(data: bytes, *, wrapping: str | None = None) -> list[Value]:
    found = []
    for raw in read(data, wrapping=wrapping):
        assert not isinstance(raw.value, RecordError)
        found.append(raw.value)
    return found


@pytest.mark.parametrize(
    "data",
    [
        b'{"a":1}\n{"a":2}\n',
        b'\xef\xbb\xbf{"a":1}\r\n\r\n  {"a":2}',
        b'[{"a":1},{"a":2}]',
        b'[\n {"a":1},\n {\n  "a":2}\n]\n',
        b'{"Records":[{"a":1},{"a":2}]}',
        b'{\n"Records":[\n{"a":1},{"a":2}]}',
        b'{"Records":[{"a":1}]}\n{"Records":[{"a":2}]}',
        gzip.compress(b'{"a":1}\n{"a":2}'),
    ],
    ids=[
        *("lines", "mark and blanks", "list", "spread list", "held list"),
        *("spread held list", "held lists", "gzip"),
    ],
)
def test_records_are_found_however_they_are_put(data: bytes) -> None:
    assert values(data) == [{"a": 1}, {"a": 2}]
    assert [raw.number for raw in read(data)] == [1, 2]


def test_one_document_over_many_lines_is_one_record() -> None:
    assert values(json.dumps({"a": {"b": [1]}}, indent=2).encode()) == [
        {"a": {"b": [1]}}
    ]


@pytest.mark.parametrize("broken", [0, 1, 2])
def test_a_broken_line_keeps_none_of_the_others_out(broken: int) -> None:
    lines = [b'{"a":1}', b'{"a":2}', b'{"a":3}']
    lines[broken] = b'{"a":'

    found = read(b"\n".join(lines))

    assert [isinstance(raw.value, RecordError) for raw in found] == [
        at == broken for at in range(3)
    ]
    assert [raw.line for raw in found] == [1, 2, 3]


@pytest.mark.parametrize("data", [b"not json", b"{", b"\xff\xfe{}"])
def test_a_file_that_is_no_json_is_refused_whole(data: bytes) -> None:
    with pytest.raises(UsageError, match="file: not"):
        read(data)


def test_an_empty_file_has_no_records() -> None:
    assert read(b"") == []
    assert read(b"\n \n") == []


def test_a_packed_file_that_is_cut_short_gives_what_it_has() -> None:
    data = gzip.compress(b"".join(b'{"a":%d}\n' % at for at in range(50_000)))
    file = opened(data[: len(data) // 2])
    records = read_records(file, name="file", lists=(), wrapping=None)

    assert next(records).value == {"a": 0}
    with pytest.raises(UsageError, match="cannot read file on from line"):
        list(records)


@given(st.binary(max_size=200))
def test_any_bytes_are_records_or_a_usage_error(data: bytes) -> None:
    with suppress(UsageError):
        read(data, wrapping="cloudevents")
