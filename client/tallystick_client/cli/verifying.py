"""`tallystick verify`: is this entry in the log? Offline by construction.

No transport is imported here, and no clock is read: the receipt, the entry and the
policy decide alone.

JSON: {"verdict": "witnessed"|"promised", "origin", "index", "leaf_hash", "size",
"root", "cosigners": [{"name", "time_s"}]}.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from tallystick_client.cli.console import Shell, shell_of
from tallystick_client.cli.inputs import read_entry, read_receipt
from tallystick_client.cli.network import choose_policy, settings_of
from tallystick_client.cli.options import PolicyFile
from tallystick_client.errors import PromisedError, UsageError
from tallystick_merkle.errors import MalformedError, ProofError
from tallystick_merkle.hashing import leaf_hash
from tallystick_merkle.policy import Judged, Policy
from tallystick_merkle.receipt import Receipt, Status, Verdict, check_receipt


def verify(
    context: typer.Context,
    receipt: Annotated[
        Path, typer.Argument(metavar="RECEIPT", help="A .tlog-proof file.")
    ],
    entry: Annotated[
        str,
        typer.Argument(
            metavar="ENTRY|-", help="The entry as it was logged; - is standard input."
        ),
    ],
    line: Annotated[
        int | None,
        typer.Option(min=1, help="Take this line of ENTRY (from 1), not all of it."),
    ] = None,
    allow_promised: Annotated[
        bool,
        typer.Option(
            "--allow-promised",
            help="Accept a receipt that only the log itself stands behind.",
        ),
    ] = False,
    policy: PolicyFile = None,
) -> None:
    """Check a receipt for an entry, offline. Silent if it is good."""
    shell = shell_of(context)
    rules = choose_policy(policy, settings_of(shell))
    held = read_entry(entry, line=line)
    verdict = judge_entry(read_receipt(receipt), held, rules, name=str(receipt))
    if verdict.status is Status.PROMISED and not allow_promised:
        raise PromisedError(_say_promised(verdict, rules))
    shell.result(_document(verdict, held), _text(shell, verdict))


def judge_entry(
    receipt: Receipt, entry: bytes, policy: Policy, *, name: str
) -> Verdict:
    """Check a receipt of a local file for an entry, with hints where they help."""
    leaf = leaf_hash(entry)
    try:
        return check_receipt(receipt, leaf=leaf, policy=policy)
    except MalformedError as error:
        raise UsageError(f"{name}: {error}") from error
    except ProofError as error:
        shorter = entry.removesuffix(b"\n").removesuffix(b"\r")
        hint = ""
        if shorter != entry and _proves(receipt, shorter, policy):
            hint = "; without its line end it would be: try again with --line 1"
        raise ProofError(
            f"this is not entry {receipt.index} of the log{hint} ({error})"
        ) from error


def _proves(receipt: Receipt, entry: bytes, policy: Policy) -> bool:
    try:
        check_receipt(receipt, leaf=leaf_hash(entry), policy=policy)
    except ProofError:
        return False
    return True


def _say_promised(verdict: Verdict, policy: Policy) -> str:
    """Say why a receipt is no evidence yet, and what to do."""
    if not policy.asks_for_witnesses:
        return (
            "the receipt is only promised: this policy asks no witness, so only the "
            "log itself stands behind it; --allow-promised accepts that"
        )
    names = [found.key.name for found in verdict.judged.cosigners]
    return (
        f"the receipt is only promised: cosigned by {', '.join(names) or 'nobody'}, "
        "which does not meet the policy; upgrade it with 'tallystick receipts "
        f"upgrade' or 'tallystick prove {verdict.index}', or accept it with "
        "--allow-promised"
    )


def _document(verdict: Verdict, entry: bytes) -> dict[str, object]:
    checkpoint = verdict.judged.opened.checkpoint
    return {
        "verdict": verdict.status.value,
        "origin": checkpoint.origin,
        "index": verdict.index,
        "leaf_hash": leaf_hash(entry).hex(),
        "size": checkpoint.size,
        "root": checkpoint.root.hex(),
        "cosigners": cosigners_of(verdict.judged),
    }


def cosigners_of(judged: Judged) -> list[dict[str, object]]:
    """Give who cosigned a head and when, for programs."""
    return [
        {"name": found.key.name, "time_s": found.time_s} for found in judged.cosigners
    ]


def say_cosigners(judged: Judged) -> list[str]:
    """Say who cosigned a head and when, one line each."""
    lines = []
    for found in judged.cosigners:
        when = "" if found.time_s is None else f" at {_when(found.time_s)}"
        lines.append(f"cosigned by {found.key.name}{when}")
    return lines


def _text(shell: Shell, verdict: Verdict) -> str:
    """Say what was found, if it was asked for."""
    if not shell.is_verbose:
        return ""
    checkpoint = verdict.judged.opened.checkpoint
    lines = [
        f"entry {verdict.index} is in {checkpoint.origin} ({verdict.status.value})",
        f"head of size {checkpoint.size}, root {checkpoint.root.hex()}",
        *say_cosigners(verdict.judged),
    ]
    return "\n".join(lines)


def _when(time_s: int) -> str:
    try:
        return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, ValueError):  # a year that no calendar has
        return f"POSIX second {time_s}"
