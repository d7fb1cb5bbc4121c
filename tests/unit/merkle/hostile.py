"""Bytes that are nearly right, for the three properties that every parser has.

A round trip; no exception but our own; and one spelling: whatever is accepted is,
formatted again, the same bytes.
"""

from collections.abc import Callable
from typing import TypeVar

from hypothesis import strategies as st

from tallystick_merkle.errors import KernelError

T = TypeVar("T")

NAME_CHARACTERS = st.characters(exclude_categories=("Cs", "Cc", "Zs", "Zl", "Zp"))
NAMES = st.text(
    NAME_CHARACTERS.filter(lambda mark: mark != "+"), min_size=1, max_size=20
)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=30)
HASHES = st.binary(min_size=32, max_size=32)

INSERTIONS = st.sampled_from(
    [
        b"\n",
        b"\n\n",
        b" ",
        b"\t",
        b"\r",
        b"\x00",
        b"\x7f",
        b"0",
        b"+",
        b"-",
        b"=",
        b"#",
        b"x000/",
        b"\x85",
        b"\xff",
        "—".encode(),
        "–".encode(),
        "\u2028".encode(),
        "\u00a0".encode(),
        "٣".encode(),
    ]
)


@st.composite
def near(draw: st.DrawFn, sample: bytes) -> bytes:
    """Draw bytes that are one to three small edits away from a good sample."""
    data = bytearray(sample)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(data)))
        end = min(len(data), at + draw(st.integers(1, 4)))
        kind = draw(st.sampled_from(("insert", "cut", "flip", "repeat", "end")))
        if kind == "insert":
            data[at:at] = draw(INSERTIONS | st.binary(min_size=1, max_size=3))
        elif kind == "cut":
            del data[at:end]
        elif kind == "flip" and at < len(data):
            data[at] ^= 1 << draw(st.integers(0, 7))
        elif kind == "repeat":
            data[at:at] = data[at:end]
        else:
            del data[at:]
    return bytes(data)


def hostile(*samples: bytes) -> st.SearchStrategy[bytes]:
    """Any bytes at all, and bytes near the samples."""
    return st.one_of(st.binary(max_size=300), *map(near, samples))


def check_parser(
    data: bytes, parse: Callable[[bytes], T], form: Callable[[T], bytes]
) -> None:
    """Assert that `data` is refused with our own error or is the one spelling."""
    try:
        value = parse(data)
    except KernelError:
        return
    assert form(value) == data
