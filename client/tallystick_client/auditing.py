"""An audit that can be stopped: it keeps its place, and goes on from there."""

from __future__ import annotations

from collections.abc import Callable

from tallystick_client.errors import StateError
from tallystick_client.guard import Reading
from tallystick_client.results import Head
from tallystick_client.transport import ClientExchange, on_disk
from tallystick_client.trust import Trust
from tallystick_merkle.errors import TreeMismatchError
from tallystick_merkle.exchange.auditing import audit_to
from tallystick_merkle.frontier import EMPTY_EDGE, Edge

SAVE_EVERY = 65_536
"""Leaves after which an audit keeps how far it has come; at its end it always does."""

Progress = Callable[[int, int], object]
"""Told how many leaves are done, and of how many."""


def hash_to(
    reader: Reading,
    edge: Edge,
    *,
    head: Head,
    trust: Trust,
    progress: Progress | None,
    save_every: int = SAVE_EVERY,
) -> ClientExchange[None]:
    """Audit from `edge` to `head`, keeping the edge now and then, and at the end.

    A kept edge is proven only by the root it ends in.  When the log's bytes and roots
    disagree, nobody knows from which leaf on, so the place is given up and the next
    audit hashes everything anew.
    """
    reached = saved = edge

    def report(now: Edge) -> None:
        nonlocal reached
        reached = now
        if progress is not None:
            progress(now.size, head.size)

    def keep() -> None:
        trust.keep_edge(reached)

    exchange = audit_to(reader, edge, head=head.judged, report=report)
    try:
        step = next(exchange)
        while True:
            if reached.size - saved.size >= save_every:
                saved = reached
                yield from on_disk(keep)
            step = exchange.send((yield step))
    except StopIteration:
        yield from on_disk(keep)
    except BaseException as error:
        # Stopped: what was hashed need not be repeated. Found wrong: all of it must.
        if isinstance(error, TreeMismatchError):
            reached = EMPTY_EDGE
        try:
            keep()
        except StateError as second:
            error.add_note(f"and the audit's state was not kept: {second}")
        raise
