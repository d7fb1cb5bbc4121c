"""Run the console blocks of a Markdown file for real, and hold them to their output.

In a fenced `console` block a line that begins with "$ " is a command, "> " goes on with
it, and every other line is output that has to come, in this order; "…" in it stands
for any text, and other output may come in between. A command must end with 0; one that
ends with " &" is waited for until its output has come. A `python` or `toml` block whose
first line is "# NAME.py" or "# NAME.toml" is written to that file first.
"""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

PATIENCE_S = 60.0
"""Longest silence before a command counts as hung."""

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NAMED = re.compile(r"# ([\w.-]+\.(?:py|toml))\n")
_END = "console-command-ended"
# Commands come over a pipe of their own, so that none of them can read the next one.
_LOOP = (
    "while IFS= read -r -d '' -u 3 line; do eval \"$line\"; "
    f"printf '\\n{_END} %d\\n' $?; done"
)


@dataclass
class Command:
    """A command of a console block and the lines that it has to print."""

    text: str
    expected: list[str] = field(default_factory=list)

    @property
    def is_background(self) -> bool:
        """Whether it goes on beside the next ones."""
        return self.text.endswith(" &")


@dataclass(frozen=True)
class NamedFile:
    """A block that is to be saved under its name."""

    name: str
    text: str


def read_steps(text: str) -> Iterator[Command | NamedFile]:
    """Give what a Markdown text asks its reader to do, in order."""
    for language, body in _FENCE.findall(text):
        if language == "console":
            yield from _read_commands(body)
        elif named := _NAMED.match(body):
            yield NamedFile(named[1], body)


def _read_commands(body: str) -> Iterator[Command]:
    command: Command | None = None
    for line in body.splitlines():
        if line.startswith("$ "):
            if command is not None:
                yield command
            command = Command(line[2:])
        elif command is None:
            raise AssertionError(f"output before the first command: {line!r}")
        elif line.startswith("> ") or line == ">":
            command.text += "\n" + line[2:]
        elif command.text.endswith("\\") and not command.expected:
            command.text += "\n" + line
        else:
            command.expected.append(line)
    if command is not None:
        yield command


class Console:
    """A shell in a directory; `with` ends it and all that it started."""

    def __init__(self, place: Path, replace: Mapping[str, str]) -> None:
        """Start it; every text of `replace` is replaced in what is run and expected."""
        self.place = place
        self.replace = replace
        commands, self._commands = os.pipe()
        bin_directory = str(Path(sys.executable).parent)
        environment = {
            "PATH": f"{bin_directory}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(place),
            "LC_ALL": "C.UTF-8",
        }
        self._process = subprocess.Popen(
            ["bash", "-c", f"exec 3<&{commands}; {_LOOP}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=place,
            env=environment,
            pass_fds=[commands],
            start_new_session=True,
        )
        os.close(commands)
        self._unread = b""

    def follow(self, step: Command | NamedFile) -> None:
        """Do one step; raise AssertionError where it is not as the document says."""
        if isinstance(step, NamedFile):
            (self.place / step.name).write_text(self._real(step.text), "utf-8")
            return
        command = self._real(step.text)
        expected = [_pattern(self._real(line)) for line in step.expected]
        os.write(self._commands, command.encode() + b"\0")
        seen: list[str] = []
        code: int | None = None
        while code is None or (step.is_background and expected):
            line = self._read_line(command, seen)
            if line.startswith(_END):
                code = int(line.split()[1])
                continue
            seen.append(line)
            if expected and expected[0].fullmatch(line):
                del expected[0]
        told = "\n".join(seen)
        assert code == 0, f"$ {command}\nended with {code}:\n{told}"
        assert not expected, f"$ {command}\nlacks {expected[0].pattern!r}:\n{told}"

    def _real(self, text: str) -> str:
        for old, new in self.replace.items():
            text = text.replace(old, new)
        return text

    def _read_line(self, command: str, seen: list[str]) -> str:
        assert self._process.stdout is not None
        source = self._process.stdout.fileno()
        while b"\n" not in self._unread:
            ready, _, _ = select.select([source], [], [], PATIENCE_S)
            data = os.read(source, 65_536) if ready else b""
            if not data:
                told = "\n".join(seen)
                raise AssertionError(f"$ {command}\nsays nothing more after:\n{told}")
            self._unread += data
        line, _, self._unread = self._unread.partition(b"\n")
        return line.decode("utf-8", "replace").rstrip("\r")

    def __enter__(self) -> Self:
        """It runs already."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the shell, what it runs, and what that runs."""
        os.close(self._commands)
        os.killpg(self._process.pid, signal.SIGTERM)
        assert self._process.stdout is not None
        self._process.stdout.read()  # ends when the last process that holds it ends
        self._process.stdout.close()
        self._process.wait(timeout=PATIENCE_S)


def _pattern(line: str) -> re.Pattern[str]:
    """Make a pattern of an expected line."""
    return re.compile(".*".join(map(re.escape, line.rstrip().split("…"))) + r"\s*")
