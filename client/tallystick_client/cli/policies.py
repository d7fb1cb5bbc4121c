"""`tallystick policy`: read a policy aloud.

JSON: {"logs": [{"origin", "vkey", "url"}], "witnesses": [{"name", "type", "url"}],
"groups": [{"name", "threshold", "members"}], "quorum", "needs_witnesses", "warnings"}.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tallystick_client.cli.console import shell_of
from tallystick_client.cli.inputs import read_policy
from tallystick_merkle.keys import KeyType, format_vkey
from tallystick_merkle.policy import Policy

app = typer.Typer(no_args_is_help=True, help="Policies: whom to believe.")

_KINDS = {
    KeyType.ED25519: "Ed25519",
    KeyType.COSIGNATURE: "Ed25519",
    KeyType.MLDSA44: "ML-DSA-44, post-quantum",
}


@app.command()
def check(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A policy file.")],
) -> None:
    """Check a policy file and say in plain words whom it believes."""
    policy = read_policy(file)
    shell = shell_of(context)
    warnings = warn_about(policy)
    for warning in warnings:
        shell.note(f"warning: {warning}")
    shell.result(
        {
            "logs": [
                {"origin": log.key.name, "vkey": format_vkey(log.key), "url": log.url}
                for log in policy.logs
            ],
            "witnesses": [
                {"name": entry.name, "type": entry.key.type.name, "url": entry.url}
                for entry in policy.witnesses
            ],
            "groups": [
                {
                    "name": group.name,
                    "threshold": group.threshold,
                    "members": list(group.members),
                }
                for group in policy.groups
            ],
            "quorum": policy.quorum,
            "needs_witnesses": policy.asks_for_witnesses,
            "warnings": warnings,
        },
        describe(policy),
    )


def describe(policy: Policy) -> str:
    """Say a policy in plain words."""
    lines = ["A head is believed if one of these logs signed it:"]
    lines += [_item(log.key.name, log.key.type, log.url) for log in policy.logs]
    if policy.asks_for_witnesses:
        lines.append(f"and {_say(policy, policy.quorum)}.")
    else:
        lines.append("and nobody else has to sign.")
    if policy.witnesses:
        lines.append("The witnesses:")
        lines += [
            _item(entry.name, entry.key.type, entry.url) for entry in policy.witnesses
        ]
    return "\n".join(lines)


def warn_about(policy: Policy) -> list[str]:
    """Name what is probably not meant."""
    warnings = []
    if not policy.logs:
        warnings.append("no log is listed: no head can be believed")
    if not policy.asks_for_witnesses:
        warnings.append(
            "the quorum is none: receipts stay promised, and nobody but the log "
            "itself vouches for its history"
        )
    used = _members(policy, policy.quorum)
    idle = [entry.name for entry in policy.witnesses if entry.name not in used]
    if policy.asks_for_witnesses and idle:
        warnings.append(f"the quorum does not need {', '.join(idle)}")
    return warnings


def _item(name: str, kind: KeyType, url: str | None) -> str:
    return f"  {name} ({_KINDS[kind]}){f' at {url}' if url else ''}"


def _say(policy: Policy, name: str) -> str:
    """Say what a name asks for: a witness, or so many of a group."""
    groups = {group.name: group for group in policy.groups}
    if name not in groups:
        return f"{name} cosigned it"
    group = groups[name]
    members = [
        f"({_say(policy, member)})" if member in groups else member
        for member in group.members
    ]
    if group.threshold == len(members):
        count = "all" if len(members) > 1 else "the one"
    else:
        count = f"at least {group.threshold}"
    return f"{count} of {', '.join(members)} cosigned it"


def _members(policy: Policy, name: str) -> set[str]:
    """Give every name that a quorum can draw on."""
    groups = {group.name: group.members for group in policy.groups}
    found = {name}
    for member in groups.get(name, ()):
        found |= _members(policy, member)
    return found
