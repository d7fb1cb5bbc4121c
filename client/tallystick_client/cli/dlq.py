"""`tallystick dlq`: the refused events of a log, looked at, sent again or dropped.

JSON of list: {"log", "letters": [{"id", "received_at", "principal", "content_type",
"code", "pointer", "detail", "size", "is_kept", "is_readable"}], "count", "bytes",
"pushed_out", "not_kept"}.
JSON of show: {"id", "received_at", "principal", "content_type", "code", "pointer",
"detail", "size", "is_kept", "is_readable", "body"}; body is base64 or null.
JSON of redrive: {"redriven": [{"id", "index", "event_id", "is_repeat", "warnings"}],
"refused": [{"id", "status", "code", "detail"}]}.
JSON of drop: {"dropped": [id]}.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import asdict
from typing import Annotated

import typer

from tallystick_client.cli.console import Shell, shell_of
from tallystick_client.cli.keeping import ask, choose_log
from tallystick_client.cli.network import Choice
from tallystick_client.cli.options import Log, Server, TokenFile
from tallystick_client.cli.outcome import USAGE
from tallystick_client.errors import UsageError
from tallystick_merkle.errors import RefusedError
from tallystick_merkle.exchange.appending import LogAddress
from tallystick_merkle.exchange.deadletters import (
    Letter,
    drop_letter,
    get_letter,
    list_all_letters,
    list_letters,
    redrive_letter,
)

app = typer.Typer(no_args_is_help=True, help="Refused events of a log.")

Ids = Annotated[
    list[int] | None,
    typer.Argument(metavar="ID", min=0, help="Numbers of letters.", show_default=False),
]
All = Annotated[
    bool, typer.Option("--all", help="Every letter there is, oldest first.")
]

_OF_THE_EVENT = frozenset({404, 409, 422})


@app.command("list")
def list_(
    context: typer.Context,
    limit: Annotated[
        int, typer.Option(metavar="N", min=1, max=1000, help="Most letters to list.")
    ] = 100,
    server: Server = None,
    log: Log = None,
    token_file: TokenFile = None,
) -> None:
    """List refused events, newest first, and why they were refused."""
    shell = shell_of(context)
    address = choose_log(shell, Choice(server, log, token_file=token_file))
    page = ask(list_letters(address, limit=limit), "dlq list")
    lines = [_line(letter) for letter in page.letters] or ["no dead letters"]
    if page.count > len(page.letters):
        lines.append(f"{len(page.letters)} of {page.count}: more with --limit")
    if page.pushed_out or page.not_kept:
        lines.append(
            f"since the start {page.pushed_out} went to make room or for their age, "
            f"{page.not_kept} could not be kept"
        )
    shell.result(
        {
            "log": address.api_url.rpartition("/")[2],
            "letters": [asdict(letter) for letter in page.letters],
            "count": page.count,
            "bytes": page.bytes,
            "pushed_out": page.pushed_out,
            "not_kept": page.not_kept,
        },
        "\n".join(lines),
    )


@app.command()
def show(
    context: typer.Context,
    number: Annotated[int, typer.Argument(metavar="ID", min=0)],
    is_raw: Annotated[
        bool, typer.Option("--raw", help="Write what came, and nothing else.")
    ] = False,
    server: Server = None,
    log: Log = None,
    token_file: TokenFile = None,
) -> None:
    """Show one refused event with what came."""
    shell = shell_of(context)
    address = choose_log(shell, Choice(server, log, token_file=token_file))
    found = ask(get_letter(address, number), "dlq show")
    letter, body = found.letter, found.body
    if is_raw and body is None:
        raise UsageError(f"what came with letter {number} is not there")
    encoded = None if body is None else b64encode(body).decode()
    document = {**asdict(letter), "body": encoded}
    if is_raw and not shell.is_json:
        typer.get_binary_stream("stdout").write(body or b"")
    else:
        shell.result(document, _page(letter, body))


@app.command()
def redrive(
    context: typer.Context,
    numbers: Ids = None,
    is_all: All = False,
    server: Server = None,
    log: Log = None,
    token_file: TokenFile = None,
) -> int:
    """Submit refused events again, each in the name of its own producer.

    What the log takes is gone from the letters; exit code 2 if any was refused
    again, and stays.
    """
    shell = shell_of(context)
    address = choose_log(shell, Choice(server, log, token_file=token_file))
    done: list[dict[str, object]] = []
    refused: list[dict[str, object]] = []
    for number in _chosen(address, numbers, is_all=is_all, command="dlq redrive"):
        try:
            done.append(asdict(ask(redrive_letter(address, number), "dlq redrive")))
        except RefusedError as error:
            if error.status not in _OF_THE_EVENT:
                _tell(shell, done, refused)
                raise
            facts = {"status": error.status, "code": error.code}
            refused.append({"id": number, **facts, "detail": error.detail})
    _tell(shell, done, refused)
    shell.result({"redriven": done, "refused": refused})
    return USAGE if refused else 0


@app.command()
def drop(
    context: typer.Context,
    numbers: Ids = None,
    is_all: All = False,
    is_sure: Annotated[
        bool, typer.Option("--yes", help="Drop several without asking.")
    ] = False,
    server: Server = None,
    log: Log = None,
    token_file: TokenFile = None,
) -> None:
    """Drop refused events for good."""
    shell = shell_of(context)
    address = choose_log(shell, Choice(server, log, token_file=token_file))
    if (is_all or len(numbers or ()) > 1) and not is_sure:
        raise UsageError("several letters would be dropped for good: add --yes")
    dropped: list[int] = []
    for number in _chosen(address, numbers, is_all=is_all, command="dlq drop"):
        ask(drop_letter(address, number), "dlq drop")
        dropped.append(number)
    shell.result({"dropped": dropped}, f"{len(dropped)} dropped")


def _chosen(
    address: LogAddress, numbers: list[int] | None, *, is_all: bool, command: str
) -> list[int]:
    """Give the letters that are meant; raise UsageError for none, or for two ways."""
    if is_all == bool(numbers):
        raise UsageError("name letters by their ids, or all of them with --all")
    if not is_all:
        return list(dict.fromkeys(numbers or ()))
    return [letter.id for letter in ask(list_all_letters(address), command)]


def _line(letter: Letter) -> str:
    place = f"  {letter.pointer}" if letter.pointer else ""
    about = letter.detail if letter.is_readable else "(its key is gone)"
    return (
        f"{letter.id:>6}  {letter.received_at}  {letter.principal}  {letter.code}"
        f"{place}  {about}"
    )


def _page(letter: Letter, body: bytes | None) -> str:
    """Write a letter and what came; bytes that are no text are counted only."""
    if body is None:
        came = "not kept: too long" if not letter.is_kept else "it does not open"
    else:
        text = body.decode("utf-8", "replace")
        came = "".join(mark if mark.isprintable() else " " for mark in text)
    return "\n".join(
        [_line(letter), f"{letter.size} bytes, {letter.content_type}", came]
    )


def _tell(
    shell: Shell, done: list[dict[str, object]], refused: list[dict[str, object]]
) -> None:
    """Say what became of each letter."""
    if shell.is_json:
        return
    for one in done:
        repeat = " (it was there already)" if one["is_repeat"] else ""
        shell.note(f"letter {one['id']} is entry {one['index']}{repeat}")
    for one in refused:
        shell.complain(f"letter {one['id']} was refused again: {one['detail']}")
