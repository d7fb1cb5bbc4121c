"""Where a log's files lie below the data directory.

data/keys/NAME.skey             signing key                          0600
data/keys/NAME.next.skey        the key that will follow it          0600
data/keys/NAME.recovery.skey    to be moved offline                  0600
data/logs/NAME/vkeys            the three public keys, one a line
data/logs/NAME/writer.lock      held by the process that writes
data/logs/NAME/log.lmdb/        the store
data/logs/NAME/evidence/        heads that contradict this log
data/logs/NAME/restored.json    there while the log is a copy that may not sign
data/logs/.NAME.new/            a log that `init` is making, or was
data/logs/.NAME.restore/        a log that `restore` is making, or was
data/derived/NAME/              what is made from the events of a log; no part of it
"""

from __future__ import annotations

import re
from pathlib import Path

from tallystick_server.errors import UsageError

RESTORED = "restored.json"
"""Name of the file that makes a log a restored one."""

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}", re.ASCII)


def check_log_name(name: str) -> None:
    """Raise UsageError unless `name` may name a log: `[a-z0-9][a-z0-9-]{0,62}`."""
    if _NAME.fullmatch(name) is None:
        raise UsageError(
            f"{name[:80]!r} cannot name a log: expected 1 to 63 of a-z, 0-9 and -, "
            "not beginning with -"
        )


def keys_directory(data: Path) -> Path:
    """Where the signing keys of all logs are."""
    return data / "keys"


def logs_directory(data: Path) -> Path:
    """Where all logs are."""
    return data / "logs"


def log_names(data: Path) -> list[str]:
    """List the logs that are there, sorted; what `init` left behind is not one."""
    folder = logs_directory(data)
    if not folder.is_dir():
        return []
    return sorted(item.name for item in folder.iterdir() if _NAME.fullmatch(item.name))


def log_directory(data: Path, name: str) -> Path:
    """Where one log is. Every path of a log checks its name."""
    check_log_name(name)
    return logs_directory(data) / name


def staging_directory(data: Path, name: str) -> Path:
    """Where `init` makes a log before it gets its name."""
    check_log_name(name)
    return logs_directory(data) / f".{name}.new"


def store_directory(data: Path, name: str) -> Path:
    """Where a log's store is."""
    return log_directory(data, name) / "log.lmdb"


def lock_path(data: Path, name: str) -> Path:
    """The file that the writing process holds."""
    return log_directory(data, name) / "writer.lock"


def restoring_directory(data: Path, name: str) -> Path:
    """Where `restore` makes a log before it gets its name."""
    check_log_name(name)
    return logs_directory(data) / f".{name}.restore"


def restored_path(data: Path, name: str) -> Path:
    """What a restored log may do, while it may not sign."""
    return log_directory(data, name) / RESTORED


def evidence_directory(data: Path, name: str) -> Path:
    """Where heads that contradict a log are kept; there once there is one."""
    return log_directory(data, name) / "evidence"


def vkeys_path(data: Path, name: str) -> Path:
    """The log's public keys as it was made: signing, next and recovery key."""
    return log_directory(data, name) / "vkeys"


def derived_directory(data: Path, name: str) -> Path:
    """Where what is made from a log's events is: outside the log, and its backups."""
    check_log_name(name)
    return data / "derived" / name


def key_path(data: Path, name: str) -> Path:
    """The signing key of a log."""
    check_log_name(name)
    return keys_directory(data) / f"{name}.skey"


def next_key_path(data: Path, name: str) -> Path:
    """The key that will follow the signing key."""
    check_log_name(name)
    return keys_directory(data) / f"{name}.next.skey"


def recovery_key_path(data: Path, name: str) -> Path:
    """The recovery key, until it is moved offline."""
    check_log_name(name)
    return keys_directory(data) / f"{name}.recovery.skey"
