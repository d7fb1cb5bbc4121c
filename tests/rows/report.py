"""Gather the figures of the rows, show them, and write them where they are kept.

A test that carries the mark `row` records what it tried through the fixture `figures`.
The figures travel with the test's report, so that they survive parallel workers.  At
the end of a run they are printed as one table; `--write-figures FILE` puts that table
between the two marker lines of a document; `--keep-figures FILE` adds them to those of
earlier runs first, so that a long form can be run in parts; and `--require-rows R5,R7`
fails a run in which one of these rows recorded nothing.
"""

from __future__ import annotations

import json
import platform
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.rows.forms import Figure, Form

BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"

_PROPERTY = "reliability-figure"
_NUMBER = re.compile(r"(?<![\w.,])[0-9]+(?:,[0-9]{3})*(?![\w.]|,[0-9])")

_RECEIVED: list[Figure] = []


class Figures:
    """Records what one test tried."""

    def __init__(self, node: pytest.Item) -> None:
        """Record for the row that the test's mark names."""
        mark = node.get_closest_marker("row")
        assert mark is not None, "a test that records figures carries the mark `row`"
        self._row: str = mark.args[0]
        self._node = node
        self._began = time.monotonic()

    def record(self, what: str, *, tried: int, bad: int = 0, note: str = "") -> None:
        """Keep a figure; to be called before the test asserts that `bad` is 0."""
        seconds = round(time.monotonic() - self._began, 1)
        figure = Figure(self._row, what, tried, bad, note, seconds)
        self._node.user_properties.append((_PROPERTY, json.dumps(asdict(figure))))


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> Figures:
    """Record what a row tried."""
    assert isinstance(request.node, pytest.Item)
    return Figures(request.node)


@pytest.fixture(scope="session")
def form(request: pytest.FixtureRequest) -> Form:
    """How much of each row this run tries."""
    return Form(request.config.getoption("--form"))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the rows."""
    group = parser.getgroup("rows", "rows of the reliability plan")
    group.addoption("--form", choices=list(Form), default=Form.QUICK)
    group.addoption("--write-figures", metavar="FILE", type=Path)
    group.addoption("--keep-figures", metavar="FILE", type=Path)
    group.addoption("--require-rows", metavar="NAMES", default="")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Take the figures out of a test's report, wherever it ran."""
    if report.when == "call":
        _RECEIVED.extend(
            Figure(**json.loads(str(value)))
            for name, value in report.user_properties
            if name == _PROPERTY
        )


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Fail a run in which a required row recorded nothing; write the table."""
    config = session.config
    if hasattr(config, "workerinput"):
        return
    wanted = {name for name in config.getoption("--require-rows").split(",") if name}
    missing = sorted(wanted - {figure.row for figure in _RECEIVED})
    if missing and exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    kept = merge(_RECEIVED)
    if path := config.getoption("--keep-figures"):
        kept = keep(path, kept)
    if (path := config.getoption("--write-figures")) and kept:
        form = Form(config.getoption("--form"))
        text = path.read_text(encoding="utf-8")
        path.write_text(put(text, document(kept, form)), encoding="utf-8")


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print the table, and the rows that were required and did not run."""
    if _RECEIVED:
        terminalreporter.section(f"reliability rows, form {config.getoption('--form')}")
        for line in table(_RECEIVED):
            terminalreporter.write_line(line)
    wanted = {name for name in config.getoption("--require-rows").split(",") if name}
    for name in sorted(wanted - {figure.row for figure in _RECEIVED}):
        terminalreporter.write_line(f"{name} was required and recorded nothing")


def merge(figures: Iterable[Figure]) -> list[Figure]:
    """Add up figures of the same row and the same thing: parts of one test.

    Notes that differ in their numbers only are added up number by number; others are
    kept side by side.
    """
    merged: dict[tuple[str, str], Figure] = {}
    for one in figures:
        known = merged.get((one.row, one.what))
        if known is None:
            merged[one.row, one.what] = one
            continue
        merged[one.row, one.what] = Figure(
            one.row,
            one.what,
            known.tried + one.tried,
            known.bad + one.bad,
            _add_up(known.note, one.note),
            round(known.seconds + one.seconds, 1),
        )
    order = sorted(merged, key=lambda place: (int(place[0][1:]), place[1]))
    return [merged[place] for place in order]


def keep(path: Path, figures: Sequence[Figure]) -> list[Figure]:
    """Add a run's figures to those of earlier runs in a file; give all of them.

    A figure of the same row and the same thing takes the place of the earlier one.
    """
    old = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    known = {(one.row, one.what): one for one in (Figure(**item) for item in old)}
    known |= {(one.row, one.what): one for one in figures}
    kept = merge(known.values())
    path.write_text(json.dumps([asdict(one) for one in kept], indent=1))
    return kept


def _add_up(one: str, other: str) -> str:
    """Merge two notes."""
    if _NUMBER.sub("#", one) == _NUMBER.sub("#", other):
        numbers = iter(_NUMBER.findall(other))
        return _NUMBER.sub(lambda found: _sum(found[0], next(numbers)), one)
    return one if other in one else f"{one}; {other}"


def _sum(one: str, other: str) -> str:
    return f"{int(one.replace(',', '')) + int(other.replace(',', '')):,}"


def table(figures: Sequence[Figure]) -> Iterator[str]:
    """Give the lines of a Markdown table, by row and then by what was tried."""
    yield "| row | what was tried | tried | bad | figures | s |"
    yield "|---|---|---:|---:|---|---:|"
    for one in merge(figures):
        yield (
            f"| {one.row} | {one.what} | {one.tried:,} | {one.bad:,} | {one.note} "
            f"| {one.seconds:.1f} |"
        )


def document(figures: Sequence[Figure], form: Form) -> str:
    """Give what stands between the markers: the machine, the form, the table."""
    day = time.strftime("%Y-%m-%d", time.gmtime())
    machine = f"{platform.system()} {platform.release()}, Python "
    machine += platform.python_version()
    head = f"Form `{form}`, run on {day} on {machine}."
    return "\n".join([head, "", *table(figures)])


def put(text: str, figures: str) -> str:
    """Put figures between the markers of a document; raise where it has none."""
    pattern = re.compile(f"{re.escape(BEGIN)}.*{re.escape(END)}", re.DOTALL)
    if not pattern.search(text):
        raise ValueError(f"the document has no lines {BEGIN} and {END}")
    return pattern.sub(lambda _: f"{BEGIN}\n\n{figures}\n\n{END}", text, count=1)
