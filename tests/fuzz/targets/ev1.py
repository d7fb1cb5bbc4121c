"""Targets: the formats of `ev1`, and what a log that lies could have sealed.

Disclosures are checked against the leaf of an event, and once more against a leaf made
for them: what a hostile log commits to must be refused by the rules alone, and what the
kernel takes, the reference has to take.
"""

from __future__ import annotations

import json
from contextlib import suppress
from functools import cache

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tallystick_merkle.disclosure import (
    Disclosure,
    ShownGroup,
    check_disclosure,
    format_disclosure,
    parse_disclosure,
)
from tallystick_merkle.errors import KernelError
from tallystick_merkle.eventjson import format_event, parse_event
from tallystick_merkle.evidence import check_evidence, format_evidence, parse_evidence
from tallystick_merkle.layout import assemble, lay_out
from tallystick_merkle.leaf import EventLeaf, format_leaf, parse_leaf
from tallystick_merkle.opening import (
    check_opening,
    format_opening,
    parse_opening,
)
from tallystick_merkle.sealing import commitment, open_group, parse_record
from tallystick_merkle.tags import format_index_entry, parse_index_entry
from tests.fuzz.target import Target, check_spelling
from tests.reference import dcbor, ev1
from tests.reference import ev1_disclosure as reference
from tests.unit.merkle.events import TENANT, example
from tests.unit.merkle.people import two_of_two
from tests.vectors.ev1events import base
from tests.vectors.known import ev1_cases

_POLICY = two_of_two()
_SEEDS = [bytes([at]) * 16 for at in range(12)]


def disclosure(data: bytes) -> None:
    """A disclosure, under the leaf of an event and under one made for it."""
    with suppress(KernelError):
        parsed = parse_disclosure(data)
        check_spelling(data, format_disclosure(parsed))
        with suppress(KernelError):
            check_disclosure(parsed, parse_leaf(_leaf()))
        leaf = EventLeaf(2**40, _commit(parsed), bytes(32))
        disclosed = check_disclosure(parsed, leaf)
        reference.check(data, format_leaf(leaf))
        assert disclosed.is_single == reference.is_single(data)
        assemble(disclosed.groups)


def evidence(data: bytes) -> None:
    """One record in a file."""
    with suppress(KernelError):
        parsed = parse_evidence(data)
        check_spelling(data, format_evidence(parsed))
        check_evidence(parsed, policy=_POLICY)


def record(data: bytes) -> None:
    """A private record, with keys that may open some of it."""
    with suppress(KernelError):
        parsed = parse_record(data)
        groups: list[list[object]] = [list(group) for group in parsed.groups]
        check_spelling(data, ev1.record(parsed.event_id, parsed.time_ms, groups))
        for number, key in zip(range(len(groups)), _keys(), strict=False):
            with suppress(KernelError):
                open_group(parsed, number, key)


def plaintext(data: bytes) -> None:
    """A group that decrypts, whatever is in it."""
    record = parse_record(bytes.fromhex(ev1_cases()["record"]["record"]))
    group = record.groups[0]
    aad = dcbor.encode(["Encrypt0", ev1.PROTECTED, record.event_id + group.digest[:16]])
    secret = _keys()[0].encrypt(group.iv, data, aad)
    with suppress(KernelError):
        changed = (group._replace(ciphertext=secret), *record.groups[1:])
        opened = open_group(
            type(record)(record.event_id, record.time_ms, changed), 0, _keys()[0]
        )
        assert opened.seed.hex() == ev1_cases()["record"]["seeds"][0]


def leaf(data: bytes) -> None:
    """The leaf of an event."""
    with suppress(KernelError):
        check_spelling(data, format_leaf(parse_leaf(data)))


def index_entry(data: bytes) -> None:
    """The tags of an event."""
    with suppress(KernelError):
        epoch, tags, blind = parse_index_entry(data)
        check_spelling(data, format_index_entry(epoch, tags, blind))


def event(data: bytes) -> None:
    """An event in JSON; what is taken can be laid out as the reference does."""
    with suppress(ValueError, RecursionError):
        value = json.loads(data)
        with suppress(KernelError):
            parsed = parse_event(value, service="iam")
            assert parse_event(format_event(parsed)) == parsed
            layout = lay_out(parsed, tenant=TENANT, places={"details": 0})
            groups = [
                [(one[0], one[1]) for one in map(dcbor.decode, group.pairs)]
                for group in layout.groups
            ]
            seeds = _SEEDS[: len(groups)]
            assert commitment(layout, seeds) == ev1.commit(groups, seeds)
            body = assemble([dict(group) for group in groups])
            assert parse_event(body) == parsed


def opening(data: bytes) -> None:
    """An opening in JSON."""
    with suppress(ValueError, RecursionError):
        value = json.loads(data)
        with suppress(KernelError):
            parsed = parse_opening(value)
            assert parse_opening(format_opening(parsed)) == parsed
            check_opening(parse_event(example()), parsed, parse_leaf(_leaf()))


def _commit(parsed: Disclosure) -> bytes:
    """What a log would have committed to that had sealed exactly this."""
    return ev1.commitment(
        group if isinstance(group, bytes) else _commit_group(group) for group in parsed
    )


def _commit_group(group: ShownGroup) -> bytes:
    return ev1.group_digest(
        slot if isinstance(slot, bytes) else ev1.field_digest(*slot)
        for slot in group.slots
    )


@cache
def _leaf() -> bytes:
    return base().leaf


@cache
def _keys() -> list[AESGCM]:
    return [AESGCM(bytes.fromhex(key)) for key in ev1_cases()["record"]["keys"]]


TARGETS: dict[str, Target] = {
    "disclosure": disclosure,
    "evidence": evidence,
    "record": record,
    "plaintext": plaintext,
    "leaf": leaf,
    "index-entry": index_entry,
    "event": event,
    "opening": opening,
}


def seeds() -> dict[str, list[bytes]]:
    """Good inputs, from the vectors."""
    known = ev1_cases()

    def raw(field: str, *names: str) -> list[bytes]:
        return [bytes.fromhex(known[name][field]) for name in names]

    whole = base()
    return {
        "disclosure": raw(
            "disclosure", "shown-everything", "shown-three-fields-with-names",
            "shown-thing-with-targets", "shown-nested-values", "shown-person-by-word",
            "second-value-as-decoy", "names-twice", "thing-that-is-a-person",
        ),
        "evidence": raw("data", "evidence-witnessed", "evidence-tree-of-one"),
        "record": raw("record", "record"),
        "plaintext": [
            dcbor.encode([seed, *map(list, group)])
            for group, seed in zip(whole.groups, whole.seeds, strict=True)
        ],
        "leaf": raw("data", "leaf", "leaf-latest"),
        "index-entry": raw("data", "index-entry-of-1", "index-entry-of-16"),
        "event": [
            json.dumps(known[name]["event"]).encode()
            for name in ("shown-everything", "shown-all-members", "shown-names",
                         "shown-nested-values", "shown-person-by-word")
        ],
        "opening": [
            json.dumps({
                "seeds": [seed.hex() for seed in whole.seeds],
                "index_entry": whole.entry.hex(),
                "tenant": TENANT,
                "service": "iam",
                "schema": {"id": "user.role", "version": 3},
                "places": whole.origin["places"],
            }).encode()
        ],
    }  # fmt: skip
