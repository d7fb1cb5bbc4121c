"""The reference of the commands names what there is, and nothing that there is not."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from types import FunctionType
from typing import cast

import pytest

import tallystick_client.errors
import tallystick_server.errors
import tallystick_witness.errors
from tallystick_client.cli import outcome
from tests.unit.house.documents import (
    OPTION,
    REFERENCE,
    commands,
    first_column,
    options,
    sections,
)
from tests.unit.house.source_tree import ROOT

CLI = (REFERENCE / "cli.md").read_text("utf-8")


def test_the_command_reference_names_every_command_and_no_other() -> None:
    described = {name for name in sections(CLI) if name.startswith("tallystick")}
    groups = {
        words for words, command in commands().items() if hasattr(command, "commands")
    } - {"tallystick"}

    assert described == set(commands()) - groups


@pytest.mark.parametrize("words", sorted(commands()))
def test_the_command_reference_names_every_option_and_no_other(words: str) -> None:
    command = commands()[words]
    body = sections(CLI).get(words, "")

    assert set(OPTION.findall(first_column(body))) == options(command)


def json_members(words: str) -> set[str]:
    """The members that the code says a command's JSON has, at any depth."""
    callback = cast("FunctionType", getattr(commands()[words], "callback", None))
    module = import_module(callback.__module__)
    text = f"{callback.__doc__}\n{module.__doc__}"
    _, *told = re.split(r"JSON(?: of (\w+))?: ", text)
    pairs = zip(told[::2], told[1::2], strict=True)
    own = [
        said
        for name, said in pairs
        if name in (None, "both", callback.__name__.partition("_")[0])
    ]
    return set(re.findall(r'"([a-z_]+)"', " ".join(own)))


@pytest.mark.parametrize(
    "words",
    [
        "append", "receipts list", "receipts upgrade", "verify", "prove", "head",
        "audit", "producers", "dlq list", "dlq show", "dlq redrive", "dlq drop",
        "schema check", "schema diff", "schema register", "schema list", "schema show",
        "policy check", "key generate", "key show", "demo", "version", "selftest",
        "witness init", "witness list", "witness evidence",
    ],
)  # fmt: skip
def test_the_command_reference_names_the_members_of_json(words: str) -> None:
    members = json_members(f"tallystick {words}")
    body = sections(CLI)[f"tallystick {words}"]
    if "as above" in body:
        body += sections(CLI)["tallystick key generate"]

    assert members
    assert {name for name in members if f"`{name}`" not in body} == set()


def answer_members(file: str) -> set[str]:
    """The names in every dict that a module of the server's commands writes out."""
    tree = ast.parse((ROOT / "server/tallystick_server/cli" / file).read_text("utf-8"))
    return {
        key.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Dict)
        for key in node.keys
        if isinstance(key, ast.Constant) and isinstance(key.value, str)
    }


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("making.py", ["init"]),
        ("checking.py", ["fsck"]),
        ("copying.py", ["backup", "restore"]),
        ("promoting.py", ["promote"]),
        ("config.py", ["config check"]),
        ("tokens.py", ["token add", "token list", "token revoke"]),
    ],
)
def test_the_command_reference_names_the_members_of_the_servers_json(
    file: str, words: list[str]
) -> None:
    body = "".join(sections(CLI)[f"tallystick server {word}"] for word in words)

    assert {name for name in answer_members(file) if f"`{name}`" not in body} == set()


def errors_of(module: object) -> Iterator[tuple[str, int]]:
    """Every error of a house that a command can end with."""
    for name, value in vars(module).items():
        if isinstance(value, type) and issubclass(value, Exception):
            code = getattr(value, "exit_code", None)
            if isinstance(code, int):
                yield name, code


def exit_codes() -> dict[int, set[str]]:
    """The errors behind each exit code."""
    found: dict[int, set[str]] = {0: set()}
    houses = (tallystick_client, tallystick_server, tallystick_witness)
    pairs = [pair for house in houses for pair in errors_of(house.errors)]
    pairs += [(kind.__name__, code) for kind, code in outcome._KERNEL]
    pairs += [("", outcome.BUG), ("", outcome.INTERRUPTED)]
    abstract = {"ClientError", "WitnessError", "StartError"}
    for name, code in pairs:
        found.setdefault(code, set()).update({name} - abstract - {""})
    return found


def test_the_table_of_exit_codes_is_that_of_the_code() -> None:
    body = CLI.partition("## Exit codes")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (\d+) \|([^|]*)\|([^|]*)\|$", body, re.MULTILINE)
    described = {
        int(code): set(re.findall(r"`(\w+)`", errors)) for code, _, errors in rows
    }

    assert described == exit_codes()
