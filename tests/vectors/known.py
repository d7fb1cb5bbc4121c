"""The known answers of this folder, read once."""

import json
from base64 import b64decode
from functools import cache
from pathlib import Path
from typing import Any

_HERE = Path(__file__).resolve().parent


@cache
def answers() -> dict[str, Any]:
    """Return all of vectors.json."""
    found: dict[str, Any] = json.loads((_HERE / "vectors.json").read_text("utf-8"))
    return found


def merkle_cases(kind: str) -> list[dict[str, Any]]:
    """Return the cases of "inclusion" or "consistency", each with its `name`."""
    folder = _HERE / "merkle" / "testdata" / kind
    return [
        {**json.loads(path.read_text("utf-8")), "name": str(path.relative_to(folder))}
        for path in sorted(folder.rglob("*.json"))
    ]


def raw(text: str) -> bytes:
    """Decode a base64 hash of a merkle case."""
    return b64decode(text)


@cache
def ev1_cases() -> dict[str, dict[str, Any]]:
    """Return the cases of `ev1`, by the names of their files."""
    return {
        path.stem: json.loads(path.read_text("utf-8"))
        for path in sorted((_HERE / "ev1").glob("*.json"))
    }
