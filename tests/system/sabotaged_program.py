"""A server or witness with a fault that no real one may have, for the selftest to find.

    python sabotaged_program.py SABOTAGE server|witness WORDS…

does what `tallystick server WORDS…` does, but for the sabotage:

    late       keeps what it commits where it is lost with the process: it acks first
    forked     serves a checkpoint of another root, under the log's own key
    forgetful  takes every idempotency key for a new one
    trusting   has no anchor, whatever it is told
"""

from __future__ import annotations

import itertools
import os
import shutil
import sys
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler

from tallystick_merkle.checkpoint import Checkpoint
from tallystick_merkle.note import parse_note
from tallystick_server.log.keyring import KeySigner, read_key
from tallystick_server.log.paths import key_path
from tallystick_server.selftest.child import main, watch_parent
from tallystick_server.selftest.place import LOG, ORIGIN
from tallystick_server.web import append
from tallystick_server.web.app import make_app
from tallystick_server.web.incoming import read_key as read_idempotency_key
from tallystick_server.web.services import Services
from tallystick_server.wiring import serving

OTHER_ROOT = b"\x01" * 32


def late(words: list[str]) -> None:
    """Serve a copy that is made at each start, and thrown away with it."""
    place = words.index("--data") + 1
    held, copy = Path(words[place]), Path(words[place] + ".cache")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(held, copy)
    words[place] = str(copy)


def forked(words: list[str]) -> None:
    """Answer /checkpoint with a head of the same size and another root."""
    data = Path(words[words.index("--data") + 1])
    signer = KeySigner(read_key(key_path(data, LOG)))

    @web.middleware
    async def lie(request: web.Request, handler: Handler) -> web.StreamResponse:
        answer = await handler(request)
        if not request.path.endswith("/checkpoint") or answer.status != 200:
            return answer
        assert isinstance(answer, web.Response)
        assert isinstance(answer.body, bytes)
        size = int(parse_note(answer.body).text.split(b"\n")[1])
        return web.Response(body=signer.sign(Checkpoint(ORIGIN, size, OTHER_ROOT)))

    def make_forked(services: Services) -> web.Application:
        app = make_app(services)
        app.middlewares.append(lie)
        return app

    vars(serving)["make_app"] = make_forked


def forgetful(words: list[str]) -> None:
    """Make another key of each that comes."""
    counted = itertools.count()

    def read_new_key(request: web.Request) -> str:
        return f"{read_idempotency_key(request)}-{os.getpid()}-{next(counted)}"

    vars(append)["read_key"] = read_new_key


def trusting(words: list[str]) -> None:
    """Serve under a configuration without the line of the anchor."""
    place = words.index("--config") + 1
    lines = Path(words[place]).read_text("utf-8").splitlines()
    kept = [line for line in lines if not line.startswith("anchor")]
    copy = Path(words[place] + ".trusting")
    copy.write_text("\n".join([*kept, ""]), "utf-8")
    words[place] = str(copy)


SABOTAGES = {
    "late": late,
    "forked": forked,
    "forgetful": forgetful,
    "trusting": trusting,
}

if __name__ == "__main__":
    watch_parent()
    name, *given = sys.argv[1:]
    if given[1] == "serve":
        SABOTAGES[name](given)
    main(given)
