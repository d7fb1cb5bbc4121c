"""Answers that a server really gave: of a log with fixed keys, at a fixed time.

The tests ask a server for them again and compare.
"""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

EXAMPLES: dict[str, Any] = json.loads(
    files(__package__).joinpath("examples.json").read_bytes()
)
"""Bodies by name: objects where the answer is JSON, else texts."""
