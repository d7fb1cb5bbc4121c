"""A model of what a disk may hold after the power was lost.

A file has what was durable at its last sync, and the sectors written since, each of
which may or may not have reached the disk, in any of the versions written.  Its size
is any of those that it had since.  A folder has the names that were durable at its own
last sync; names changed since may be lost.  Syncing a file does not make its name
durable: POSIX does not promise it.

`crashed` draws one state out of all that are possible.  It is the hostile reading of
the standards; a real filesystem allows fewer states.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tests.system.power.recording import (
    Event,
    Made,
    Removed,
    Renamed,
    Resized,
    Synced,
    Wrote,
)

SECTOR = 512
"""Bytes that a disk writes whole or not at all."""


@dataclass(eq=False)
class File:
    """A file: durable bytes, bytes in memory, and what is between the two."""

    durable: bytes = b""
    current: bytearray = field(default_factory=bytearray)
    pending: dict[int, list[tuple[int, bytes]]] = field(default_factory=dict)
    sizes: list[int] = field(default_factory=list)

    def write(self, turn: int, offset: int, data: bytes) -> None:
        """Write bytes; `turn` tells the writes apart."""
        self._lengthen(offset + len(data))
        self.current[offset : offset + len(data)] = data
        for sector in _sectors(offset, len(data)):
            version = bytes(self.current[sector * SECTOR : (sector + 1) * SECTOR])
            self.pending.setdefault(sector, []).append((turn, version))

    def sync_range(self, offset: int, count: int) -> None:
        """Make the sectors of a range durable, and nothing else."""
        kept = bytearray(self.durable.ljust(len(self.current), b"\0"))
        for sector in _sectors(offset, count):
            at = slice(sector * SECTOR, (sector + 1) * SECTOR)
            kept[at] = self.current[at]
            self.pending.pop(sector, None)
        self.durable = bytes(kept)
        self.sizes.clear()

    def resize(self, turn: int, size: int) -> None:
        """Cut or lengthen the file."""
        gone = [sector for sector in self.pending if sector * SECTOR >= size]
        for sector in gone:
            del self.pending[sector]
        del self.current[size:]
        self._lengthen(size)
        self.sizes.append(size)
        for sector in _sectors(size - 1, 1) if size else ():
            version = bytes(self.current[sector * SECTOR :])
            self.pending.setdefault(sector, []).append((turn, version))

    def sync(self) -> None:
        """Make everything durable."""
        self.durable = bytes(self.current)
        self.pending.clear()
        self.sizes.clear()

    def crashed(self, chance: random.Random, keep: Chosen) -> bytes:
        """Draw what the disk may hold."""
        size = chance.choice([len(self.durable), *self.sizes])
        found = bytearray(self.durable[:size].ljust(size, b"\0"))
        for sector, versions in self.pending.items():
            held = [data for turn, data in versions if keep.has(chance, turn)]
            start = sector * SECTOR
            if held and start < size:
                data = held[-1][: size - start]
                found[start : start + len(data)] = data
        return bytes(found)

    def _lengthen(self, size: int) -> None:
        if size > len(self.current):
            self.current.extend(bytes(size - len(self.current)))
            self.sizes.append(size)


@dataclass(eq=False)
class Folder:
    """A folder: durable names, names in memory, and the changes between the two."""

    durable: dict[str, Node] = field(default_factory=dict)
    current: dict[str, Node] = field(default_factory=dict)
    changes: list[tuple[int, dict[str, Node | None]]] = field(default_factory=list)

    def change(self, turn: int, names: dict[str, Node | None]) -> None:
        """Change names at once; None removes one."""
        _put(self.current, names)
        self.changes.append((turn, names))

    def sync(self) -> None:
        """Make the names durable."""
        self.durable = dict(self.current)
        self.changes.clear()

    def crashed(self, chance: random.Random, keep: Chosen) -> dict[str, Node]:
        """Draw what names the disk may hold: of each name, a prefix of its changes."""
        names = dict(self.durable)
        stuck: set[str] = set()
        for turn, change in self.changes:
            if keep.has(chance, turn) and stuck.isdisjoint(change):
                _put(names, change)
            else:
                stuck.update(change)
        return names


Node = File | Folder


class Chosen:
    """How a state is drawn: which of the writes reached the disk.

    all or none, a share of all sectors, whole writes, or those before a moment.
    """

    def __init__(self, chance: random.Random, last: int) -> None:
        """Draw a way; `last` is the turn of the last write."""
        self.share = chance.choice([0.0, 0.03, 0.2, 0.5, 0.8, 0.97, 1.0])
        self._is_whole = chance.random() < 0.3
        self._until = chance.randint(max(last - 40, 0), last + 1)
        self._is_ordered = chance.random() < 0.2
        self._turns: dict[int, bool] = {}

    def has(self, chance: random.Random, turn: int) -> bool:
        """Whether a sector of the write `turn` reached the disk."""
        if self._is_ordered:
            return turn < self._until
        if self._is_whole:
            return self._turns.setdefault(turn, chance.random() < self.share)
        return chance.random() < self.share


class Disk:
    """A tree of files and folders below one path that exists and is durable."""

    def __init__(self, root: Path, *, folders: Iterable[str] = ()) -> None:
        """Begin with a folder at `root` that holds these empty folders."""
        self._root = str(root)
        self._top = Folder()
        self._top.change(0, {name: Folder() for name in folders})
        self._top.sync()
        self._turn = 0

    def take(self, event: Event) -> bool:
        """Let one event of a recording happen; give whether it changed anything."""
        self._turn += 1
        match event:
            case Wrote(path, offset, data, is_synced):
                file = self._file(path)
                file.write(self._turn, offset, data)
                if is_synced:
                    file.sync_range(offset, len(data))
            case Resized(path, size):
                self._file(path).resize(self._turn, size)
            case Synced(path):
                self._node(path).sync()
            case Made(path, is_directory):
                folder, name = self._place(path)
                folder.change(self._turn, {name: Folder() if is_directory else File()})
            case Removed(path):
                folder, name = self._place(path)
                folder.change(self._turn, {name: None})
            case Renamed(old, new):
                folder, name = self._place(old)
                target, other = self._place(new)
                assert target is folder, "a rename into another folder is not modelled"
                folder.change(self._turn, {other: folder.current[name], name: None})
            case _:
                return False
        return True

    def crashed(self, chance: random.Random, place: Path) -> None:
        """Draw one state and write it to the empty folder `place`."""
        self._write(self._top, place, chance, Chosen(chance, self._turn))

    def _write(
        self, folder: Folder, place: Path, chance: random.Random, keep: Chosen
    ) -> None:
        for name, node in folder.crashed(chance, keep).items():
            path = place / name
            if isinstance(node, Folder):
                path.mkdir(mode=0o700)
                self._write(node, path, chance, keep)
            else:
                path.write_bytes(node.crashed(chance, keep))
                path.chmod(0o600)

    def _file(self, path: str) -> File:
        node = self._node(path)
        assert isinstance(node, File), path
        return node

    def _node(self, path: str) -> Node:
        if path == self._root:
            return self._top
        folder, name = self._place(path)
        return folder.current[name]

    def _place(self, path: str) -> tuple[Folder, str]:
        """The folder that holds a path, and the path's name in it."""
        *above, name = path.removeprefix(f"{self._root}/").split("/")
        folder = self._top
        for part in above:
            node = folder.current[part]
            assert isinstance(node, Folder), path
            folder = node
        return folder, name


def _put(names: dict[str, Node], changes: dict[str, Node | None]) -> None:
    for name, node in changes.items():
        if node is None:
            names.pop(name, None)
        else:
            names[name] = node


def _sectors(offset: int, count: int) -> Iterable[int]:
    return range(offset // SECTOR, (offset + count - 1) // SECTOR + 1) if count else ()
