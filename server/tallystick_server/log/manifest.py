"""The manifest of a backup: what it holds, and the digest of each of its files.

    {"format": 1, "made": "<RFC 3339>", "logs": [
      {"log": "audit", "origin": "…", "vkey": "…", "size": 9, "root": "<hex>",
       "head": "<signed note>", "published": "<note with cosignatures>" or null,
       "files": [{"path": "logs/audit/log.lmdb/data.mdb", "bytes": 1, "sha256": "…"}]}]}

It is written last.  There is one spelling of each, and the files of a log are those
that we write and no other, so that a restore cannot be led elsewhere.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from tallystick_merkle.errors import MalformedError
from tallystick_merkle.hashing import HASH_SIZE
from tallystick_merkle.keys import VerifierKey, format_vkey, parse_vkey
from tallystick_server.errors import IntegrityError, NotInitialisedError, UsageError
from tallystick_server.log.files import Digest, read_plain
from tallystick_server.log.paths import check_log_name
from tallystick_server.ops.times import format_time, parse_time

_NOT_ONE = (
    ValueError,
    KeyError,
    TypeError,
    OverflowError,
    RecursionError,
    MalformedError,
)

FORMAT = 1
"""Version of the manifest; one of another version is refused."""

FILE_NAME = "manifest.json"
"""What the file is called in a backup."""

MAX_FILE = 16 * 1024 * 1024
"""Longest manifest read, in bytes."""

VKEYS, STORE, EVIDENCE = "vkeys", "log.lmdb/data.mdb", "evidence"
"""What is kept of a log's directory."""

_EVIDENCE = re.compile(rf"{EVIDENCE}/head-[0-9a-f]{{16}}\.json", re.ASCII)


@dataclass(frozen=True, slots=True)
class SavedFile:
    """One file: its path below the log's directory, and what is in it."""

    path: str
    digest: Digest


@dataclass(frozen=True, slots=True)
class SavedLog:
    """One log of a backup: its name, key and head, and its files.

    `note` is the signed head, `published` the published checkpoint, if there is one.
    """

    name: str
    key: VerifierKey
    size: int
    root: bytes
    note: str
    published: str | None
    files: tuple[SavedFile, ...]

    @property
    def origin(self) -> str:
        """The log's name in its checkpoints."""
        return self.key.name

    @property
    def bytes(self) -> int:
        """Bytes of all its files."""
        return sum(file.digest.size for file in self.files)


@dataclass(frozen=True, slots=True)
class Manifest:
    """A whole backup, and when it was begun, in POSIX milliseconds."""

    made_ms: int
    logs: tuple[SavedLog, ...]


def read_manifest(backup: Path) -> Manifest:
    """Read the manifest of a backup.

    Raises NotInitialisedError where there is none, UsageError for one of a newer
    format, IntegrityError for one that is damaged.
    """
    path = backup / FILE_NAME
    try:
        data = read_plain(path, MAX_FILE + 1)
    except FileNotFoundError as error:
        raise NotInitialisedError(
            f"{backup} is no whole backup: it has no {FILE_NAME}"
        ) from error
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    try:
        return parse_manifest(data)
    except _NOT_ONE as error:
        raise IntegrityError(f"{path} is damaged; take another backup") from error


def format_manifest(manifest: Manifest) -> bytes:
    """Write the manifest's bytes."""
    body = {
        "format": FORMAT,
        "made": format_time(manifest.made_ms),
        "logs": [_log(log) for log in manifest.logs],
    }
    return f"{json.dumps(body, indent=1)}\n".encode()


def parse_manifest(data: bytes) -> Manifest:
    """Read a manifest; raise UsageError for a newer format.

    Raises ValueError, KeyError, TypeError, MalformedError for what is not one.
    """
    body = json.loads(data)
    if type(body["format"]) is int and body["format"] > FORMAT:
        raise UsageError(
            f"the backup is of format {body['format']}, this version reads {FORMAT}"
        )
    manifest = Manifest(
        parse_time(body["made"]), tuple(_parse_log(log) for log in body["logs"])
    )
    if len({log.name for log in manifest.logs}) != len(manifest.logs):
        raise ValueError("a log twice")
    if format_manifest(manifest) != data:
        raise ValueError("not the one spelling")
    return manifest


def _log(log: SavedLog) -> dict[str, object]:
    return {
        "log": log.name,
        "origin": log.origin,
        "vkey": format_vkey(log.key),
        "size": log.size,
        "root": log.root.hex(),
        "head": log.note,
        "published": log.published,
        "files": [
            {
                "path": f"logs/{log.name}/{file.path}",
                "bytes": file.digest.size,
                "sha256": file.digest.sha256.hex(),
            }
            for file in log.files
        ],
    }


def _parse_log(body: dict[str, object]) -> SavedLog:
    """Read one log; what has no one spelling is found out by writing it again."""
    name, size, files = _text(body, "log"), body["size"], body["files"]
    try:
        check_log_name(name)
    except UsageError as error:
        raise ValueError("no name of a log") from error
    root = bytes.fromhex(_text(body, "root"))
    if type(size) is not int or size < 1 or len(root) != HASH_SIZE:
        raise ValueError("no head")
    if not isinstance(files, list):
        raise TypeError("files is not a list")
    saved = tuple(_parse_file(name, file) for file in files)
    paths = [file.path for file in saved]
    if len(set(paths)) != len(paths) or not {VKEYS, STORE} <= set(paths):
        raise ValueError("a file twice, or one missing")
    published = body["published"]
    return SavedLog(
        name,
        parse_vkey(_text(body, "vkey")),
        size,
        root,
        _text(body, "head"),
        None if published is None else _text(body, "published"),
        saved,
    )


def _parse_file(name: str, body: dict[str, object]) -> SavedFile:
    """Read one file; its path must be one that we write."""
    path, size = _text(body, "path").removeprefix(f"logs/{name}/"), body["bytes"]
    if path not in (VKEYS, STORE) and _EVIDENCE.fullmatch(path) is None:
        raise ValueError("a file that is not of a backup")
    digest = bytes.fromhex(_text(body, "sha256"))
    if type(size) is not int or size < 0 or len(digest) != 32:
        raise ValueError("no digest")
    return SavedFile(path, Digest(size, digest))


def _text(body: dict[str, object], name: str) -> str:
    value = body[name]
    if not isinstance(value, str):
        raise TypeError(f"{name} is not a text")
    return value
