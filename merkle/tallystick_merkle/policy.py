"""Whose checkpoints to believe: the policy file (C2SP tlog-policy).

    log <vkey> [<url>]
    witness <name> <vkey> [<url>]
    group <name> all|any|<k> <name>...
    quorum <name>|none

Fields are parted by spaces or tabs, whole-line comments start with "#", names refer
to earlier lines, each name is a member of at most one group, and there is exactly one
quorum line.  A checkpoint is believed when any one listed log signed it and the
quorum is met; a line of a listed key that does not verify refuses it altogether.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from tallystick_merkle.cosignature import OpenedCheckpoint, Verified, open_checkpoint
from tallystick_merkle.errors import (
    MalformedError,
    OriginError,
    PolicyNotMetError,
    UnverifiedNoteError,
)
from tallystick_merkle.keys import KeyType, VerifierKey, format_vkey, parse_vkey

MAX_POLICY = 1024 * 1024
"""Longest policy file in bytes."""

MAX_LINES = 4096
"""Most lines in a policy file."""

NO_QUORUM = "none"
"""The reserved name that asks for no witness at all."""


@dataclass(frozen=True, slots=True)
class PolicyLog:
    """A log the policy trusts: its key (named as its origin) and its URL, if given."""

    key: VerifierKey
    url: str | None


@dataclass(frozen=True, slots=True)
class PolicyWitness:
    """A witness: its name in the policy, its key, its submission prefix, if given."""

    name: str
    key: VerifierKey
    url: str | None


@dataclass(frozen=True, slots=True)
class PolicyGroup:
    """A group that is satisfied when at least `threshold` members are."""

    name: str
    threshold: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """A parsed policy. `quorum` names a witness or group, or is "none"."""

    logs: tuple[PolicyLog, ...]
    witnesses: tuple[PolicyWitness, ...]
    groups: tuple[PolicyGroup, ...]
    quorum: str

    @property
    def asks_for_witnesses(self) -> bool:
        """Whether any cosignature is needed at all."""
        return self.quorum != NO_QUORUM

    def log_keys(self, origin: str) -> tuple[VerifierKey, ...]:
        """Give the keys that may sign for `origin`."""
        return tuple(log.key for log in self.logs if log.key.name == origin)

    def is_met_by(self, keys: Iterable[VerifierKey]) -> bool:
        """Whether cosignatures by `keys` meet the quorum."""
        signed = set(keys)
        met = {entry.name for entry in self.witnesses if entry.key in signed}
        for group in self.groups:  # members stand on earlier lines
            if sum(name in met for name in group.members) >= group.threshold:
                met.add(group.name)
        return not self.asks_for_witnesses or self.quorum in met


@dataclass(frozen=True, slots=True)
class Judged:
    """A checkpoint that a listed log signed, and what the policy says of it.

    `cosigners` are the listed witnesses whose line verified, in the policy's order.
    `is_met` says whether they meet the quorum; it is always true where the quorum is
    none.  `is_witnessed` says that a quorum was asked for and is met: only that is
    evidence (D1).
    """

    opened: OpenedCheckpoint
    cosigners: tuple[Verified, ...]
    is_met: bool
    is_witnessed: bool

    def require_met(self) -> None:
        """Raise PolicyNotMetError unless the quorum is met."""
        if not self.is_met:
            names = ", ".join(found.key.name for found in self.cosigners) or "nobody"
            raise PolicyNotMetError(
                f"the checkpoint of size {self.opened.checkpoint.size} does not meet "
                f"the policy's quorum: it is cosigned by {names}"
            )


def judge(data: bytes, policy: Policy, *, origin: str | None = None) -> Judged:
    """Open a signed checkpoint under a policy.

    Raises MalformedError, InvalidSignatureError when a listed key's line fails,
    UnverifiedNoteError when no listed log of that origin signed it, and OriginError
    when `origin` is given and is not the checkpoint's.

    A line is the log's word or a witness's, never both: where a policy lists one key
    in both roles, its line counts as the log's alone.
    """
    witnesses = {entry.key for entry in policy.witnesses}
    logs = {log.key for log in policy.logs}
    opened = open_checkpoint(data, logs | witnesses)
    found = opened.checkpoint.origin
    if origin is not None and found != origin:
        raise OriginError(expected=origin, found=found)
    own = policy.log_keys(found)
    if not any(line.key in own for line in opened.verified):
        raise UnverifiedNoteError(f"no listed log signed the checkpoint of {found!r}")
    signed = {line.key: line for line in opened.verified}
    cosigners = tuple(
        signed[entry.key]
        for entry in policy.witnesses
        if entry.key in signed and entry.key not in own
    )
    is_met = policy.is_met_by(line.key for line in cosigners)
    return Judged(opened, cosigners, is_met, is_met and policy.asks_for_witnesses)


def parse_policy(data: bytes) -> Policy:
    """Read a policy file; raise MalformedError naming the line that is wrong."""
    if len(data) > MAX_POLICY:
        raise MalformedError("policy", f"longer than {MAX_POLICY} bytes")
    if re.search(rb"[\x00-\x08\x0b-\x1f\x7f]", data):
        raise MalformedError("policy", "holds a control character")
    lines = data.split(b"\n")
    if len(lines) > MAX_LINES:
        raise MalformedError("policy", f"more than {MAX_LINES} lines")
    reader = _Reader()
    for number, line in enumerate(lines, 1):
        fields = [part for part in re.split(rb"[ \t]+", line) if part]
        if fields and not fields[0].startswith(b"#"):
            reader.read(fields, f"line {number}")
    return reader.finish()


class _Reader:
    """Collects the lines of a policy and holds the rules that span them."""

    def __init__(self) -> None:
        self.logs: list[PolicyLog] = []
        self.witnesses: list[PolicyWitness] = []
        self.groups: list[PolicyGroup] = []
        self.quorum: str | None = None
        self.names: set[str] = set()
        self.grouped: set[str] = set()
        self.log_publics: set[bytes] = set()
        self.witness_publics: set[bytes] = set()
        self.key_ids: dict[tuple[str, bytes], VerifierKey] = {}

    def read(self, raw: list[bytes], where: str) -> None:
        """Read one line, already split into fields."""
        try:
            keyword, *fields = [part.decode() for part in raw]
        except UnicodeDecodeError as error:
            raise MalformedError("policy", "not valid UTF-8", where=where) from error
        if keyword == "log" and len(fields) in (1, 2):
            self.read_log(fields, where)
        elif keyword == "witness" and len(fields) in (2, 3):
            self.read_witness(fields, where)
        elif keyword == "group" and len(fields) >= 3:
            self.read_group(fields, where)
        elif keyword == "quorum" and len(fields) == 1:
            self.read_quorum(fields[0], where)
        else:
            raise MalformedError(
                "policy", "expected log, witness, group or quorum", where=where
            )

    def read_log(self, fields: list[str], where: str) -> None:
        key = _parse_key(fields[0], where, (KeyType.ED25519, KeyType.MLDSA44))
        if key.public in self.log_publics:
            raise MalformedError("policy", "a log key stands twice", where=where)
        self.log_publics.add(key.public)
        self.check_key_id(key, where)
        self.logs.append(PolicyLog(key, _parse_url(fields[1:], where)))

    def read_witness(self, fields: list[str], where: str) -> None:
        key = _parse_key(fields[1], where, (KeyType.COSIGNATURE, KeyType.MLDSA44))
        if key.public in self.witness_publics:
            raise MalformedError("policy", "a witness key stands twice", where=where)
        self.witness_publics.add(key.public)
        self.check_key_id(key, where)
        url = _parse_url(fields[2:], where)
        self.witnesses.append(PolicyWitness(self.new_name(fields[0], where), key, url))

    def read_group(self, fields: list[str], where: str) -> None:
        name, rule, *members = fields
        for member in members:
            if member not in self.names:
                raise MalformedError("policy", f"unknown name {member!r}", where=where)
            if member in self.grouped:
                raise MalformedError(
                    "policy", f"{member!r} is a member twice", where=where
                )
            self.grouped.add(member)
        threshold = _parse_threshold(rule, len(members), where)
        self.groups.append(
            PolicyGroup(self.new_name(name, where), threshold, tuple(members))
        )

    def read_quorum(self, name: str, where: str) -> None:
        if self.quorum is not None:
            raise MalformedError("policy", "a second quorum line", where=where)
        if name != NO_QUORUM and name not in self.names:
            raise MalformedError("policy", f"unknown name {name!r}", where=where)
        self.quorum = name

    def check_key_id(self, key: VerifierKey, where: str) -> None:
        if self.key_ids.setdefault((key.name, key.key_id), key) != key:
            raise MalformedError(
                "policy", f"two keys share the name and id of {key.name}", where=where
            )

    def new_name(self, name: str, where: str) -> str:
        if name == NO_QUORUM or name in self.names:
            raise MalformedError("policy", f"name {name!r} is taken", where=where)
        self.names.add(name)
        return name

    def finish(self) -> Policy:
        if self.quorum is None:
            raise MalformedError("policy", "no quorum line")
        return Policy(
            tuple(self.logs), tuple(self.witnesses), tuple(self.groups), self.quorum
        )


def format_policy(policy: Policy) -> bytes:
    """Write a policy file that parses to the same policy."""
    lines = [
        " ".join(filter(None, ("log", format_vkey(log.key), log.url)))
        for log in policy.logs
    ]
    lines += [
        " ".join(
            filter(None, ("witness", entry.name, format_vkey(entry.key), entry.url))
        )
        for entry in policy.witnesses
    ]
    lines += [
        " ".join(("group", group.name, str(group.threshold), *group.members))
        for group in policy.groups
    ]
    return "\n".join([*lines, f"quorum {policy.quorum}", ""]).encode()


def _parse_key(text: str, where: str, allowed: tuple[KeyType, ...]) -> VerifierKey:
    """Read a vkey of an allowed type."""
    try:
        key = parse_vkey(text)
    except MalformedError as error:
        raise MalformedError("policy", str(error), where=where) from error
    if key.type not in allowed:
        expected = " or ".join(f"{kind:#04x}" for kind in allowed)
        raise MalformedError(
            "policy", f"key type {key.type:#04x}, expected {expected}", where=where
        )
    return key


def _parse_url(fields: list[str], where: str) -> str | None:
    """Read the optional last field; a trailing comment is not taken for a URL."""
    if fields and "://" not in fields[0]:
        raise MalformedError(
            "policy", f"expected a URL, found {fields[0][:64]!r}", where=where
        )
    return fields[0] if fields else None


def _parse_threshold(rule: str, members: int, where: str) -> int:
    """Read all, any or a number of 1 to the count of members."""
    if rule == "all":
        return members
    if rule == "any":
        return 1
    if not re.fullmatch(r"[1-9][0-9]{0,3}", rule, re.ASCII) or int(rule) > members:
        raise MalformedError(
            "policy",
            f"expected all, any or 1 to {members}, found {rule!r}",
            where=where,
        )
    return int(rule)
