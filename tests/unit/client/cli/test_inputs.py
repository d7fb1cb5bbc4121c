from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick_client.cli.inputs import read_lines, read_token
from tallystick_client.errors import UsageError
from tallystick_merkle.tile import MAX_ENTRY

contents = st.lists(
    st.binary(max_size=20).filter(lambda entry: b"\n" not in entry), max_size=10
)


@given(contents, st.sampled_from([b"\n", b"\r\n"]), st.booleans())
def test_lines_are_numbered_and_empty_ones_are_no_entries(
    texts: list[bytes], end: bytes, is_ended: bool
) -> None:
    data = end.join(texts) + (end if is_ended and texts else b"")
    naive = data.split(b"\n")
    expected = []
    for number, text in enumerate(naive, 1):
        is_last = number == len(naive)
        entry = text if is_last else text.removesuffix(b"\r")
        if entry:
            expected.append((number, entry))

    lines = list(read_lines(io.BytesIO(data), "x"))

    assert [(line.number, line.entry) for line in lines] == expected
    assert all(line.end <= len(data) for line in lines)


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_a_line_may_be_as_long_as_an_entry(end: bytes) -> None:
    data = b"x" * MAX_ENTRY + end

    (line,) = read_lines(io.BytesIO(data), "x")

    assert len(line.entry) == MAX_ENTRY


@pytest.mark.parametrize("length", [MAX_ENTRY + 1, MAX_ENTRY + 2, 1_000_000])
def test_a_longer_line_is_named(length: int) -> None:
    lines = read_lines(io.BytesIO(b"ok\n" + b"x" * length + b"\nok\n"), "big.txt")

    assert next(lines).entry == b"ok"
    with pytest.raises(UsageError, match=r"line 2 of big\.txt is longer"):
        next(lines)


def test_a_token_is_read_without_its_line_end(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("tally_live_x\n")

    assert read_token(tmp_path / "token") == "tally_live_x"
    assert read_token(None) == ""


def test_an_empty_token_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("\n")

    with pytest.raises(UsageError, match="is empty"):
        read_token(tmp_path / "token")
