"""The text of a checkpoint has one spelling."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick_merkle.checkpoint import (
    MAX_CHECKPOINT,
    Checkpoint,
    check_origin,
    format_checkpoint,
    parse_checkpoint,
)
from tallystick_merkle.errors import MalformedError
from tallystick_merkle.hashing import MAX_SIZE
from tests.unit.merkle.hostile import HASHES, check_parser, hostile
from tests.unit.merkle.people import HEAD8, NOTES

BODY: bytes = NOTES["body"].encode()
ROOT = BODY.split(b"\n")[2]

LINES = st.text(
    st.characters(codec="utf-8").filter(lambda mark: mark >= " "),
    min_size=1,
    max_size=30,
)
CHECKPOINTS = st.builds(
    Checkpoint,
    LINES,
    st.integers(0, MAX_SIZE),
    HASHES,
    st.lists(LINES, max_size=3).map(tuple),
)


def test_the_published_checkpoint_round_trips() -> None:
    assert parse_checkpoint(BODY) == HEAD8
    assert format_checkpoint(HEAD8) == BODY


@given(CHECKPOINTS)
def test_every_checkpoint_round_trips(checkpoint: Checkpoint) -> None:
    assert parse_checkpoint(format_checkpoint(checkpoint)) == checkpoint


@given(hostile(BODY, BODY + b"extension\n"))
def test_any_text_is_refused_or_the_one_spelling(data: bytes) -> None:
    check_parser(data, parse_checkpoint, format_checkpoint)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\n",
        b"o\n8\n" + ROOT,
        b"o\n8\n",
        b"o\n" + ROOT + b"\n",
        b"\n8\n" + ROOT + b"\n",
        b"o\n\n8\n" + ROOT + b"\n",
        b"o\n8\n" + ROOT + b"\n\n",
        b"o\n8\n" + ROOT + b"\n\nextension\n",
        b"o\n8\n" + ROOT + b"\r\n",
        b"o\r\n8\n" + ROOT + b"\n",
        b"o\to\n8\n" + ROOT + b"\n",
        b"o\xff\n8\n" + ROOT + b"\n",
        b"o\n08\n" + ROOT + b"\n",
        b"o\n+8\n" + ROOT + b"\n",
        b"o\n-8\n" + ROOT + b"\n",
        b"o\n 8\n" + ROOT + b"\n",
        b"o\n8 \n" + ROOT + b"\n",
        b"o\n8_0\n" + ROOT + b"\n",
        "o\n٨\n".encode() + ROOT + b"\n",
        b"o\n%d\n" % (MAX_SIZE + 1) + ROOT + b"\n",
        b"o\n%d\n" % 2**64 + ROOT + b"\n",
        b"o\n8\n" + ROOT[:-1] + b"\n",
        b"o\n8\n" + ROOT[:-2] + b"h=\n",
        b"o\n8\n" + ROOT + b" \n",
        b"o\n8\n" + b"A" * 42 + b"==\n",  # 31 bytes in 44 characters
        b"o\n8\n" + b"A" * 44 + b"\n",  # 33 bytes in 44 characters
        b"o" * MAX_CHECKPOINT + b"\n8\n" + ROOT + b"\n",
    ],
)
def test_another_spelling_of_a_checkpoint_is_refused(text: bytes) -> None:
    with pytest.raises(MalformedError):
        parse_checkpoint(text)


def test_extension_lines_are_kept() -> None:
    found = parse_checkpoint(BODY + "one\n\u2028\n".encode())

    assert found.extension == ("one", "\u2028")


@pytest.mark.parametrize(
    "origin", ["has space", "has+plus", "U+0085: \u0085", "é" * 200]
)
def test_a_foreign_origin_is_read_even_where_ours_may_not_look_so(origin: str) -> None:
    assert parse_checkpoint(f"{origin}\n8\n".encode() + ROOT + b"\n").origin == origin
    with pytest.raises(MalformedError, match="origin"):
        check_origin(origin)


def test_an_origin_of_ours_passes() -> None:
    check_origin("log.example/audit")
