"""Files that a user names: policies, receipts, tokens, and entries line by line.

A line is what stands before LF; a CR before the LF belongs to the line end.  Line
numbers start at 1 and count empty lines, which are no entries.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from tallystick_client.errors import UsageError
from tallystick_client.files import read_given
from tallystick_merkle.errors import MalformedError
from tallystick_merkle.policy import MAX_POLICY, Policy, parse_policy
from tallystick_merkle.receipt import MAX_RECEIPT, Receipt, parse_receipt
from tallystick_merkle.tile import MAX_ENTRY

STDIN = "-"
"""The name that stands for standard input."""

_MAX_TOKEN = 4096


@dataclass(frozen=True, slots=True)
class Line:
    """An entry and where it stands: `number` from 1, `end` the bytes read so far."""

    number: int
    entry: bytes
    end: int


def read_policy(path: Path) -> Policy:
    """Read a policy file; raise UsageError naming it and the line that is wrong."""
    try:
        return parse_policy(read_given(path, limit=MAX_POLICY, what="policy"))
    except MalformedError as error:
        raise UsageError(f"{path}: {error}") from error


def read_receipt(path: Path) -> Receipt:
    """Read a receipt file; raise UsageError naming it."""
    try:
        return parse_receipt(read_given(path, limit=MAX_RECEIPT, what="receipt"))
    except MalformedError as error:
        raise UsageError(f"{path}: {error}") from error


def read_token(path: Path | None) -> str:
    """Read a token from its file; no file is no token."""
    if path is None:
        return ""
    data = read_given(path, limit=_MAX_TOKEN, what="token file")
    token = data.decode("ascii", "replace").strip()
    if not token:
        raise UsageError(f"the token file {path} is empty")
    return token


@contextmanager
def opened(name: str) -> Iterator[BinaryIO]:
    """Open a file that the user named, or standard input for `-`."""
    if name == STDIN:
        yield sys.stdin.buffer
        return
    try:
        file = Path(name).open("rb")  # noqa: SIM115 -- closed below, errors told apart
    except OSError as error:
        raise UsageError(f"cannot read {name}: {error.strerror}") from error
    with file:
        yield file


def read_entry(name: str, *, line: int | None = None) -> bytes:
    """Read one entry: a whole file, or one line of it. It has 1 to 65,535 bytes."""
    with opened(name) as file:
        if line is not None:
            return _find_line(file, name, line)
        entry = file.read(MAX_ENTRY + 1)
    if not entry:
        raise UsageError(f"{name} is empty: an entry has at least one byte")
    if len(entry) > MAX_ENTRY:
        raise UsageError(
            f"{name} is longer than the {MAX_ENTRY} bytes of an entry: "
            "use --lines for one entry a line"
        )
    return entry


def read_lines(file: BinaryIO, name: str) -> Iterator[Line]:
    """Read the entries of a file, one a line, without holding more than one."""
    number = end = 0
    while raw := file.readline(MAX_ENTRY + 3):
        number += 1
        end += len(raw)
        entry = raw.removesuffix(b"\n")
        if entry != raw:
            entry = entry.removesuffix(b"\r")
        if len(entry) > MAX_ENTRY:
            raise UsageError(
                f"line {number} of {name} is longer than the {MAX_ENTRY} bytes of an "
                "entry; the lines before it were taken"
            )
        if entry:
            yield Line(number, entry, end)


def _find_line(file: BinaryIO, name: str, wanted: int) -> bytes:
    for line in read_lines(file, name):
        if line.number == wanted:
            return line.entry
        if line.number > wanted:
            break
    raise UsageError(f"{name} has no entry at line {wanted}")
