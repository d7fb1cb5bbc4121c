"""`tallystick disclose`: evidence of one event, with chosen fields shown.

How evidence is told is written here for `tallystick verify` and the demo, too.

JSON: {"origin", "index", "event_id", "verdict", "file", "shown", "event", "hidden",
"names_all", "is_single"}.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from tallystick_client.cli.console import shell_of
from tallystick_client.cli.events import EventId, plain_json, plain_name
from tallystick_client.cli.network import Choice, choose_target, extra
from tallystick_client.cli.options import Log, Origin, PolicyFile, Server, TokenFile
from tallystick_client.cli.outcome import NOT_YET
from tallystick_client.errors import StateError, UsageError
from tallystick_client.files import read_given, write_files
from tallystick_merkle.disclosure import Disclosure
from tallystick_merkle.errors import MalformedError
from tallystick_merkle.eventjson import format_time
from tallystick_merkle.evidence import (
    MAX_EVIDENCE,
    SUFFIX,
    Evidence,
    Found,
    check_evidence,
    parse_evidence,
)
from tallystick_merkle.layout import CORE, NAMES, assemble
from tallystick_merkle.policy import Policy
from tallystick_merkle.receipt import Status

_MOST_NAMED = 12


def disclose(  # noqa: PLR0913 -- typer reads the options from the signature
    context: typer.Context,
    event_id: EventId,
    *,
    fields: Annotated[
        list[str],
        typer.Option(
            metavar="NAME,…",
            help="Fields to show, such as action, actor or details/userAgent; "
            "details shows all of the details.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE",
            help=f"Where to write the evidence (else EVENT_ID{SUFFIX}).",
            show_default=False,
        ),
    ] = None,
    hide_names: Annotated[
        bool,
        typer.Option(
            "--hide-names",
            help="Hide the names of the other fields, too. Then nobody can tell "
            "whether another field has the same name.",
        ),
    ] = False,
    all_names: Annotated[
        bool,
        typer.Option(
            "--all-names",
            help="Show the names, not the values, of all fields, whoever they are "
            "about. Then no other field can have the same name.",
        ),
    ] = False,
    server: Server = None,
    log: Log = None,
    policy: PolicyFile = None,
    origin: Origin = None,
    token_file: TokenFile = None,
) -> int:
    """Write evidence that proves some fields of an event and hides all others.

    Anybody can check it offline: tallystick verify FILE. Exit code 3 if the event is
    not witnessed yet.
    """
    shell = shell_of(context)
    target = choose_target(shell, Choice(server, log, policy, origin, token_file))
    names = [name for given in fields for name in given.split(",") if name]
    if not names:
        raise UsageError("--fields: name at least one field")
    if hide_names and all_names:
        raise UsageError("--hide-names and --all-names: name one of them")
    with extra("client", "disclose"):
        from tallystick_client.blocking import Tallystick
    with Tallystick(target.log, target.policy, state=target.state) as client:
        proof = client.disclose(
            event_id, *names, show_names=not hide_names, all_names=all_names
        )
    path = Path(f"{event_id}{SUFFIX}") if out is None else out
    try:
        write_files(path.parent, {path.name: proof.data})
    except StateError as error:
        raise UsageError(f"--out: {error}") from error
    evidence = parse_evidence(proof.data)
    verdict = proof.found.verdict
    document = {
        "origin": target.log.origin,
        "index": proof.found.index,
        "event_id": event_id,
        "verdict": verdict.status.value,
        "file": str(path),
        **describe(proof.found, evidence),
    }
    text = (
        f"{path}: {len(shown_of(proof.found))} fields of entry {proof.found.index} "
        f"are shown and proven ({verdict.status.value}), all others are hidden"
    )
    shell.result(document, text)
    return 0 if verdict.status is Status.WITNESSED else NOT_YET


def judge_evidence(path: Path, policy: Policy) -> tuple[Evidence, Found]:
    """Read a file of evidence and check it; raise UsageError for one that is none."""
    data = read_given(path, limit=MAX_EVIDENCE, what="evidence")
    try:
        evidence = parse_evidence(data)
        return evidence, check_evidence(evidence, policy=policy)
    except MalformedError as error:
        raise UsageError(f"{path}: {error}") from error


def describe(found: Found, evidence: Evidence) -> dict[str, object]:
    """Give what evidence shows and what it hides, for programs."""
    names, is_all = hidden_names(evidence.disclosure)
    return {
        "shown": shown_of(found),
        "event": assemble(found.disclosed.groups),
        "hidden": names,
        "names_all": is_all,
        "is_single": found.disclosed.is_single,
    }


def shown_of(found: Found) -> dict[str, object]:
    """Give the shown fields by name, with the values as they were committed."""
    return {
        name: value.hex() if isinstance(value, bytes) else value
        for name, value in found.disclosed.fields.items()
    }


def tell(found: Found, evidence: Evidence) -> Iterator[str]:
    """Say which fields are shown, and what is known of the hidden ones."""
    shown = shown_of(found)
    width = max((len(plain_name(name)) for name in shown), default=0)
    for name, value in shown.items():
        text = plain_json(value)
        if name == "occurred_at" and isinstance(value, int):
            text += f" ({format_time(value)})"
        yield f"shown   {plain_name(name):<{width}}  {text}"
    yield _say_hidden(evidence.disclosure)
    if found.disclosed.is_single:
        yield "single  no second value of a shown field can be in this event"


def hidden_names(disclosure: Disclosure) -> tuple[list[str], bool]:
    """Name the hidden fields, as far as evidence does; and say whether that is all.

    The names of the facts in the first group are the same in every event.
    """
    names: list[str] = []
    is_all = True
    for number, group in enumerate(disclosure):
        slots, known = (
            ((), None) if isinstance(group, bytes) else (group.slots, group.names)
        )
        if number == 0:
            known = CORE
        if known is None:
            is_all = False
            continue
        shown = {slot.name for slot in slots if not isinstance(slot, bytes)}
        names += [name for name in known if name not in {*shown, NAMES}]
    return names, is_all


def _say_hidden(disclosure: Disclosure) -> str:
    names, is_all = hidden_names(disclosure)
    more = len(names) - _MOST_NAMED
    listed = ", ".join(map(plain_name, names[:_MOST_NAMED]))
    listed += f" and {more} more" if more > 0 else ""
    if is_all:
        return f"hidden  {listed or 'nothing'}"
    return f"hidden  {listed}; and fields that are not even named"
