"""The scratch of a drill: made below the directory to be tested, and removed again.

tallystick-selftest-XXXXXXXX/
  logs/        what the processes said
  log-1/       one log: data/, older/ (a copy), anchor, witness/, *.toml, policy

Nothing outside of it is ever written or removed.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

from tallystick_server.errors import StoreError, UsageError
from tallystick_server.ops.disk import check_filesystem, free_bytes

PREFIX = "tallystick-selftest-"
"""What the name of a scratch directory begins with."""

NEEDED_BYTES = 192 * 1024 * 1024
"""Free space without which a drill is not begun."""

LOG = "selftest"
"""Name of the log of a drill."""

ORIGIN = "selftest.tallystick.example/log"
"""Its origin."""

WITNESS = "selftest.tallystick.example/witness"
"""Name of the witness's key."""

SERVER_MARGIN = 16 * 1024 * 1024
"""Free space that the drill's own server keeps; that of a real one is larger."""


def make_scratch(directory: Path) -> Path:
    """Make the scratch below `directory`.

    Raises UsageError for a place where no log may be, and StoreError where there is no
    room for a drill.
    """
    if not directory.is_dir():
        raise UsageError(f"{directory} is not a directory: name one with --data")
    check_filesystem(directory)
    free = free_bytes(directory)
    if free < NEEDED_BYTES:
        raise StoreError(
            f"{directory} has {free // 2**20} MiB free and the selftest needs "
            f"{NEEDED_BYTES // 2**20}: make room, or name another directory"
        )
    try:
        scratch = Path(tempfile.mkdtemp(prefix=PREFIX, dir=directory)).resolve()
        (scratch / "logs").mkdir()
    except OSError as error:
        raise StoreError(f"cannot write to {directory}: {error.strerror}") from error
    return scratch


def used_bytes(folder: Path) -> int:
    """Give the bytes that the files below a folder take on the disk."""
    return sum(
        file.lstat().st_blocks * 512 for file in folder.rglob("*") if file.is_file()
    )


class Place:
    """Where one log of a drill, its anchor and its witness are."""

    def __init__(self, path: Path) -> None:
        """Make the directory."""
        self.path = path
        self.data = path / "data"
        self.older = path / "older"
        self.newer = path / "newer"
        self.anchor = path / "anchor"
        self.policy = path / "policy"
        self.config = path / "server.toml"
        self.witness = path / "witness"
        self.witness_config = path / "witness.toml"
        path.mkdir()
        self.witness_config.write_text("[witness]\nmin_free_mib = 16\n", "utf-8")

    def configure(
        self, *, vkey: str, witness_vkey: str | None, url: str, has_anchor: bool
    ) -> None:
        """Write policy and configuration for the next start of the server."""
        lines = [f"log {vkey}"]
        if witness_vkey is not None:
            lines.append(f"witness w {witness_vkey} {url}".rstrip())
        lines.append("quorum none" if witness_vkey is None else "quorum w")
        self.policy.write_text("\n".join([*lines, ""]), "utf-8")
        config = [
            "[server]",
            f"disk_margin_bytes = {SERVER_MARGIN}",
            f"[logs.{LOG}]",
            f"policy = {json.dumps(str(self.policy), ensure_ascii=False)}",
            "publish_interval_s = 0.1",
        ]
        if has_anchor:
            config.append(
                f"anchor = {json.dumps(str(self.anchor), ensure_ascii=False)}"
            )
        self.config.write_text("\n".join([*config, ""]), "utf-8")

    def keep_older(self) -> None:
        """Copy the data, as a backup does; nobody may be writing them."""
        if self.older.exists():
            shutil.rmtree(self.older)
        shutil.copytree(self.data, self.older)

    def set_back(self) -> None:
        """Put the older copy in the place of the data."""
        self.data.rename(self.newer)
        shutil.copytree(self.older, self.data)

    def bring_back(self) -> None:
        """Put the newer data back."""
        shutil.rmtree(self.data)
        self.newer.rename(self.data)
