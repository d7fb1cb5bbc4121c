"""What a run does to a server, and what must hold when it has been started again."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

from tallystick_merkle.receipt import Status
from tallystick_server.config.model import LogSettings
from tallystick_server.log.anchor import read_anchor
from tallystick_server.log.paths import store_directory
from tallystick_server.storage.lmdb import open_store
from tallystick_server.wiring.checking import check_stored
from tests.system.crash.calls import Call, Point
from tests.system.crash.ends import judge_end
from tests.system.crash.server_run import Case, Client
from tests.system.stack import LOG, ORIGIN


def first_run(client: Client) -> None:
    """Append, publish and have cosigned, in every way there is."""
    client.entry("alone")
    client.settle()
    client.entry("witnessed", wait="witnessed")
    client.batch("batch", [b"of the batch %d" % number for number in range(3)])
    client.settle()
    client.repeat("batch")
    client.entry("last", wait="witnessed")
    client.look()


def second_run(client: Client) -> None:
    """What a client does after a crash: it tries again, and goes on."""
    client.entry("alone")
    client.entry("after", wait="witnessed")
    client.look()


def hit(
    case: Case,
    point: Point,
    *,
    second: bool = False,
    program: Sequence[str] | None = None,
) -> bool:
    """Do a run in which a point is hit; give whether it was reached."""
    with case.serve(point=point, program=program) as server:
        try:
            client = Client(case, server)
            (second_run if second else first_run)(client)
            server.stop()
        except subprocess.TimeoutExpired:
            case.book.wrong.append("it hangs")
            return True
        case.book.wrong += judge_end(server)
        return server.was_hit()


def list_calls(case: Case, *, second: bool = False) -> list[Call]:
    """Do a run in which nothing is hit; give its calls."""
    with case.serve(listing=True) as server:
        client = Client(case, server)
        (second_run if second else first_run)(client)
        assert server.stop() == 0, server.said()
        assert client.failures == []
        return server.calls()


def recover(case: Case) -> list[str]:
    """Start again untouched; give all that is wrong, before or after."""
    book = case.book
    with case.serve() as server:
        client = Client(case, server)
        if not client.is_up:
            return [*book.wrong, f"it does not start again: {server.said()}"]
        for key in sorted(book.tried, key=lambda key: key not in book.acked):
            client.repeat(key)
        if client.entry("very-last", wait="witnessed") is not Status.WITNESSED:
            book.wrong.append("the log takes nothing more that is witnessed")
        entries = client.entries()
        if client.failures:
            book.wrong.append(f"refused after a start: {client.failures}")
        if server.stop() != 0:
            book.wrong.append(f"it does not stop well: {server.said()}")
    _check_stored(case)
    book.check(entries)
    return book.wrong


def _check_stored(case: Case) -> None:
    """What is on the disks: the store, its heads, the anchor, the witness's head."""
    book, data = case.book, case.place / "data"
    settings = LogSettings(policy=case.place / "policy")
    report = check_stored(data, LOG, settings)
    book.wrong += [str(problem) for problem in report.problems]
    book.wrong += [str(doubt) for doubt in report.doubts]
    store = open_store(store_directory(data, LOG), read_only=True)
    try:
        last = store.load().head
        for head in store.heads():
            book.see(head.note)
    finally:
        store.close()
    for note in case.inside.shown:
        book.see(note)
    cosigned = case.inside.last()
    if cosigned is None or cosigned.size != last.size:
        book.wrong.append("the last head is not with the witness")
    if read_anchor(case.place / "other/anchor", origin=ORIGIN) != (
        last.size,
        last.root,
    ):
        book.wrong.append("the anchor does not hold the last head")
