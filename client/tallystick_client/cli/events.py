"""`tallystick event`: look at the events of a log.

JSON of show: {"origin", "index", "event_id", "received_at", "leaf_hash", "status",
"event", "hidden", "erased", "receipt"}.
JSON of list: {"origin", "size", "next_after", "has_more", "events": [{"index",
"event_id", "received_at", "leaf_hash", "event", "hidden", "erased"}]}.
"""

from __future__ import annotations

import json
import re
from typing import Annotated

import typer

from tallystick_client.cli.console import shell_of
from tallystick_client.cli.network import Choice, choose_target, extra
from tallystick_client.cli.options import Log, Origin, PolicyFile, Server, TokenFile
from tallystick_merkle.eventjson import format_time
from tallystick_merkle.exchange.eventreading import MAX_LISTED, ReadEvent
from tallystick_merkle.hashing import leaf_hash
from tallystick_merkle.receipt import format_receipt

app = typer.Typer(no_args_is_help=True, help="Events of a log.")

_PLAIN_NAME = re.compile(r"[A-Za-z0-9_.~/:@#$%+=*-]+", re.ASCII)

EventId = Annotated[str, typer.Argument(metavar="EVENT_ID", help="Id of the event.")]
"""The event that a command is about."""


@app.command()
def show(
    context: typer.Context,
    event_id: EventId,
    *,
    sensitive: Annotated[
        bool,
        typer.Option("--sensitive", help="Ask for sensitive values, too."),
    ] = False,
    server: Server = None,
    log: Log = None,
    policy: PolicyFile = None,
    origin: Origin = None,
    token_file: TokenFile = None,
) -> None:
    """Show an event as the log tells it; that its leaf is in the log was checked."""
    shell = shell_of(context)
    target = choose_target(shell, Choice(server, log, policy, origin, token_file))
    with extra("client", "event show"):
        from tallystick_client.blocking import Tallystick
    with Tallystick(target.log, target.policy, state=target.state) as client:
        found = client.event(event_id, is_sensitive=sensitive)
    read = found.read
    document = {
        "origin": target.log.origin,
        **_document(read),
        "status": found.status.value,
        "receipt": format_receipt(found.receipt).decode(),
    }
    received = format_time(read.received_ms)
    lines = [
        f"entry {read.index} ({found.status.value}), received at {received}",
        plain_json(read.event, indent=2),
    ]
    if read.hidden:
        lines.append(f"not shown: {', '.join(map(plain_name, read.hidden))}")
    if read.erased:
        lines.append(f"erased: groups {', '.join(map(str, read.erased))}")
    shell.result(document, "\n".join(lines))


@app.command("list")
def list_events(
    context: typer.Context,
    *,
    after: Annotated[
        int | None,
        typer.Option(
            min=0, metavar="INDEX", help="Begin behind this entry.", show_default=False
        ),
    ] = None,
    limit: Annotated[
        int, typer.Option(min=1, max=MAX_LISTED, help="How many events at most.")
    ] = 100,
    server: Server = None,
    log: Log = None,
    policy: PolicyFile = None,
    origin: Origin = None,
    token_file: TokenFile = None,
) -> None:
    """List events in the order of the log, one a line."""
    shell = shell_of(context)
    target = choose_target(shell, Choice(server, log, policy, origin, token_file))
    with extra("client", "event list"):
        from tallystick_client.blocking import Tallystick
    with Tallystick(target.log, target.policy, state=target.state) as client:
        page = client.events(after, limit)
    document = {
        "origin": target.log.origin,
        "size": page.size,
        "next_after": page.next_after,
        "has_more": page.has_more,
        "events": [_document(read) for read in page.events],
    }
    lines = list(map(_line, page.events))
    if page.has_more:
        shell.note(f"more: --after {page.next_after}")
    shell.result(document, "\n".join(lines))


def plain(text: str) -> str:
    """Escape what a terminal might obey, hide or reorder, as JSON does."""
    return "".join(
        mark if mark.isprintable() else json.dumps(mark)[1:-1] for mark in text
    )


def plain_name(name: str) -> str:
    """Write the name of a field; in quotes unless it can be taken for nothing else.

    A name may hold spaces, quotes and any script, and could so pass for a value, for
    another name, or for a line of ours.
    """
    return name if _PLAIN_NAME.fullmatch(name) else plain_json(name)


def plain_json(value: object, *, indent: int | None = None) -> str:
    """Write JSON for people to read on a terminal."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    return "\n".join(map(plain, text.split("\n")))


def _document(read: ReadEvent) -> dict[str, object]:
    return {
        "index": read.index,
        "event_id": read.event_id,
        "received_at": format_time(read.received_ms),
        "leaf_hash": leaf_hash(read.leaf).hex(),
        "event": read.event,
        "hidden": list(read.hidden),
        "erased": list(read.erased),
    }


def _line(read: ReadEvent) -> str:
    """Say in one line what an event says; what is erased is a dash."""
    event = read.event
    actor, outcome = event.get("actor"), event.get("outcome")
    who = f"{actor.get('type')}:{actor.get('id')}" if isinstance(actor, dict) else "-"
    what = str(outcome.get("result")) if isinstance(outcome, dict) else "-"
    when = event.get("occurred_at", "-")
    text = f"{when}  {event.get('action', '-')}  {what}  {who}"
    return plain(f"{read.index:>8}  {read.event_id}  {text}")
