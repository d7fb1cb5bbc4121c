"""The kernel agrees with the vectors of `ev1`; they are what their program makes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tallystick_merkle import canonical
from tallystick_merkle.disclosure import (
    Disclosed,
    Disclosure,
    Shown,
    ShownGroup,
    check_disclosure,
    format_disclosure,
    parse_disclosure,
)
from tallystick_merkle.errors import (
    KernelError,
    MalformedError,
    OriginError,
    ProofError,
    SignatureError,
)
from tallystick_merkle.event import id_bytes
from tallystick_merkle.eventjson import parse_event
from tallystick_merkle.evidence import check_evidence, format_evidence, parse_evidence
from tallystick_merkle.layout import lay_out
from tallystick_merkle.leaf import EventLeaf, format_leaf, parse_leaf
from tallystick_merkle.policy import Policy, parse_policy
from tallystick_merkle.sealing import (
    GroupKey,
    commit_group,
    commitment,
    format_record,
    open_group,
    parse_record,
    record_commitment,
    seal,
)
from tallystick_merkle.tags import (
    Dimension,
    format_index_entry,
    index_digest,
    make_blind,
    make_tag,
    parse_index_entry,
)
from tests.vectors.ev1make import FOLDER, cases, written
from tests.vectors.known import ev1_cases

CASES = ev1_cases()

REASONS: dict[str, tuple[tuple[type[KernelError], ...], str]] = {
    "malformed": ((MalformedError,), "malformed"),
    "commitment": ((ProofError,), "not of this leaf"),
    "place": ((ProofError,), "where a core name belongs|is no free name"),
    "order": ((ProofError,), "does not ascend"),
    "second": ((ProofError,), "a second value"),
    "names": ((ProofError,), "names|is not at its place"),
    "shape": ((ProofError,), "out of shape|is no id"),
    "targets": ((ProofError,), "target"),
    "inclusion": ((ProofError,), "tree|hashes"),
    "signature": ((SignatureError, OriginError), "sign|origin"),
}
"""What the kernel raises for each reason, and what it says."""


def of_kind(*kinds: str, verdict: str) -> dict[str, dict[str, Any]]:
    return {
        name: one
        for name, one in CASES.items()
        if one["kind"] in kinds and one["verdict"] == verdict
    }


def raw(one: dict[str, Any], name: str) -> bytes:
    return bytes.fromhex(one[name])


def fields_of(disclosure: Disclosure, disclosed: Disclosed) -> list[list[object]]:
    """What was shown, slot by slot; each has to be in what checking gave."""
    found = []
    for number, group in enumerate(disclosure):
        slots = group.slots if isinstance(group, ShownGroup) else ()
        for place, slot in enumerate(slots):
            if isinstance(slot, Shown):
                assert (disclosed.groups[number] or {})[slot.name] == slot.value
                found.append([number, place, slot.name, slot.value])
    return found


def policy_of(one: dict[str, Any]) -> Policy:
    first, second = one["witness_vkeys"]
    return parse_policy(
        f"log {one['vkey']}\nwitness a {first}\nwitness b {second}\n"
        "group both all a b\nquorum both\n".encode()
    )


def read_part(one: dict[str, Any]) -> object:
    """Read a part, and write it again."""
    data = raw(one, "disclosure" if one["kind"] == "disclosure" else "data")
    if one["kind"] == "disclosure":
        disclosure = parse_disclosure(data)
        assert format_disclosure(disclosure) == data
        return check_disclosure(disclosure, parse_leaf(raw(one, "leaf")))
    if one["kind"] == "evidence":
        evidence = parse_evidence(data)
        assert format_evidence(evidence) == data
        return check_evidence(evidence, policy=policy_of(one))
    if one["kind"] == "leaf":
        leaf = parse_leaf(data)
        assert format_leaf(leaf) == data
        return leaf
    epoch, tags, blind = parse_index_entry(data)
    assert format_index_entry(epoch, tags, blind) == data
    return epoch, tags, blind


def test_the_vectors_are_what_the_reference_makes() -> None:
    made = cases()

    assert {path.stem for path in FOLDER.glob("*")} == set(made)
    assert [
        name
        for name, one in made.items()
        if (FOLDER / f"{name}.json").read_text("utf-8") != written(one)
    ] == []


def test_every_vector_is_of_a_kind_that_is_tried() -> None:
    kinds = {"disclosure", "evidence", "leaf", "index-entry", "record", "tag"}

    assert {one["kind"] for one in CASES.values()} == kinds
    assert {one.get("reason") for one in CASES.values()} == {None, *REASONS}


@pytest.mark.parametrize(
    "name", of_kind("disclosure", "evidence", "leaf", "index-entry", verdict="refused")
)
def test_the_kernel_refuses(name: str) -> None:
    errors, says = REASONS[CASES[name]["reason"]]

    with pytest.raises(errors, match=says):
        read_part(CASES[name])


@pytest.mark.parametrize("name", of_kind("disclosure", verdict="accepted"))
def test_the_kernel_reads_the_fields_of(name: str) -> None:
    one = CASES[name]
    disclosure = parse_disclosure(raw(one, "disclosure"))

    disclosed = check_disclosure(disclosure, parse_leaf(raw(one, "leaf")))

    shown = fields_of(disclosure, disclosed)
    assert canonical.encode(shown).hex() == one["fields"]
    assert (disclosed.hidden, disclosed.is_single) == (one["hidden"], one["single"])


@pytest.mark.parametrize("name", of_kind("disclosure", verdict="accepted"))
def test_the_kernel_lays_out_and_commits_to_the_event_of(name: str) -> None:
    one = CASES[name]
    seeds = [bytes.fromhex(seed) for seed in one["seeds"]]

    layout = lay_out(
        parse_event(one["event"]), tenant=one["tenant"], places=one["places"]
    )

    groups = [
        [canonical.decode(pair) for pair in group.pairs] for group in layout.groups
    ]
    assert canonical.encode(groups).hex() == one["groups"]
    assert commitment(layout, seeds) == parse_leaf(raw(one, "leaf")).commitment


@pytest.mark.parametrize("name", of_kind("leaf", verdict="accepted"))
def test_the_kernel_reads_the_leaf(name: str) -> None:
    one = CASES[name]

    leaf = EventLeaf(one["time_ms"], raw(one, "commitment"), raw(one, "index_digest"))

    assert read_part(one) == leaf


@pytest.mark.parametrize("name", of_kind("index-entry", verdict="accepted"))
def test_the_kernel_reads_the_index_entry(name: str) -> None:
    one = CASES[name]

    tags = tuple(bytes.fromhex(tag) for tag in one["tags"])

    assert read_part(one) == (one["epoch"], tags, raw(one, "blind"))
    assert index_digest(raw(one, "data")) == raw(one, "digest")
    assert make_blind(raw(one, "seed")) == raw(one, "blind")


@pytest.mark.parametrize("name", of_kind("tag", verdict="accepted"))
def test_the_kernel_makes_the(name: str) -> None:
    one = CASES[name]

    tag = make_tag(raw(one, "secret"), Dimension(one["dimension"]), one["epoch"])

    assert tag == raw(one, "tag")


@pytest.mark.parametrize("name", of_kind("evidence", verdict="accepted"))
def test_the_kernel_believes(name: str) -> None:
    one = CASES[name]

    found = check_evidence(parse_evidence(raw(one, "data")), policy=policy_of(one))

    assert (found.verdict.status.value, found.index) == (one["status"], one["index"])
    assert set(found.disclosed.fields) == {"action", "actor", "after/role"}


def test_the_kernel_seals_the_record() -> None:
    one = CASES["record"]
    event = parse_event(one["event"])
    layout = lay_out(event, tenant=one["tenant"], places=one["places"])
    count = len(layout.groups)

    sealed = seal(
        layout,
        [
            GroupKey(bytes([0xC0 + at]) * 8, AESGCM(bytes.fromhex(one["keys"][at])))
            for at in range(count)
        ],
        [bytes.fromhex(seed) for seed in one["seeds"]],
        [bytes([0xA0 + at]) * 12 for at in range(count)],
    )

    data = format_record(id_bytes(event.event_id), one["time_ms"], sealed.groups)
    assert data.hex() == one["record"]
    assert sealed.commitment.hex() == one["commitment"]


def test_the_kernel_opens_the_record() -> None:
    one = CASES["record"]
    record = parse_record(raw(one, "record"))

    opened = [
        open_group(record, number, AESGCM(bytes.fromhex(key)))
        for number, key in enumerate(one["keys"])
    ]

    assert record_commitment(record).hex() == one["commitment"]
    assert [group.seed.hex() for group in opened] == one["seeds"]
    assert [
        commit_group(group.pairs, group.seed, number)
        for number, group in enumerate(opened)
    ] == [group.digest for group in record.groups]
    assert opened[2].fields["after/role"] == "admin"


def test_a_vector_is_written_in_one_way() -> None:
    text = (FOLDER / "record.json").read_text("utf-8")

    assert written(json.loads(text)) == text
