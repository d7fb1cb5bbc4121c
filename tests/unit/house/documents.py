"""The documents as text: their places, sections and tables; and all the commands."""

from __future__ import annotations

import re
from pathlib import Path

from typer.main import get_command

from tallystick_client.cli.app import build
from tallystick_server.cli import app as server_app
from tallystick_server.cli.selftest import app as selftest_app
from tallystick_witness.cli import app as witness_app
from tests.unit.house.source_tree import ROOT

DOCS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
REFERENCE = ROOT / "docs" / "reference"

OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def relative(path: Path) -> str:
    """Name a document by its place in the repository."""
    return str(path.relative_to(ROOT))


def commands() -> dict[str, object]:
    """Every command by its words, the groups left out but for their options."""
    found: dict[str, object] = {}
    walk("tallystick", get_command(build()), found)
    walk("tallystick selftest", get_command(selftest_app), found)
    walk("tallystick server", get_command(server_app), found)
    walk("tallystick witness", get_command(witness_app), found)
    return found


def walk(words: str, command: object, found: dict[str, object]) -> None:
    found[words] = command
    for name, below in getattr(command, "commands", {}).items():
        walk(f"{words} {name}", below, found)


def options(command: object) -> set[str]:
    """The options of a command, but those that every command has."""
    names = {
        name
        for parameter in getattr(command, "params", ())
        for name in (*parameter.opts, *parameter.secondary_opts)
        if name.startswith("--")
    }
    return names - {"--help", "--install-completion", "--show-completion"}


def sections(text: str) -> dict[str, str]:
    """The parts of a document by the code in their headings."""
    parts = re.split(r"^#+ (.*)$", text, flags=re.MULTILINE)
    return {
        name: body
        for head, body in zip(parts[1::2], parts[2::2], strict=True)
        for name in re.findall(r"`([^`]+)`", head)
    }


def first_column(body: str) -> str:
    """All that stands in the first column of a section's tables."""
    return "\n".join(re.findall(r"^\|([^|]*)\|", body, re.MULTILINE))
