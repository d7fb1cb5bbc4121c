"""The file of a log's tokens: JSON, mode 0600, replaced whole or not at all.

    {"format": 1, "tokens": [{"id", "principal", "sha256", "created", "scopes",
                              "expires", "revoked"}, …]}

Times are RFC 3339 in UTC; `expires` and `revoked` may be null.  `scopes` are one or
more of those that there are, in their one order; a file with any other is refused,
for half of what it says cannot be kept.  The new file is
written beside the old one and fsynced, then renamed over it, then the folder is
fsynced: whoever reads sees the one or the other.  Writers take turns by a lock on the
folder.  A server reads the file again when it has changed.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tallystick_server.clock import Clock
from tallystick_server.errors import NotInitialisedError, UsageError, unusable
from tallystick_server.log.keyring import sync_directory
from tallystick_server.log.paths import log_directory
from tallystick_server.log.tokens import (
    SCOPE_APPEND,
    NewToken,
    Token,
    make_token,
    revoke,
)
from tallystick_server.ops.times import format_time, parse_time

FORMAT = 1
"""Version of the file; one of another version is refused."""

MAX_FILE = 16 * 1024 * 1024
"""Longest file read, in bytes."""

FILE_NAME = "tokens.json"
"""What the file is called in a log's folder."""


def read_tokens(path: Path) -> list[Token]:
    """Read the tokens; none when there is no file. Raises UsageError."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE + 1)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    if len(data) > MAX_FILE:
        raise UsageError(f"{path} is longer than {MAX_FILE} bytes")
    try:
        return parse_tokens(data)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UsageError(f"{path} is not a token file of format {FORMAT}") from error


def change_tokens(
    path: Path, change: Callable[[list[Token]], Sequence[Token]]
) -> list[Token]:
    """Read, change and replace the file as one step; durable when this returns."""
    with _turn(path.parent):
        tokens = list(change(read_tokens(path)))
        _replace(path, format_tokens(tokens))
    return tokens


def tokens_path(data: Path, log: str) -> Path:
    """Where a log's tokens are."""
    return log_directory(data, log) / FILE_NAME


def add_token(  # all keyword-only but the folder
    data: Path,
    *,
    log: str,
    clock: Clock,
    draw: Callable[[int], bytes],
    principal: str = "",
    scopes: Iterable[str] = (SCOPE_APPEND,),
    expires_ms: int | None = None,
) -> NewToken:
    """Make a token and store it; `draw(n)` gives n random bytes. Raises UsageError."""
    try:
        new = make_token(
            log=log,
            created_ms=clock.now_ms(),
            draw=draw,
            principal=principal,
            scopes=scopes,
            expires_ms=expires_ms,
        )
    except ValueError as error:
        raise UsageError(str(error)) from error
    change_tokens(tokens_path(data, log), lambda tokens: [*tokens, new.token])
    return new


def list_tokens(data: Path, *, log: str) -> list[Token]:
    """Read a log's tokens; raise NotInitialisedError where there is no log."""
    path = tokens_path(data, log)
    if not path.parent.is_dir():
        raise _no_log(path.parent)
    return read_tokens(path)


def revoke_token(data: Path, *, log: str, token_id: str, clock: Clock) -> None:
    """Revoke a token; raise UsageError when the log has none of this id."""
    path, now_ms = tokens_path(data, log), clock.now_ms()
    try:
        change_tokens(path, lambda tokens: revoke(tokens, token_id, time_ms=now_ms))
    except KeyError as error:
        raise UsageError(f"the log {log} has no token {token_id[:80]!r}") from error


def format_tokens(tokens: Sequence[Token]) -> bytes:
    """Write the file's bytes."""
    rows = [
        {
            "id": token.id,
            "principal": token.principal,
            "sha256": token.digest.hex(),
            "created": format_time(token.created_ms),
            "scopes": list(token.scopes),
            "expires": _optional_time(token.expires_ms),
            "revoked": _optional_time(token.revoked_ms),
        }
        for token in tokens
    ]
    return json.dumps({"format": FORMAT, "tokens": rows}, indent=1).encode() + b"\n"


def parse_tokens(data: bytes) -> list[Token]:
    """Read the file's bytes; raise ValueError, KeyError or TypeError otherwise.

    Raises UsageError for a file of another format.
    """
    body = json.loads(data)
    found = body["format"]
    if type(found) is not int:
        raise TypeError("format is not a number")
    if found != FORMAT:
        raise UsageError(
            f"the tokens are stored in format {found} and this version of tallystick "
            f"knows {FORMAT}"
        )
    rows = body["tokens"]
    if not isinstance(rows, list):
        raise TypeError("tokens is not a list")
    return [_parse_token(row) for row in rows]


def _parse_token(row: dict[str, object]) -> Token:
    """Read one row; every field is required."""
    scopes = row["scopes"]
    if not isinstance(scopes, list) or not all(type(one) is str for one in scopes):
        raise TypeError("scopes is not a list of texts")
    digest = bytes.fromhex(_text(row, "sha256"))
    if len(digest) != 32:
        raise ValueError("sha256 of a wrong length")
    token = Token(
        _text(row, "id"),
        _text(row, "principal"),
        digest,
        parse_time(_text(row, "created")),
        tuple(scopes),
        None if row["expires"] is None else parse_time(_text(row, "expires")),
        None if row["revoked"] is None else parse_time(_text(row, "revoked")),
    )
    token.check()
    return token


def _text(row: dict[str, object], name: str) -> str:
    value = row[name]
    if not isinstance(value, str):
        raise TypeError(f"{name} is not a text")
    return value


def _optional_time(time_ms: int | None) -> str | None:
    return None if time_ms is None else format_time(time_ms)


@contextmanager
def _turn(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, so that two writers do not lose a token."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise _no_log(folder) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _replace(path: Path, data: bytes) -> None:
    """Replace a file: written and fsynced beside it, renamed, folder fsynced.

    It belongs to whom the folder belongs: a server must be able to read what somebody
    else, root for one, has revoked.
    """
    beside = path.with_name(path.name + ".new")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        descriptor = os.open(beside, flags, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), 0o600)
            owner = path.parent.stat()
            os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
        sync_directory(path.parent)
    except OSError as error:
        raise unusable(f"cannot write {path}", error) from error


def _no_log(folder: Path) -> NotInitialisedError:
    return NotInitialisedError(
        f"no log at {folder}; make one with: tallystick server init"
    )
