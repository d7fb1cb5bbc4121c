"""Record what a process does to its files, and what it tells others, by strace.

Every write, truncation, sync and name is kept with its bytes, in the order in which the
kernel finished it; what goes to a socket or a pipe is kept at the moment it begins to
leave.  Memory that is mapped for writing would be invisible: only LMDB's lock file may
be, and anything else that writes unseen is an error here.
"""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

TRACED = (
    "openat,open,creat,close,dup,dup2,dup3,fcntl,lseek,pwrite64,pwritev,pwritev2,write,"
    "writev,sendto,sendmsg,fsync,fdatasync,ftruncate,truncate,fallocate,rename,renameat,"
    "renameat2,link,linkat,symlink,symlinkat,unlink,unlinkat,mkdir,mkdirat,rmdir,mmap,"
    "copy_file_range,sendfile,splice,io_uring_setup"
)

_LINE = re.compile(r"(\d+) +(.*)")
_RESUMED = re.compile(r"<\.\.\. (\w+) resumed>(.*)")
_CALL = re.compile(r"(\w+)\((.*)\) += (-?\d+|0x[0-9a-f]+)(?: .*)?", re.DOTALL)
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?')
_UNFINISHED = " <unfinished ...>"
_BLIND = frozenset(
    {"truncate", "fallocate", "link", "linkat", "symlink", "symlinkat"}
    | {"copy_file_range", "sendfile", "splice", "io_uring_setup", "pwritev2", "dup3"}
)


class BlindError(Exception):
    """The process wrote in a way that the recording does not see."""


@dataclass(frozen=True, slots=True)
class Call:
    """A system call that succeeded: name, texts in order, the rest, the result."""

    name: str
    texts: tuple[bytes, ...]
    rest: str
    result: int


