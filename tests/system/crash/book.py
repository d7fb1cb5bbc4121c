"""What clients of one log were told, and what must hold of it for ever after."""

from __future__ import annotations

from dataclasses import dataclass, field

from tallystick_merkle.cosignature import open_log_checkpoint
from tallystick_merkle.errors import KernelError
from tallystick_merkle.keys import VerifierKey
from tallystick_merkle.proof import check_inclusion
from tallystick_merkle.receipt import Receipt
from tests.reference.rfc6962 import Tree, leaf


@dataclass
class Book:
    """Everything that one log let out.

    `tried` holds the entries of each idempotency key, `acked` the index of the first
    one, `receipts` every receipt with its entry, `roots` the roots of each size.
    """

    key: VerifierKey
    tried: dict[str, tuple[bytes, ...]] = field(default_factory=dict)
    acked: dict[str, int] = field(default_factory=dict)
    receipts: list[tuple[bytes, Receipt]] = field(default_factory=list)
    roots: dict[int, set[bytes]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def see(self, note: bytes) -> int:
        """Keep a signed checkpoint; give its size."""
        opened = open_log_checkpoint(note, origin=self.key.name, log_keys=[self.key])
        head = opened.checkpoint
        self.roots.setdefault(head.size, set()).add(head.root)
        return head.size

    def see_entry(self, key: str, entry: bytes, receipt: Receipt) -> None:
        """Keep the checked receipt of the only entry of a key."""
        self.receipts.append((entry, receipt))
        self.see(receipt.checkpoint)
        self.ack(key, receipt.index)

    def ack(self, key: str, first: int) -> None:
        """Keep where the entries of a key are; the same index for ever."""
        if self.acked.setdefault(key, first) != first:
            self.wrong.append(f"{key} was at {self.acked[key]}, now at {first}")

    def check(self, entries: list[bytes]) -> None:
        """Hold everything against what the log holds in the end."""
        tree = Tree([leaf(entry) for entry in entries])
        size = len(entries)
        for key, texts in self.tried.items():
            first = self.acked.get(key)
            if first is None:
                self.wrong.append(f"{key} was never acked, though it was tried again")
                continue
            if tuple(entries[first : first + len(texts)]) != texts:
                self.wrong.append(f"{key} is not at {first}")
            self.wrong += [
                f"{text!r} is there {entries.count(text)} times"
                for text in texts
                if entries.count(text) != 1
            ]
        for at, roots in sorted(self.roots.items()):
            if at > size or roots != {tree.root(at)}:
                held = "nothing" if at > size else tree.root(at).hex()
                told = " and ".join(root.hex() for root in roots)
                self.wrong.append(f"size {at}: told {told}, the log has {held}")
        for entry, receipt in self.receipts:
            self._check_receipt(entry, receipt, tree, size)

    def _check_receipt(
        self, entry: bytes, receipt: Receipt, tree: Tree, size: int
    ) -> None:
        """A receipt verifies, and its entry is in the last head."""
        try:
            opened = open_log_checkpoint(
                receipt.checkpoint, origin=self.key.name, log_keys=[self.key]
            )
            check_inclusion(
                index=receipt.index,
                size=opened.checkpoint.size,
                leaf=leaf(entry),
                path=receipt.path,
                root=opened.checkpoint.root,
            )
            check_inclusion(
                index=receipt.index,
                size=size,
                leaf=leaf(entry),
                path=tuple(tree.path(receipt.index, size)),
                root=tree.root(size),
            )
        except (KernelError, IndexError) as error:
            self.wrong.append(f"receipt of {entry!r} at {receipt.index}: {error}")
