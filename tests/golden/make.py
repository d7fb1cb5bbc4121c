"""Make the golden data: `python -m tests.golden.make DIRECTORY`.

DIRECTORY gets `data.tar.xz`, the deployment that `story` tells; `expected.json`, what
is to be found in it; and `outputs/`, public bytes that every version must reproduce.
A released version's folder is never made again: it is what that version wrote.
"""

from __future__ import annotations

import argparse
import json
import logging
import tarfile
import tempfile
from io import BytesIO
from pathlib import Path

import lmdb

from tallystick_server.clock import SetClock
from tests.golden.deployment import opened_log
from tests.golden.outputs import digests, outputs
from tests.golden.story import BEGAN_MS, tell

_LOCKS = ("lock.mdb", "writer.lock", "witness.lock", "log.lock", "lock", "policy")
_LATER_MS = 3_600_000


def main() -> None:
    """Make everything anew."""
    parser = argparse.ArgumentParser(prog="python -m tests.golden.make")
    parser.add_argument("directory", type=Path)
    logging.disable()
    directory: Path = parser.parse_args().directory
    (directory / "outputs").mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        token = tell(place)
        with opened_log(place, SetClock(BEGAN_MS + _LATER_MS)) as log:
            made = outputs(log)
            expected = {
                "token": token.valid,
                "revoked_token": token.revoked,
                "roots": {
                    str(head.size): head.root.hex() for head in log.store.heads()
                },
                "sha256": digests(log),
            }
        for name, data in made.items():
            (directory / "outputs" / name).write_bytes(data)
        (directory / "data.tar.xz").write_bytes(pack(place))
    text = json.dumps(expected, indent=1) + "\n"
    (directory / "expected.json").write_text(text, encoding="utf-8")


def pack(place: Path) -> bytes:
    """Pack a deployment, its stores compacted, without what a start makes anew."""
    sink = BytesIO()
    with tarfile.open(fileobj=sink, mode="w:xz", preset=9) as archive:
        for path in sorted(place.rglob("*")):
            if path.name in _LOCKS and path.is_file():
                continue
            entry = archive.gettarinfo(str(path), str(path.relative_to(place)))
            entry.uid = entry.gid = 0
            entry.uname = entry.gname = ""
            entry.mtime = BEGAN_MS // 1000
            if path.name == "data.mdb":
                data = compacted(path)
            else:
                data = path.read_bytes() if path.is_file() else b""
            entry.size = len(data)
            archive.addfile(entry, BytesIO(data) if path.is_file() else None)
    return sink.getvalue()


def compacted(path: Path) -> bytes:
    """Copy a store without its free pages."""
    with tempfile.TemporaryDirectory() as folder:
        with lmdb.open(str(path.parent), readonly=True, lock=False) as env:
            env.copy(folder, compact=True)
        return (Path(folder) / path.name).read_bytes()


if __name__ == "__main__":
    main()
