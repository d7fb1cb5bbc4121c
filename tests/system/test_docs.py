"""What the documents tell their readers to type is typed, and does what they say."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.consoles import Command, Console, NamedFile, read_steps
from tests.unit.house.source_tree import ROOT

pytestmark = [pytest.mark.system, pytest.mark.slow]

PORTS = 8
"""How many ports the documents use, from 8440 on."""

BESIDE_THE_DEMO = (
    "how-to/append-from-python.md",
    "how-to/audit-a-log.md",
    "how-to/emit-events.md",
    "how-to/prove-a-field.md",
    "how-to/rotate-a-token.md",
    "how-to/run-a-witness.md",
    "verify-without-us.md",
)
ALONE = (
    "how-to/backup-and-restore.md",
    "how-to/run-a-log.md",
    "how-to/recover.md",
    "how-to/test-your-disk.md",
)


def free_ports() -> dict[str, str]:
    """Map the documents' ports to neighbouring ones that nobody listens on."""
    # Below 32,768, where the ports of outgoing connections begin.
    first = 12_000 + os.getpid() % 1000 * 20
    while not all(map(_is_free, range(first, first + PORTS))):
        first += 20
    return {str(8440 + place): str(first + place) for place in range(PORTS)}


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def steps_of(name: str) -> list[Command | NamedFile]:
    """Give the steps of a document; there must be some."""
    steps = list(read_steps((ROOT / name).read_text("utf-8")))
    assert any(isinstance(step, Command) for step in steps), f"{name} runs nothing"
    return steps


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """The README's first step, in a directory that looks like a clone with a .venv."""
    place = tmp_path_factory.mktemp("clone")
    (place / ".venv").symlink_to(sys.prefix)
    shutil.copy(ROOT / "Makefile", place)
    ports = free_ports()
    # The installed .venv is taken as it is, and the demo goes on beside what follows.
    run = f"make -o .venv/.all run ARGS='--port {ports['8440']}' &"
    with Console(place, {"make run": run, **ports}) as console:
        first = steps_of("README.md")[0]
        assert isinstance(first, Command)
        assert first.text == "make run"
        console.follow(Command(run, first.expected))
        yield console


def test_the_five_minutes_of_the_readme_are_true(demo: Console) -> None:
    for step in steps_of("README.md")[1:]:
        demo.follow(step)


@pytest.mark.parametrize("name", BESIDE_THE_DEMO)
def test_a_document_beside_the_demo_is_true(name: str, demo: Console) -> None:
    with Console(demo.place, demo.replace) as console:
        for step in steps_of(f"docs/{name}"):
            console.follow(step)


@pytest.mark.parametrize("name", ALONE)
def test_a_document_that_starts_from_nothing_is_true(name: str, tmp_path: Path) -> None:
    with Console(tmp_path, free_ports()) as console:
        for step in steps_of(f"docs/{name}"):
            console.follow(step)


def test_every_document_with_console_blocks_is_run() -> None:
    run = {"README.md", *(f"docs/{name}" for name in (*BESIDE_THE_DEMO, *ALONE))}
    found = {
        str(path.relative_to(ROOT))
        for path in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
        if "```console" in path.read_text("utf-8")
    }

    assert found == run


@pytest.mark.parametrize(
    "block",
    [
        "$ false\n",
        "$ echo one\ntwo\n",
        "$ echo one; echo two\ntwo\none\n",
        "$ printf 'ab'\na\n",
    ],
)
def test_a_console_block_that_is_not_true_is_noticed(
    block: str, tmp_path: Path
) -> None:
    (*before, step) = read_steps(f"```console\n$ true\n{block}```\n")
    with Console(tmp_path, {}) as console:
        for fine in before:
            console.follow(fine)
        with pytest.raises(AssertionError):
            console.follow(step)
