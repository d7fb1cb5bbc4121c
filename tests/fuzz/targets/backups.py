"""Targets: what a backup and a restored log say of themselves."""

from __future__ import annotations

from contextlib import suppress

from tallystick_merkle.promotion import Promotion
from tallystick_server.errors import ServerError
from tallystick_server.log.files import Digest
from tallystick_server.log.manifest import (
    FILE_NAME,
    Manifest,
    SavedFile,
    SavedLog,
    format_manifest,
    read_manifest,
)
from tallystick_server.log.marker import Marker, format_marker, read_marker
from tallystick_server.log.paths import restored_path
from tests.fuzz.place import folder, put
from tests.fuzz.target import Target, check_spelling
from tests.unit.merkle.people import log_key

_LOG = "audit"
_ROOT = bytes(range(32))


def manifest(data: bytes) -> None:
    """The manifest of a backup: one spelling, and no file but those of a log."""
    with suppress(ServerError):
        found = read_manifest(put(FILE_NAME, data).parent)
        check_spelling(data, format_manifest(found))
        paths = [file.path for log in found.logs for file in log.files]
        assert not any(path.startswith("/") or ".." in path for path in paths)


def marker(data: bytes) -> None:
    """What a restored log may do."""
    place = restored_path(folder(), _LOG).relative_to(folder())
    with suppress(ServerError):
        put(str(place), data)
        found = read_marker(folder(), _LOG)
        assert found is not None
        check_spelling(data, format_marker(found))


TARGETS: dict[str, Target] = {"manifest": manifest, "marker": marker}


def seeds() -> dict[str, list[bytes]]:
    """Good inputs."""
    files = (
        SavedFile("evidence/head-0123456789abcdef.json", Digest(3, _ROOT)),
        SavedFile("log.lmdb/data.mdb", Digest(4096, _ROOT)),
        SavedFile("vkeys", Digest(200, _ROOT)),
    )
    key = log_key().verifier
    log = SavedLog(_LOG, key, 9, _ROOT, "head\n", None, files)
    restored = Marker(9, _ROOT, 1_700_000_000_000)
    promoted = restored.promoted(now_ms=1_700_000_001_000, unwitnessed=False)
    entry = Promotion(key.name, 1_700_000_002_000, 9, _ROOT, bytes(16))
    return {
        "manifest": [format_manifest(Manifest(1_700_000_000_123, (log,)))],
        "marker": [
            format_marker(one)
            for one in (restored, promoted, promoted.confirming(entry))
        ],
    }
