"""What the documents link to, name and quote is there."""

from __future__ import annotations

import ast
import re
import textwrap
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from tallystick_client.cli.settings import Settings, _merge
from tallystick_server.config.model import LogSettings, ServerSettings
from tallystick_witness.config import WitnessSettings
from tests.unit.house.documents import (
    DOCS,
    FENCED,
    OPTION,
    commands,
    first_column,
    options,
    relative,
)
from tests.unit.house.source_tree import ROOT

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")

# Options of proofbundle, of our benchmarks and of our simulator.
_FOREIGN = frozenset(
    {
        "--expected-origin",
        "--log-vkey",
        "--payload-file",
        "--keep-figures",
        "--plant",
        "--write-figures",
        "--runs",
        "--threshold",
        "--witness-vkey",
        "--write",
    }
)


def anchors(text: str) -> set[str]:
    """The anchors that a renderer makes of the headings."""
    heads = re.findall(r"^#+ (.+)$", FENCED.sub("", text), re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", head.lower()).strip().replace(" ", "-")
        for head in heads
    }


@pytest.mark.parametrize("path", DOCS, ids=relative)
def test_every_relative_link_leads_somewhere(path: Path) -> None:
    text = FENCED.sub("", path.read_text("utf-8"))
    broken = []
    for target in _LINK.findall(text):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        place = (path.parent / file).resolve() if file else path
        if not place.exists() or (
            anchor and anchor not in anchors(place.read_text("utf-8"))
        ):
            broken.append(target)

    assert not broken


def test_the_index_leads_to_every_document() -> None:
    index = ROOT / "docs" / "README.md"
    linked = {
        (index.parent / target.partition("#")[0]).resolve()
        for target in _LINK.findall(index.read_text("utf-8"))
    }

    assert {path for path in DOCS if "docs" in path.parts} - {index} <= linked


@pytest.mark.parametrize("path", DOCS, ids=relative)
def test_no_document_names_an_option_that_does_not_exist(path: Path) -> None:
    known = set().union(*map(options, commands().values())) | {"--help"}
    named = set(OPTION.findall(path.read_text("utf-8")))

    assert named - known - _FOREIGN == set()


Tables = dict[str, object]


@pytest.mark.parametrize("path", DOCS, ids=relative)
def test_every_configuration_in_a_document_is_one(path: Path) -> None:
    models: dict[str, Callable[[Tables], object]] = {
        "server": ServerSettings.model_validate,
        "witness": WitnessSettings.model_validate,
        "logs": lambda logs: [LogSettings.model_validate(log) for log in logs.values()],
        "client": lambda table: _merge(Settings(), table, "the document", Path()),
    }
    for block in re.findall(
        r"^```toml\n(.*?)^```$", path.read_text("utf-8"), re.MULTILINE | re.DOTALL
    ):
        for section, table in tomllib.loads(textwrap.dedent(block)).items():
            models[section](table)


def told_by(*houses: str) -> list[str]:
    """Every text of the houses' sources, an f-string by its fixed parts."""
    return [
        node.value
        for house in houses
        for path in (ROOT / house).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]


def fragments(quote: str) -> list[str]:
    """The fixed parts of a quoted line: between "…", N, M and joints."""
    return [
        part for part in re.split(r"…|\b[NM]\b|'|: |; ", quote) if part.strip(" ;:,()")
    ]


RECOVER = (ROOT / "docs" / "how-to" / "recover.md").read_text("utf-8")


def test_every_line_that_recover_explains_is_in_the_code() -> None:
    told = told_by("server", "witness", "merkle")
    quotes = re.findall(r"`([^`]+)`", first_column(RECOVER))

    assert len(quotes) > 40
    missing = [
        (quote, part)
        for quote in quotes
        for part in fragments(quote)
        if not any(part.strip() in text for text in told)
    ]
    assert missing == []


def logged_events() -> set[str]:
    """The events that the server's own code logs."""
    levels = ("debug", "info", "warning", "error", "critical", "exception", "log")
    return {
        str(text.value)
        for path in (ROOT / "server").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in ("log", "_log")
        and node.func.attr in levels
        for text in node.args
        if isinstance(text, ast.Constant)
    }


def test_operations_names_every_event_and_no_other() -> None:
    text = (ROOT / "docs" / "operations.md").read_text("utf-8")
    table = text.partition("## Log lines")[2].partition("\n## ")[0]

    assert set(re.findall(r"`([^`]+)`", first_column(table))) == logged_events()
