"""Files on a user's desk, and what a command said about them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tallystick_merkle.policy import Policy, format_policy
from tallystick_merkle.proof import plan_inclusion
from tallystick_merkle.receipt import Receipt, format_receipt
from tests.unit.client.fake_log import POLICY, WITNESSES, Tree, sign

ENTRIES = [b"genesis", b"first", b"second\r", b"third"]


@dataclass(frozen=True)
class Said:
    """What a command did: its exit code and what it said where."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """The one JSON object on stdout."""
        value = json.loads(self.out)
        assert isinstance(value, dict)
        return value


Run = Callable[..., Said]


@dataclass(frozen=True)
class Desk:
    """Files on a user's desk: receipts, entries and a policy."""

    path: Path

    @property
    def policy(self) -> Path:
        return self.path / "log.policy"

    @property
    def entry(self) -> Path:
        return self.path / "entry"

    @property
    def receipt(self) -> Path:
        return self.path / "receipt.tlog-proof"

    def put(
        self,
        *,
        index: int = 1,
        entry: bytes | None = None,
        witnesses: int = 2,
        policy: Policy = POLICY,
    ) -> None:
        """Lay out a receipt, an entry and a policy."""
        tree = Tree(ENTRIES)
        path = tree.proof(plan_inclusion(index=index, size=tree.size))
        note = sign(tree, WITNESSES[:witnesses])
        self.receipt.write_bytes(format_receipt(Receipt(index, path, note)))
        self.entry.write_bytes(ENTRIES[index] if entry is None else entry)
        self.policy.write_bytes(format_policy(policy))
