"""Three ways to send entries: one whole, in batches, or each by itself, once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from tallystick_client.aio import AsyncTallystick
from tallystick_client.blocking import Tallystick
from tallystick_client.cli.console import Meter
from tallystick_client.cli.inputs import Line
from tallystick_client.cli.network import Target
from tallystick_client.cli.tally import Tally
from tallystick_client.errors import ClientError
from tallystick_client.idempotency import content_key
from tallystick_client.session import Wait
from tallystick_merkle.errors import KernelError, RefusedError
from tallystick_merkle.exchange.appending import Refusal

BATCH_ENTRIES = 1_000
"""Most entries sent as one batch."""

BATCH_BYTES = 4 * 1024 * 1024
"""Longest batch sent, in bytes with the length prefixes."""

AT_ONCE = 16
"""Entries under way at the same time with `--once`."""

_UNPROCESSABLE = 422


def send_whole(target: Target, entry: bytes, wait: Wait, tally: Tally) -> None:
    """Send one entry."""
    with Tallystick(target.log, target.policy, state=target.state) as client:
        done = client.append(entry, wait=wait)
    tally.take(done.index, line=1, status=done.status, is_repeat=done.is_repeat)


def send_batches(
    target: Target, lines: Iterator[Line], wait: Wait, tally: Tally, meter: Meter
) -> None:
    """Send all entries in order, in batches."""
    with Tallystick(target.log, target.policy, state=target.state) as client:
        for batch in batches_of(lines):
            _send_batch(client, batch, wait, tally)
            meter.show(tally.logged)


async def send_once(
    target: Target, lines: Iterator[Line], wait: Wait, tally: Tally, meter: Meter
) -> None:
    """Send each entry under a key made from its content and place, many at a time.

    The first error stops the sending of more; those under way are still finished, so
    that their receipts are kept.  Then the error is raised.
    """
    turn = asyncio.Lock()
    errors: list[Exception] = []

    async def work(client: AsyncTallystick) -> None:
        while not errors:
            try:
                async with turn:  # one reader at a time, and not on the loop
                    line = await asyncio.to_thread(next, lines, None)
                if line is None:
                    return
                await _send_line(client, target.log.origin, line, wait, tally)
                meter.show(tally.logged)
            except (ClientError, KernelError) as error:
                errors.append(error)

    async with AsyncTallystick(target.log, target.policy, state=target.state) as client:
        await asyncio.gather(*(work(client) for _ in range(AT_ONCE)))
    if errors:
        raise errors[0]


def batches_of(lines: Iterator[Line]) -> Iterator[list[Line]]:
    """Cut lines into batches; an error of the reader comes after what it had read."""
    batch: list[Line] = []
    room = BATCH_BYTES
    try:
        for line in lines:
            need = len(line.entry) + 2
            if len(batch) == BATCH_ENTRIES or need > room:
                yield batch
                batch, room = [], BATCH_BYTES
            batch.append(line)
            room -= need
    except ClientError:
        if batch:
            yield batch
        raise
    if batch:
        yield batch


def _send_batch(
    client: Tallystick, batch: list[Line], wait: Wait, tally: Tally
) -> None:
    done = client.append_batch([line.entry for line in batch], wait=wait)
    for position in done.positions:
        tally.take(
            done.index(position),
            line=batch[position].number,
            status=done.status,
            is_repeat=done.is_repeat,
        )
    for position, refusal in done.refusals.items():
        tally.refuse(batch[position].number, refusal)


async def _send_line(
    client: AsyncTallystick, origin: str, line: Line, wait: Wait, tally: Tally
) -> None:
    """Send one entry; one that the log cannot take does not stop the others."""
    key = content_key(origin, line.number, line.entry)
    try:
        done = await client.append(line.entry, key, wait=wait)
    except RefusedError as error:
        if error.status != _UNPROCESSABLE:
            raise
        tally.refuse(line.number, Refusal(error.status, error.code, error.detail))
        return
    tally.take(
        done.index, line=line.number, status=done.status, is_repeat=done.is_repeat
    )
