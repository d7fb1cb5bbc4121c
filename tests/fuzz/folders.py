"""Where inputs are kept, and how they are read."""

from __future__ import annotations

from pathlib import Path

HERE = Path(__file__).resolve().parent

CORPUS = HERE / "corpus"
"""Inputs that lead somewhere, by target; kept small."""

FOUND = HERE / "found"
"""Inputs that once broke something, by target."""


def kept(name: str) -> list[tuple[str, bytes]]:
    """Read the corpus of a target and what was found with it, each with its path."""
    folders = [CORPUS / name, FOUND / name]
    paths = sorted(path for folder in folders for path in folder.glob("*"))
    return [(str(path.relative_to(HERE)), path.read_bytes()) for path in paths]