@dataclass(frozen=True, slots=True)
class Told:
    """Bytes that began to leave the process by a socket, a pipe or a terminal."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Wrote:
    """Bytes written to a file; `is_synced` if they are durable once written."""

    path: str
    offset: int
    data: bytes
    is_synced: bool


@dataclass(frozen=True, slots=True)
class Made:
    """A name that came into being, for a new file or a directory."""

    path: str
    is_directory: bool


@dataclass(frozen=True, slots=True)
class Removed:
    """A name that is gone."""

    path: str


@dataclass(frozen=True, slots=True)
class Renamed:
    """A name that replaced another."""

    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Resized:
    """A file that was cut or lengthened."""

    path: str
    size: int


@dataclass(frozen=True, slots=True)
class Synced:
    """A file or a directory that is durable now."""

    path: str


@dataclass(frozen=True, slots=True)
class Ended:
    """A recorded command came to its end with success."""

    name: str


Event = Told | Wrote | Made | Removed | Renamed | Resized | Synced | Ended


def traced(trace: Path, command: Sequence[str], *, killed_at: int = 0) -> list[str]:
    """Give the command line that runs a command and records it.

    `killed_at`: the process is killed when it begins its fsync of that number.
    """
    kill = ["-e", f"inject=fsync:signal=KILL:when={killed_at}"] if killed_at else []
    return [
        *("strace", "-f", "--seccomp-bpf", "-xx", "-s", "16777216"),
        *("-e", f"trace={TRACED}", "-e", "signal=none", *kill, "-o", str(trace)),
        *command,
    ]


def signal_traced(trace: Path, number: signal.Signals) -> None:
    """Send a signal to the recorded process itself, which strace would not pass on."""
    with trace.open("rb") as file:
        os.kill(int(file.readline().split()[0]), number)


def _calls(trace: Path) -> Iterator[tuple[Call, bool]]:
    """Give each call: once when it begins to tell something, once when it is done."""
    begun: dict[str, str] = {}
    with trace.open(encoding="ascii", errors="replace") as file:
        for line in file:
            found = _LINE.match(line.rstrip("\n"))
            if found is None:
                continue
            thread, text = found.groups()
            if text.endswith(_UNFINISHED):
                begun[thread] = text.removesuffix(_UNFINISHED)
                if text.startswith(("write", "send")):
                    yield _parse(f"{begun[thread]}) = 0"), True
                continue
            if resumed := _RESUMED.match(text):
                text = begun.pop(thread) + resumed[2]
                is_told = True
            else:
                is_told = False
            if _CALL.fullmatch(text) is None:
                continue  # an exit, a signal, a call without a result
            call = _parse(text)
            if not is_told and call.name.startswith(("write", "send")):
                yield call, True
            if call.result >= 0:
                yield call, False


def _parse(text: str) -> Call:
    found = _CALL.fullmatch(text)
    assert found is not None, text[:200]
    name, arguments, result = found.groups()
    texts = []
    for match in _TEXT.finditer(arguments):
        assert match[2] is None, f"strace cut the bytes of {name}"
        texts.append(bytes.fromhex(match[1].replace("\\x", "")))
    return Call(name, tuple(texts), _TEXT.sub("", arguments), int(result, 0))


@dataclass(slots=True)
class _Open:
    path: str
    is_synced: bool
    is_append: bool
    position: int = 0


class _Reader:
    """Follows descriptors and names, and writes down what happens below a root."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._open: dict[int, _Open] = {}
        self._sizes: dict[str, int] = {}
        self._known: set[str] = set()
        self.events: list[Event] = []

    def take(self, call: Call, *, begins: bool) -> None:
        """Take one call."""
        first = _number(call.rest)
        file = self._open.get(first) if first is not None else None
        if begins:
            if file is None:
                self.events.append(Told(b"".join(call.texts)))
            return
        if call.name in _BLIND and (file is not None or self._names(call)):
            raise BlindError(f"{call.name} {call.texts} {call.rest}")
        handle = getattr(self, f"_on_{call.name}", None)
        if handle is not None:
            handle(call, file)

    def _names(self, call: Call) -> bool:
        if call.name == "io_uring_setup":  # the event loop has one for its polling
            return "IORING_SETUP_SQPOLL" in call.rest
        return any(text.decode().startswith(self._root) for text in call.texts)

    def _path(self, call: Call, at: int = 0) -> str:
        """The path that a call names, absolute; "" where it is of no concern."""
        path = call.texts[at].decode("utf-8", "surrogateescape")
        if not path.startswith("/"):
            folder = self._open.get(_number(call.rest) or -1)
            path = f"{folder.path}/{path}" if folder else path
        is_ours = path == self._root or path.startswith(f"{self._root}/")
        return path.rstrip("/") if is_ours else ""

    def _on_openat(self, call: Call, _: _Open | None) -> None:
        path, flags = self._path(call), call.rest
        self._open.pop(call.result, None)
        if not path:
            return
        self._open[call.result] = _Open(
            path, "O_DSYNC" in flags or "O_SYNC" in flags, "O_APPEND" in flags
        )
        if "O_CREAT" in flags and path not in self._known:
            self._note_new(path, is_directory=False)
        if "O_TRUNC" in flags and self._sizes.get(path):
            self._resize(path, 0)

    def _on_close(self, call: Call, _: _Open | None) -> None:
        self._open.pop(_number(call.rest) or 0, None)

    def _on_dup(self, call: Call, file: _Open | None) -> None:
        if file is not None:
            self._open[call.result] = file

    def _on_dup2(self, call: Call, file: _Open | None) -> None:
        self._open.pop(call.result, None)
        self._on_dup(call, file)

    def _on_fcntl(self, call: Call, file: _Open | None) -> None:
        if "F_DUPFD" in call.rest:
            self._on_dup(call, file)

    def _on_lseek(self, call: Call, file: _Open | None) -> None:
        if file is not None:
            file.position = call.result

    def _on_write(self, call: Call, file: _Open | None) -> None:
        if file is None:
            return
        if file.is_append:
            file.position = self._sizes[file.path]
        self._wrote(file, file.position, b"".join(call.texts)[: call.result])
        file.position += call.result

    _on_writev = _on_write

    def _on_pwrite64(self, call: Call, file: _Open | None) -> None:
        if file is not None:
            offset = int(call.rest.rpartition(",")[2])
            self._wrote(file, offset, b"".join(call.texts)[: call.result])

    _on_pwritev = _on_pwrite64

    def _wrote(self, file: _Open, offset: int, data: bytes) -> None:
        size = self._sizes[file.path]
        self._sizes[file.path] = max(size, offset + len(data))
        self.events.append(Wrote(file.path, offset, data, file.is_synced))

    def _on_fsync(self, _: Call, file: _Open | None) -> None:
        if file is not None:
            self.events.append(Synced(file.path))

    _on_fdatasync = _on_fsync

    def _on_ftruncate(self, call: Call, file: _Open | None) -> None:
        if file is not None:
            self._resize(file.path, int(call.rest.rpartition(",")[2]))

    def _on_mkdir(self, call: Call, _: _Open | None) -> None:
        if path := self._path(call):
            self._note_new(path, is_directory=True)

    _on_mkdirat = _on_mkdir

    def _on_unlink(self, call: Call, _: _Open | None) -> None:
        if path := self._path(call):
            self._known.discard(path)
            self._sizes.pop(path, None)
            self.events.append(Removed(path))

    _on_unlinkat = _on_rmdir = _on_unlink

    def _on_rename(self, call: Call, _: _Open | None) -> None:
        old, new = self._path(call), self._path(call, 1)
        if not old and not new:
            return
        if not old or not new:
            raise BlindError(f"a rename over the border of the recording: {call.texts}")
        for path in [one for one in self._known if one == old or _is_below(one, old)]:
            moved = new + path.removeprefix(old)
            self._known.discard(path)
            self._known.add(moved)
            if path in self._sizes:
                self._sizes[moved] = self._sizes.pop(path)
        for file in self._open.values():
            if file.path == old or _is_below(file.path, old):
                file.path = new + file.path.removeprefix(old)
        self.events.append(Renamed(old, new))

    _on_renameat = _on_renameat2 = _on_rename

    def _on_mmap(self, call: Call, _: _Open | None) -> None:
        if "PROT_WRITE" not in call.rest or "MAP_SHARED" not in call.rest:
            return
        file = self._open.get(int(call.rest.split(",")[4]))
        if file is not None and not file.path.endswith("/lock.mdb"):
            raise BlindError(f"{file.path} is mapped for writing")

    def _note_new(self, path: str, *, is_directory: bool) -> None:
        self._known.add(path)
        if not is_directory:
            self._sizes[path] = 0
        self.events.append(Made(path, is_directory))

    def _resize(self, path: str, size: int) -> None:
        self._sizes[path] = size
        self.events.append(Resized(path, size))

    def adopt(self, other: _Reader) -> None:
        """Go on where the recording of an earlier process ended."""
        self._known, self._sizes = set(other._known), dict(other._sizes)


def read_traces(named: Sequence[tuple[str, Path]], root: Path) -> list[Event]:
    """Read recordings of processes that ran one after the other, each with its end."""
    events: list[Event] = []
    last: _Reader | None = None
    for name, trace in named:
        reader = _Reader(str(root))
        if last is not None:
            reader.adopt(last)
        for call, begins in _calls(trace):
            reader.take(call, begins=begins)
        events += [*reader.events, Ended(name)]
        last = reader
    return events


def _number(rest: str) -> int | None:
    head = rest.partition(",")[0].strip()
    return int(head) if head.isdigit() else None


def _is_below(path: str, folder: str) -> bool:
    return path.startswith(f"{folder}/")
