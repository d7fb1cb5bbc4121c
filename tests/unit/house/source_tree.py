"""Where the repository is, which files it tracks, and how its text is read."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]

HOUSES = ("merkle", "client", "witness", "server")


def tracked_files() -> list[str]:
    """Return the tracked files that exist, as paths relative to the root.

    Raises:
        subprocess.CalledProcessError: the tree is not a git checkout.
    """
    listing = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True
    )
    names = listing.stdout.decode().split("\0")
    return [name for name in names if name and (ROOT / name).is_file()]


def tracked_sources() -> list[str]:
    """Return the tracked Python files."""
    return [name for name in tracked_files() if name.endswith(".py")]


def read_lines(name: str) -> Iterator[tuple[int, str]]:
    """Yield (line number from 1, line) of a text file; nothing of a binary one."""
    data = (ROOT / name).read_bytes()
    if b"\0" not in data:
        yield from enumerate(data.decode(errors="replace").splitlines(), start=1)
