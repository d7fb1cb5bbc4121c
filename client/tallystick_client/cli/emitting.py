"""`tallystick emit`: audit records of other systems into a log, as events.

JSON: {"origin", "read", "skipped", "duplicates", "added", "repeated", "promised",
"witnessed", "first_index", "last_index", "warnings", "unproven": [{"file", "record",
"line", "event_id", "index"}], "refused": [{"file", "record", "line", "event_id",
"status", "code", "detail", "errors": [{"pointer", "detail"}]}]};
with --dry-run {"read", "skipped", "duplicates", "events", "refused"} instead.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Annotated

import typer

from tallystick_client.cli.appending import wait_of
from tallystick_client.cli.console import Shell, shell_of
from tallystick_client.cli.drafts import (
    SOURCES,
    Drafted,
    Drafts,
    choose_mapping,
)
from tallystick_client.cli.emittally import EmitTally, describe
from tallystick_client.cli.network import (
    Choice,
    Target,
    choose_state,
    choose_target,
    extra,
    settings_of,
)
from tallystick_client.cli.options import Log, Origin, PolicyFile, Server, TokenFile
from tallystick_client.cli.outcome import NOT_YET, USAGE
from tallystick_client.errors import ClientError, StateError, UsageError
from tallystick_client.idkey import NAME, keep_id_key, read_id_key
from tallystick_client.session import Wait
from tallystick_merkle.errors import KernelError
from tallystick_merkle.event import INSTANCE, MAX_NUMBER
from tallystick_merkle.exchange.events import encode_event

BATCH_EVENTS = 1_000
"""Most events sent as one batch."""

BATCH_BYTES = 4 * 1024 * 1024
"""Longest batch sent, in bytes."""


def emit(  # noqa: PLR0913 -- typer reads the options from the signature
    context: typer.Context,
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE|-…",
            help="JSON lines or documents, gzip or not; - is standard input.",
        ),
    ],
    *,
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="SOURCE",
            help=f"What the records are: {', '.join(SOURCES)}.",
            show_default=False,
        ),
    ] = None,
    mapping: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Your own mapping (TOML), for --from jsonl.",
            show_default=False,
        ),
    ] = None,
    instance: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Instance of the producer (else named after the first record).",
            show_default=False,
        ),
    ] = None,
    epoch: Annotated[
        int,
        typer.Option(min=0, max=MAX_NUMBER, help="Start of that instance."),
    ] = 0,
    id_key: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Secret that ids are derived with, for machines that must agree (else "
            "one is made in the state directory).",
            show_default=False,
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Print the events and send nothing."),
    ] = False,
    wait: Annotated[
        str,
        typer.Option(
            metavar="durable|witnessed",
            help="Wait until the log has stored the events, or until the witnesses "
            "have cosigned them (exit code 3 if they do not in time).",
        ),
    ] = "durable",
    server: Server = None,
    log: Log = None,
    policy: PolicyFile = None,
    origin: Origin = None,
    token_file: TokenFile = None,
) -> int:
    """Emit audit records as events, each once, and keep their checked receipts.

    Records that cannot be events, or that the log refuses, are told and keep none of
    the others out: then the exit code is 2. It is 3 for events of which only the log
    says that it had them and erased them.
    """
    shell = shell_of(context)
    if instance is not None and not re.fullmatch(INSTANCE, instance):
        raise UsageError(f"--instance: expected {INSTANCE}")
    chosen_mapping = choose_mapping(source, mapping)
    if chosen_mapping is None and id_key is not None:
        raise UsageError(f"--id-key: records of --from {source} have ids already")
    key = b"" if chosen_mapping is None else choose_id_key(shell, id_key)
    drafts = Drafts(chosen_mapping, key, instance, epoch)
    drafted = chain.from_iterable(map(drafts.of, files))
    if dry_run:
        return _show(shell, drafts, drafted)
    target = choose_target(shell, Choice(server, log, policy, origin, token_file))
    chosen = wait_of(wait)
    if chosen == "witnessed" and not target.policy.asks_for_witnesses:
        raise UsageError("--wait witnessed: the policy asks no witness to wait for")
    tally = EmitTally(drafts)
    try:
        send_events(target, drafted, tally, wait=chosen, shell=shell)
    except (ClientError, KernelError):
        if tally.logged or tally.refused or tally.unproven:
            tally.complain(shell)
            shell.complain(f"before the error: {tally.summary(target.policy)}")
        raise
    tally.complain(shell)
    shell.result(tally.document(target.log.origin), tally.summary(target.policy))
    if tally.refused:
        return USAGE
    is_waiting = chosen == "witnessed" and tally.promised
    return NOT_YET if is_waiting or tally.unproven else 0


def choose_id_key(shell: Shell, given: Path | None) -> bytes:
    """Read the secret that was given, or the state directory's, made if need be."""
    if given is not None:
        return read_id_key(given)
    state = choose_state(shell, settings_of(shell))
    try:
        key, is_new = keep_id_key(state)
    except StateError as error:
        raise UsageError(
            f"no secret to derive the ids of events with ({error}): name a state "
            "directory with --state DIR, or a secret with --id-key FILE"
        ) from error
    if is_new:
        shell.note(
            f"made {state / NAME}: keep it, and emit the same records from elsewhere "
            "with --id-key; with another secret they become other events"
        )
    return key


def send_events(
    target: Target,
    drafted: Iterator[Drafted],
    tally: EmitTally,
    *,
    wait: Wait,
    shell: Shell,
) -> None:
    """Send events in order, in batches, and count what became of them."""
    with extra("client", "emit"):
        from tallystick_client.blocking import Tallystick
    with (
        Tallystick(target.log, target.policy, state=target.state) as client,
        shell.meter("emitted") as meter,
    ):
        for batch in batches_of(drafted, tally):
            events = [one.event for one in batch if one.event is not None]
            tally.take(batch, client.emit_batch(events, wait=wait))
            meter.show(tally.logged)


def batches_of(drafted: Iterator[Drafted], tally: EmitTally) -> Iterator[list[Drafted]]:
    """Cut events into batches; what is no event is counted and left out.

    An error of the reader comes after what it had read.
    """
    batch: list[Drafted] = []
    room = BATCH_BYTES
    try:
        for one in drafted:
            if one.event is None:
                tally.refuse(one)
                continue
            need = len(encode_event(one.event)) + 1
            if len(batch) == BATCH_EVENTS or (batch and need > room):
                yield batch
                batch, room = [], BATCH_BYTES
            batch.append(one)
            room -= need
    except ClientError:
        if batch:
            yield batch
        raise
    if batch:
        yield batch


def _show(shell: Shell, drafts: Drafts, drafted: Iterator[Drafted]) -> int:
    """Print the events that would be sent, one a line."""
    tally = EmitTally(drafts)
    events: list[dict[str, object]] = []
    for one in drafted:
        if one.event is None:
            tally.refuse(one)
        elif shell.is_json:
            events.append(json.loads(encode_event(one.event)))
        else:
            shell.result({}, encode_event(one.event).decode())
    tally.complain(shell)
    document = {
        "read": drafts.read,
        "skipped": drafts.skipped,
        "duplicates": drafts.duplicates,
        "events": events,
        "refused": [describe(*one) for one in tally.refused],
    }
    if shell.is_json:
        shell.result(document)
    return USAGE if tally.refused else 0
