"""The log server with one bug planted: `planted.py NAME server serve …`.

Each sabotage takes away one thing that the hostile corpus is to notice.  It is put in
before the command runs, and nothing else is changed.
"""

from __future__ import annotations

import re
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

from aiohttp import web

from tallystick_client.cli.main import main
from tallystick_merkle.tile import Tile
from tallystick_server.errors import NotFoundError
from tallystick_server.log.tokengate import TokenGate
from tallystick_server.web import app as web_app
from tallystick_server.web import append, tiles
from tallystick_server.web.connections import CappedSite
from tallystick_server.web.unsent import Unsent
from tallystick_server.web.visitors import Patience
from tallystick_server.wiring import serving

HOLD_S = 1.5
"""Seconds for which the event loop is held up."""

_LAX_PATH = re.compile(r".*/tile/(.+?)/(.+?)(?:\.p/(.+))?", re.DOTALL)


def put(owner: object, name: str, value: object) -> None:
    """Plant `value` in the place of what a module or class has under a name."""
    setattr(owner, name, value)


async def read_anything(request: web.Request, **limits: object) -> bytes:
    """Read a body without cap, time or question."""
    del limits
    return await request.content.read()


def take_any_body() -> None:
    """No cap on a body, no time for it."""
    put(append, "read_body", read_anything)


def unpack_bodies() -> None:
    """The library unpacks what is sent."""
    take_any_body()

    def unpacking(*args: Any, **settings: Any) -> web.AppRunner:  # noqa: ANN401
        runner = web_app.make_runner(*args, **settings)
        runner._kwargs["auto_decompress"] = True
        return runner

    put(serving, "make_runner", unpacking)


def read_paths_laxly() -> None:
    """A tile's path is cut by a pattern and read by int()."""

    def find(log: object, raw_path: str) -> Tile:
        del log
        found = _LAX_PATH.fullmatch(raw_path)
        try:
            assert found is not None
            level = -1 if found[1] == "entries" else int(found[1])
            index = int(found[2].replace("/", "").replace("x", ""))
            return Tile(level, index, int(found[3] or 256))
        except (AssertionError, ValueError) as error:
            raise NotFoundError("no such tile") from error

    put(tiles, "_find_tile", find)


def tell_errors_at_length() -> None:
    """Every error is answered with its traceback."""

    @web.middleware
    async def tell(request: web.Request, handler: Any) -> web.StreamResponse:  # noqa: ANN401
        try:
            answer: web.StreamResponse = await handler(request)
        except Exception:  # noqa: BLE001 -- the planted bug
            return web.Response(status=400, text=traceback.format_exc())
        return answer

    put(web_app, "answer_problems", tell)


def hold_up_the_loop() -> None:
    """A token that is none costs a second and a half of the event loop."""
    admit = TokenGate.admit

    def slow(self: TokenGate, header: str | None, *scopes: str) -> str:
        end_s = time.monotonic() + HOLD_S
        while time.monotonic() < end_s:
            pass
        return admit(self, header, *scopes)

    put(TokenGate, "admit", slow)


def wait_for_ever() -> None:
    """Heads may take as long as they like."""
    put(serving, "Patience", lambda **_: Patience(head_s=1e9, write_s=1e9))


def count_no_bundles() -> None:
    """Any number of bundles is sent at once."""
    put(Unsent, "check", lambda _: None)


def keep_the_idle() -> None:
    """Nobody makes room for anybody."""
    put(CappedSite, "_close_idle", lambda _: False)


SABOTAGES: dict[str, Callable[[], None]] = {
    "a body without a cap": take_any_body,
    "bodies are unpacked": unpack_bodies,
    "paths are read laxly": read_paths_laxly,
    "errors are told at length": tell_errors_at_length,
    "the event loop is held up": hold_up_the_loop,
    "heads may take for ever": wait_for_ever,
    "bundles are not counted": count_no_bundles,
    "idle connections keep their place": keep_the_idle,
}
"""Every sabotage by its name."""


if __name__ == "__main__":
    SABOTAGES[sys.argv.pop(1)]()
    main()
