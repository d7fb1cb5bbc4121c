"""The memory of a log in a state directory.

    <state>/<hex SHA-256 of the origin>/
        origin                       the origin, for people
        format                       version of all this; without it, it is 1
        lock                         held while the checkpoint is replaced
        checkpoint                   the last believed head that met the policy
        edge.json                    how far the last audit has hashed
        tenant                       whose log of events it is
        receipts/<index>.tlog-proof  witnessed receipts
        promised/<index>-<size>.tlog-proof
        evidence/<kind>-<hash>/      what must not be lost

Each file is replaced whole and durably (see `files`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path

from tallystick_client.errors import StateError
from tallystick_client.files import locked, read_small, remove_files, write_files
from tallystick_client.stored import (
    MAX_EDGE,
    format_edge,
    format_held,
    parse_held,
    read_checkpoint,
    read_edge,
)
from tallystick_client.trust import HeldEvent, MemoryTrust, Trust
from tallystick_merkle.exchange.trusting import Held
from tallystick_merkle.frontier import EMPTY_EDGE, Edge
from tallystick_merkle.note import MAX_NOTE
from tallystick_merkle.receipt import MAX_RECEIPT, SUFFIX, Status
from tallystick_merkle.witnessing import origin_hash

FORMAT = 1
"""Version of the directory; one of another version is refused, and left as it is."""

_MAX_FORMAT = 64
_MAX_TENANT = 4096
_PROMISED = re.compile(r"[0-9]+-[0-9]+" + re.escape(SUFFIX), re.ASCII)
_WITNESSED = re.compile(r"[0-9]+" + re.escape(SUFFIX), re.ASCII)


class DirectoryTrust:
    """The memory of one log in a state directory."""

    keeps_receipts = True

    def __init__(self, state: Path, origin: str) -> None:
        """Name the place; it is made with the first thing written.

        Raises StateError for one that a newer version has written.
        """
        self._origin = origin
        self.path = state / origin_hash(origin)
        _check_format(self.path / "format")

    def believed(self) -> bytes | None:
        """Give the last believed checkpoint; raise StateError for a damaged one."""
        path = self.path / "checkpoint"
        note = read_small(path, limit=MAX_NOTE)
        if note is not None:
            read_checkpoint(note, path)
        return note

    def advance(self, *, old: bytes | None, new: bytes) -> bool:
        """Believe `new` if `old` is still what is stored and is not larger."""
        path = self.path / "checkpoint"
        with locked(self.path / "lock"):
            if self.believed() != old:
                return False
            if old is not None:
                was, now = read_checkpoint(old, path), read_checkpoint(new, path)
                assert was.size <= now.size, "a believed head never goes back"
            write_files(
                self.path,
                {"origin": f"{self._origin}\n".encode(), "checkpoint": new},
            )
        return True

    def keep_promised(self, held: Sequence[Held]) -> bytes | None:
        """Keep promised receipts, each under its index and the size of its head."""
        folder = self.path / "promised"
        files: dict[str, bytes] = {}
        conflict = None
        for item in held:
            head = read_checkpoint(item.receipt.checkpoint, folder)
            name = _promise_name(item, folder)
            before = self._read("promised", name)
            if before is None:
                files[name] = format_held(item)
            elif read_checkpoint(before.receipt.checkpoint, folder).root != head.root:
                conflict = before.receipt.checkpoint
        if files:
            write_files(folder, files)
        return conflict

    def keep_witnessed(
        self, held: Sequence[Held], *, discharged: Sequence[Held] = ()
    ) -> None:
        """Keep witnessed receipts; only then remove the promises that were kept.

        For which event a leaf was checked stays known when its receipt is replaced.
        """
        known: dict[str, Held] = {}
        for item in held:
            name = f"{item.receipt.index}{SUFFIX}"
            known[name] = _named(item, known.get(name) or self._read("receipts", name))
        files = {name: format_held(item) for name, item in known.items()}
        write_files(self.path / "receipts", files)
        folder = self.path / "promised"
        remove_files(folder, [_promise_name(item, folder) for item in discharged])

    def promised(self) -> list[Held]:
        """Give the promised receipts by index; raise StateError for a damaged one."""
        return [held for _, held in self.promised_files()]

    def promised_files(self) -> list[tuple[Path, Held]]:
        """Give the promised receipts with their files."""
        return self._read_all("promised")

    def witnessed_files(self) -> list[tuple[Path, Held]]:
        """Give the witnessed receipts with their files."""
        return self._read_all("receipts")

    def receipt(self, index: int) -> tuple[Held, Status] | None:
        """Give the kept receipt of an entry; raise StateError for a damaged one."""
        held = self._read("receipts", f"{index}{SUFFIX}")
        if held is not None:
            return held, Status.WITNESSED
        for name in self._names("promised"):
            held = self._read("promised", name) if _index_of(name) == index else None
            if held is not None:
                return held, Status.PROMISED
        return None

    def checked_event(self, index: int) -> HeldEvent | None:
        """Give a kept receipt of an entry that names the event it was checked for."""
        names = [name for name in self._names("promised") if _index_of(name) == index]
        held = [self._read("promised", name) for name in names]
        held.append(self._read("receipts", f"{index}{SUFFIX}"))
        return next((one for one in held if isinstance(one, HeldEvent)), None)

    def tenant(self) -> str | None:
        """Give the tenant that the log is of, once it is known."""
        path = self.path / "tenant"
        data = read_small(path, limit=_MAX_TENANT)
        try:
            return None if data is None else data.decode().removesuffix("\n")
        except UnicodeDecodeError as error:
            raise StateError(f"{path} is damaged: {error.reason}") from error

    def pin_tenant(self, tenant: str) -> str:
        """Remember the tenant, unless one is known; give the one that holds now."""
        with locked(self.path / "lock"):
            known = self.tenant()
            if known is not None:
                return known
            files = {
                "origin": f"{self._origin}\n".encode(),
                "tenant": f"{tenant}\n".encode(),
            }
            write_files(self.path, files)
        return tenant

    def keep_evidence(self, kind: str, files: Mapping[str, bytes]) -> tuple[Path, ...]:
        """Keep files in a folder named after what they say: each only once."""
        digest = sha256()
        for name, data in sorted(files.items()):
            digest.update(name.encode() + b"\n" + sha256(data).digest())
        folder = self.path / "evidence" / f"{kind}-{digest.hexdigest()[:16]}"
        return write_files(folder, files)

    def edge(self) -> Edge:
        """Give the edge where the last audit stopped; raise StateError if damaged."""
        path = self.path / "edge.json"
        data = read_small(path, limit=MAX_EDGE)
        return EMPTY_EDGE if data is None else read_edge(data, path)

    def keep_edge(self, edge: Edge) -> None:
        """Keep the edge that an audit has reached."""
        write_files(self.path, {"edge.json": format_edge(edge)})

    def receipt_path(self, index: int) -> Path:
        """Where the witnessed receipt of an entry lies, or would lie."""
        return self.path / "receipts" / f"{index}{SUFFIX}"

    def _names(self, folder: str) -> list[str]:
        """Give the names of the receipts in a folder, by index."""
        pattern = _PROMISED if folder == "promised" else _WITNESSED
        try:
            names = [entry.name for entry in (self.path / folder).iterdir()]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise StateError(
                f"cannot read {self.path / folder}: {error.strerror}"
            ) from error
        return sorted(filter(pattern.fullmatch, names), key=_index_of)

    def _read_all(self, folder: str) -> list[tuple[Path, Held]]:
        names = self._names(folder)
        found = [
            (self.path / folder / name, self._read(folder, name)) for name in names
        ]
        # One that was just upgraded by another program is gone.
        return [(path, held) for path, held in found if held is not None]

    def _read(self, folder: str, name: str) -> Held | None:
        path = self.path / folder / name
        data = read_small(path, limit=MAX_RECEIPT)
        return None if data is None else parse_held(data, path)


def default_state(environment: Mapping[str, str]) -> Path:
    """Give the state directory: $XDG_STATE_HOME/tallystick, or below ~/.local/state."""
    base = environment.get("XDG_STATE_HOME", "")
    root = Path(base) if base.startswith("/") else Path.home() / ".local" / "state"
    return root / "tallystick"


def open_trust(state: Path | None, origin: str) -> Trust:
    """Open the memory of a log below a state directory, or in memory for None."""
    if state is None:
        return MemoryTrust()
    return DirectoryTrust(state, origin)


def _check_format(path: Path) -> None:
    """Raise StateError unless the format is the one that needs no file to say so."""
    data = read_small(path, limit=_MAX_FORMAT)
    if data is None:
        return
    found = data.decode("ascii", "replace").strip()
    if found != str(FORMAT):
        raise StateError(
            f"{path.parent} has format {found[:20]!r} and this version of tallystick "
            f"knows {FORMAT}: run the newer version"
        )


def _named(held: Held, before: Held | None) -> Held:
    """Add the event that an earlier receipt of the same leaf was checked for."""
    if isinstance(held, HeldEvent) or not isinstance(before, HeldEvent):
        return held
    if before.leaf != held.leaf:
        return held
    return HeldEvent(held.receipt, held.leaf, before.event_id)


def _promise_name(held: Held, folder: Path) -> str:
    """Name the file of a promise: the entry's index and the size of its head."""
    size = read_checkpoint(held.receipt.checkpoint, folder).size
    return f"{held.receipt.index}-{size}{SUFFIX}"


def _index_of(name: str) -> int:
    return int(name.removesuffix(SUFFIX).partition("-")[0])
