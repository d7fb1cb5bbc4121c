"""`tallystick schema`: schemas of events, on paper and in a log.

JSON of check: {"id", "version", "action", "digest", "subjects", "sensitive",
"indexed"}.
JSON of diff: {"id", "old_version", "new_version", "is_compatible", "differences":
[{"pointer", "why"}]}.
JSON of register: {"log", "id", "version", "action", "digest", "index",
"registered_at", "registered_by", "is_new"}.
JSON of list: {"log", "schemas": [{"id", "version", "action", "digest", "index",
"registered_at", "registered_by"}]}.
JSON of show: {"log", "id", "version", "digest", "document"}.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from tallystick_client.cli.console import shell_of
from tallystick_client.cli.events import plain, plain_json
from tallystick_client.cli.keeping import ask, choose_log
from tallystick_client.cli.network import Choice
from tallystick_client.cli.options import Log, Server, TokenFile
from tallystick_client.errors import UsageError
from tallystick_client.files import read_given
from tallystick_merkle.errors import MalformedError
from tallystick_merkle.event import MAX_VERSION, SCHEMA_ID
from tallystick_merkle.exchange.appending import LogAddress
from tallystick_merkle.exchange.schemas import (
    Registered,
    list_schemas,
    read_schema,
    register_schema,
)
from tallystick_merkle.schema import MAX_INPUT, Schema, parse_schema
from tallystick_merkle.schema_versions import differences

app = typer.Typer(no_args_is_help=True, help="Schemas of events.")

File = Annotated[Path, typer.Argument(metavar="FILE", help="A schema document.")]

DIFFERENT = 1
"""Exit code of `diff` for a schema that is no next version."""

_ID = re.compile(SCHEMA_ID, re.ASCII)


@app.command()
def check(context: typer.Context, file: File) -> None:
    """Check a schema document, without a log, and say what it marks.

    Whether its regular expressions are ones is seen when it is registered.
    """
    schema = read_file(file)
    marks = schema.marks
    subjects = {
        name: mark.subject
        for name, mark in marks.by_name.items()
        if mark.subject is not None
    }
    lines = [
        f"{_name(schema)}: a schema of {schema.action}",
        *(f"  {name} belongs to {subject}" for name, subject in subjects.items()),
        *(f"  {name} is sensitive" for name in sorted(marks.sensitive)),
        *(f"  {name} can be searched for" for name in marks.indexed),
    ]
    shell_of(context).result(
        {
            "id": schema.id,
            "version": schema.version,
            "action": schema.action,
            "digest": schema.digest.hex(),
            "subjects": subjects,
            "sensitive": sorted(marks.sensitive),
            "indexed": list(marks.indexed),
        },
        "\n".join(lines),
    )


@app.command()
def diff(
    context: typer.Context,
    old: Annotated[Path, typer.Argument(metavar="OLD", help="The version before.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="The next version.")],
) -> int:
    """Say whether NEW may be the version after OLD, without a log.

    It may if it takes every event that OLD takes, and drops no mark. Exit
    code 1 means that it may not; each place is named.
    """
    before, after = read_file(old), read_file(new)
    found = differences(before, after)
    verdict = "may not follow" if found else "may follow"
    lines = [f"{_name(after)} {verdict} {_name(before)}"]
    lines += [plain(f"  {one.where or '/'}: {one.why}") for one in found]
    shell_of(context).result(
        {
            "id": after.id,
            "old_version": before.version,
            "new_version": after.version,
            "is_compatible": not found,
            "differences": [{"pointer": one.where, "why": one.why} for one in found],
        },
        "\n".join(lines),
    )
    return DIFFERENT if found else 0


@app.command()
def register(
    context: typer.Context,
    file: File,
    server: Server = None,
    log: Log = None,
    token_file: TokenFile = None,
) -> None:
    """Register a schema, or its next version; that is an event of the log.

    The token's scope is admin. The same document again changes nothing.
    """
    schema = read_file(file)
    shell = shell_of(context)
    address = choose_log(shell, Choice(server, log, token_file=token_file))
    found, is_new = ask(register_schema(address, schema), "schema register")
    done = "registered" if is_new else "was registered already,"
    shell.result(
        {"log": _log(address), **_facts(found), "is_new": is_new},
        f"{_name(schema)} {done} by entry {found.index}",
    )


@app.command("list")
def list_registered(
    context: typer.Context,
    server: Server = None,
    log: Log = None,
    token_file: TokenFile = None,
) -> None:
    """List the schemas of a log."""
    shell = shell_of(context)
    address = choose_log(shell, Choice(server, log, token_file=token_file))
    found = ask(list_schemas(address), "schema list")
    lines = [
        f"{one.id}  version {one.version}  {one.action}  entry {one.index}"
        f"  {one.registered_at}  {one.registered_by}"
        for one in found
    ]
    shell.result(
        {"log": _log(address), "schemas": [_facts(one) for one in found]},
        "\n".join(lines) or "no schema is registered",
    )


@app.command()
def show(
    context: typer.Context,
    schema_id: Annotated[str, typer.Argument(metavar="ID", help="The schema's id.")],
    version: Annotated[
        int, typer.Argument(metavar="VERSION", min=1, max=MAX_VERSION, help="Which.")
    ],
    server: Server = None,
    log: Log = None,
    token_file: TokenFile = None,
) -> None:
    """Print the document of one version."""
    if _ID.fullmatch(schema_id) is None:
        raise UsageError(f"{schema_id!r} is not the id of a schema")
    shell = shell_of(context)
    address = choose_log(shell, Choice(server, log, token_file=token_file))
    found = ask(read_schema(address, schema_id, version), "schema show")
    shell.result(
        {
            "log": _log(address),
            "id": found.id,
            "version": found.version,
            "digest": found.digest.hex(),
            "document": found.document,
        },
        plain_json(found.document, indent=2),
    )


def read_file(path: Path) -> Schema:
    """Read a schema document; raise UsageError naming the file and the place."""
    try:
        return parse_schema(read_given(path, limit=MAX_INPUT, what="schema"))
    except MalformedError as error:
        raise UsageError(f"{path}: {error}") from error


def _name(schema: Schema) -> str:
    return f"{schema.id} version {schema.version}"


def _log(address: LogAddress) -> str:
    return address.api_url.rpartition("/")[2]


def _facts(found: Registered) -> dict[str, object]:
    return {
        "id": found.id,
        "version": found.version,
        "action": found.action,
        "digest": found.digest.hex(),
        "index": found.index,
        "registered_at": found.registered_at,
        "registered_by": found.registered_by,
    }
