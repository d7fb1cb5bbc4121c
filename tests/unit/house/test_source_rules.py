"""The rules of how we write that no linter knows: length of files, fakes, no sleep."""

import ast
from collections.abc import Iterator

import pytest

from tests.unit.house.source_tree import ROOT, read_lines, tracked_sources

MAX_LINES = 420

# A benchmark measures real time; it is run by hand and is not a test.
NOT_TESTS = ("tests/bench/",)

ALLOWED_PATCHES = frozenset({"setenv", "delenv"})


def breaches(source: str) -> list[str]:
    """Return what a test's source uses that a test must not use, line by line."""
    tree = ast.parse(source)
    found = {
        (node.lineno, what)
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom | ast.Attribute)
        for what in _named_by(node)
        if _is_forbidden(what)
    }
    return [f"{line}: {what}" for line, what in sorted(found)]


def _named_by(node: ast.Import | ast.ImportFrom | ast.Attribute) -> Iterator[str]:
    if isinstance(node, ast.Attribute):
        yield ast.unparse(node)
    elif isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    else:
        yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _is_forbidden(what: str) -> bool:
    if what.startswith("monkeypatch."):
        return what.split(".")[1] not in ALLOWED_PATCHES
    return what == "time.sleep" or f"{what}.".startswith(("unittest.mock.", "mock."))


def test_no_source_file_is_longer_than_the_roof() -> None:
    lengths = {name: len(list(read_lines(name))) for name in tracked_sources()}

    assert {name: n for name, n in lengths.items() if n > MAX_LINES} == {}


def test_tests_use_fakes_and_never_sleep() -> None:
    found = [
        f"{name}:{breach}"
        for name in tracked_sources()
        if name.startswith("tests/") and not name.startswith(NOT_TESTS)
        for breach in breaches((ROOT / name).read_text(encoding="utf-8"))
    ]

    assert found == []


@pytest.mark.parametrize(
    "source",
    [
        "import unittest.mock",
        "from unittest import mock",
        "from unittest.mock import Mock",
        "import unittest\nunittest.mock.patch('x')",
        "import mock",
        "from mock import patch",
        "from time import sleep",
        "import time\ntime.sleep(1)",
        "monkeypatch.setattr(x, 'y', 1)",
    ],
)
def test_a_planted_breach_is_found(source: str) -> None:
    assert breaches(source) != []


@pytest.mark.parametrize(
    "source",
    [
        "import time\ntime.monotonic()",
        "monkeypatch.setenv('A', 'b')",
        "import mockery",
        "text = 'time.sleep'",
    ],
)
def test_what_is_allowed_is_left_alone(source: str) -> None:
    assert breaches(source) == []
