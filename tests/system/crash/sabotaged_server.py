"""The real server with one part that is wrong: planted bugs for the crash matrix.

    python sabotaged_server.py BUG server serve --config FILE

early   answers before it commits: the store has its turn when the next thing is done
deaf    swallows the error of a commit, and goes on
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import uvloop

from tallystick_server.cli.options import load_settings
from tallystick_server.clock import SystemClock
from tallystick_server.errors import ServerError
from tallystick_server.log.commit import Submission
from tallystick_server.log.events import EventSubmission
from tallystick_server.log.writer import Released, Writer
from tallystick_server.storage.base import Head, Published
from tallystick_server.wiring.running import Permissions
from tallystick_server.wiring.serving import Start, serve


class Early(Writer):
    """Answers before it commits."""

    _late: Callable[[], None] | None = None

    def _make_durable(self, head: Head, store: Callable[[], None]) -> None:
        self._late = store

    def commit(self, submissions: Sequence[Submission | EventSubmission]) -> Released:
        self._settle()
        return super().commit(submissions)

    def mark_publishable(self) -> Head:
        self._settle()
        return super().mark_publishable()

    def _settle(self) -> None:
        late, self._late = self._late, None
        if late is not None:
            late()


class Deaf(Writer):
    """Swallows the error of a commit."""

    def _make_durable(self, head: Head, store: Callable[[], None]) -> None:
        with suppress(ServerError):
            store()

    def publish(self, published: Published) -> None:
        with suppress(ServerError):
            super().publish(published)


BUGS = {"early": Early, "deaf": Deaf}


def announce(url: str) -> None:
    """Say that it listens, as the real one does."""
    sys.stdout.write(f"listening on {url}\n")
    sys.stdout.flush()


def main() -> None:
    """Serve with the bug that is named."""
    bug, *_, config = sys.argv[1:]
    loaded = load_settings(Path(config), None)
    start = Start(
        loaded, SystemClock(), Permissions(), announce, lambda: None, writer=BUGS[bug]
    )
    uvloop.run(serve(start))


if __name__ == "__main__":
    main()
