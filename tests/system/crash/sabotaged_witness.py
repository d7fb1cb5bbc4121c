"""The real witness with one part that is wrong: planted bugs for the crash matrix.

    python sabotaged_witness.py BUG witness serve --data DIR … --anchor FILE

early   answers before it stores: the store has its turn at the next head, or the end
deaf    swallows the error of the store, and answers
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from aiohttp import web

from tallystick_witness.app import Face, make_app
from tallystick_witness.clock import SystemClock
from tallystick_witness.config import WitnessSettings
from tallystick_witness.cosigning import make_head
from tallystick_witness.desk import Desk
from tallystick_witness.errors import StoppedError
from tallystick_witness.rule import Acceptance
from tallystick_witness.service import Witness
from tallystick_witness.state import FollowedLog, Head
from tallystick_witness.wiring import open_witness


class Early(Witness):
    """Answers before it stores."""

    _late: Callable[[], None] | None = None
    _heads: dict[str, Head]

    def _find(self, origin: str) -> FollowedLog | None:
        found = super()._find(origin)
        head = self._held().get(origin)
        return found if found is None or head is None else replace(found, head=head)

    def _cosign(self, acceptance: Acceptance) -> bytes:
        self.settle()
        cosigned, log = make_head(acceptance, self._keys), acceptance.log
        self._held()[log.origin] = cosigned.head
        self._late = partial(self._store.advance, log.origin, log.head, cosigned.head)
        return cosigned.lines

    def settle(self) -> None:
        """Store what was answered."""
        late, self._late = self._late, None
        if late is not None:
            late()

    def _held(self) -> dict[str, Head]:
        if not hasattr(self, "_heads"):
            self._heads = {}
        return self._heads


class Deaf(Witness):
    """Swallows the error of the store."""

    def _cosign(self, acceptance: Acceptance) -> bytes:
        cosigned, log = make_head(acceptance, self._keys), acceptance.log
        with suppress(StoppedError):
            self._store.advance(log.origin, log.head, cosigned.head)
        return cosigned.lines


BUGS = {"early": Early, "deaf": Deaf}


async def serve(witness: Witness) -> None:
    """Serve until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    desk = Desk(witness, max_waiting=64)
    runner = web.AppRunner(make_app(Face(desk, 10.0, "sabotaged\n")))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    _, port = runner.addresses[0][:2]
    sys.stdout.write(f"listening on http://127.0.0.1:{port}\n")
    sys.stdout.flush()
    await stop.wait()
    await runner.cleanup()
    desk.close()


def main() -> None:
    """Serve with the bug that is named."""
    bug, *words = sys.argv[1:]
    options = dict(zip(words[2::2], words[3::2], strict=True))
    settings = WitnessSettings(
        data=Path(options["--data"]), anchor=Path(options["--anchor"])
    )
    with open_witness(settings, SystemClock()) as real:
        witness = BUGS[bug](
            keys=real._keys,
            store=real._store,
            anchor=real._anchor,
            timekeeper=real._timekeeper,
            has_room=real._has_room,
            is_alone=real._is_alone,
        )
        asyncio.run(serve(witness))
        if isinstance(witness, Early):
            witness.settle()


if __name__ == "__main__":
    main()
