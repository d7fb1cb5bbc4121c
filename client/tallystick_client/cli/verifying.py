"""`tallystick verify`: is it in the log? Offline by construction.

No transport is imported here, and no clock is read: the receipt, the entry and the
policy decide alone.

JSON: {"verdict": "witnessed"|"promised", "origin", "index", "leaf_hash", "size",
"root", "cosigners": [{"name", "time_s"}]}; for evidence "received_at", "shown",
"event", "hidden", "names_all" and "is_single", too.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from tallystick_client.cli.console import Shell, shell_of
from tallystick_client.cli.evidence import describe, judge_evidence, tell
from tallystick_client.cli.inputs import read_entry, read_receipt
from tallystick_client.cli.network import choose_policy, settings_of
from tallystick_client.cli.options import PolicyFile
from tallystick_client.errors import PromisedError, UsageError
from tallystick_merkle.errors import MalformedError, ProofError
from tallystick_merkle.eventjson import format_time
from tallystick_merkle.evidence import SUFFIX
from tallystick_merkle.hashing import leaf_hash
from tallystick_merkle.policy import Judged, Policy
from tallystick_merkle.receipt import Receipt, Status, Verdict, check_receipt


def verify(
    context: typer.Context,
    receipt: Annotated[
        Path,
        typer.Argument(
            metavar="RECEIPT|EVIDENCE",
            help="A .tlog-proof file, or an .evidence file, which needs no ENTRY.",
        ),
    ],
    entry: Annotated[
        str | None,
        typer.Argument(
            metavar="[ENTRY|-]",
            help="The entry as it was logged; - is standard input.",
            show_default=False,
        ),
    ] = None,
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
    """Check a receipt for an entry, or evidence, offline. Silent if it is good."""
    shell = shell_of(context)
    rules = choose_policy(policy, settings_of(shell))
    if receipt.suffix == SUFFIX:
        if entry is not None or line is not None:
            raise UsageError(f"{receipt}: evidence is checked alone, without ENTRY")
        _verify_evidence(shell, receipt, rules, allow_promised=allow_promised)
        return
    if entry is None:
        raise UsageError(
            f"{receipt}: name the entry that the receipt is for; "
            f"a file that needs none ends in {SUFFIX}"
        )
    held = read_entry(entry, line=line)
    verdict = judge_entry(read_receipt(receipt), held, rules, name=str(receipt))
    if verdict.status is Status.PROMISED and not allow_promised:
        raise PromisedError(_say_promised(verdict, rules))
    shell.result(_document(verdict, leaf_hash(held)), _text(shell, verdict))


def _verify_evidence(
    shell: Shell, path: Path, policy: Policy, *, allow_promised: bool
) -> None:
    """Check a file of evidence, and tell what it shows if asked."""
    evidence, found = judge_evidence(path, policy)
    verdict = found.verdict
    if verdict.status is Status.PROMISED and not allow_promised:
        raise PromisedError(
            _say_promised(verdict, policy, again="'tallystick disclose'")
        )
    received = format_time(found.disclosed.time_ms)
    document = {
        **_document(verdict, leaf_hash(evidence.leaf)),
        "received_at": received,
        **describe(found, evidence),
    }
    lines = [_text(shell, verdict), f"received by the log at {received}"]
    lines += tell(found, evidence)
    shell.result(document, "\n".join(lines) if shell.is_verbose else "")


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


def _say_promised(verdict: Verdict, policy: Policy, *, again: str | None = None) -> str:
    """Say why a receipt is no evidence yet, and what to do."""
    if not policy.asks_for_witnesses:
        return (
            "the receipt is only promised: this policy asks no witness, so only the "
            "log itself stands behind it; --allow-promised accepts that"
        )
    names = [found.key.name for found in verdict.judged.cosigners]
    upgrade = f"'tallystick receipts upgrade' or 'tallystick prove {verdict.index}'"
    return (
        f"the receipt is only promised: cosigned by {', '.join(names) or 'nobody'}, "
        "which does not meet the policy; upgrade it with "
        f"{again or upgrade}, or accept it with "
        "--allow-promised"
    )


def _document(verdict: Verdict, leaf: bytes) -> dict[str, object]:
    checkpoint = verdict.judged.opened.checkpoint
    return {
        "verdict": verdict.status.value,
        "origin": checkpoint.origin,
        "index": verdict.index,
        "leaf_hash": leaf.hex(),
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
