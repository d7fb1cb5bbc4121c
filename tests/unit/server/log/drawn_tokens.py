"""Tokens that look drawn, and a place for their file."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from tallystick_server.log.tokenfile import tokens_path
from tallystick_server.log.tokens import NewToken, make_token

LOG = "main"


def drawn(seed: int) -> NewToken:
    """A token that looks drawn, and is the same each time."""

    def draw(count: int) -> bytes:
        return sha256(b"%d %d" % (seed, count)).digest()[:count]

    return make_token(log=LOG, created_ms=1_000, draw=draw)


def folder(data: Path) -> Path:
    """Make the folder of the log; give the path of its token file."""
    path = tokens_path(data, LOG)
    path.parent.mkdir(parents=True)
    return path
