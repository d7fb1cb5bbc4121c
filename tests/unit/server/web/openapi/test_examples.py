"""The examples are what a server says, and what we and the schemas make of them."""

from __future__ import annotations

import json
from base64 import b64decode
from pathlib import Path

import pytest

from tallystick_merkle.cosignature import open_checkpoint
from tallystick_merkle.eventjson import parse_event
from tallystick_merkle.evidence import check_evidence, parse_evidence
from tallystick_merkle.hashing import leaf_hash, leaf_hashes
from tallystick_merkle.leaf import parse_leaf
from tallystick_merkle.opening import check_opening, parse_opening
from tallystick_merkle.proof import check_consistency, check_inclusion
from tallystick_merkle.rangeproof import RangeTree, range_shape
from tallystick_merkle.receipt import Status, check_receipt, parse_receipt
from tallystick_merkle.schema import parse_schema
from tallystick_merkle.tile import parse_bundle
from tallystick_server.web.openapi.examples import EXAMPLES
from tests.fakes.api_examples import BATCH, EVENT, FILE, make_examples, spell
from tests.fakes.cosigned import policy
from tests.fakes.logs import ORIGIN, log_key
from tests.fakes.openapi import Node, described, faults, nodes, resolve, strict

STRICT = strict(described())


async def test_the_examples_are_what_a_server_says(tmp_path: Path) -> None:
    said = spell(await make_examples(tmp_path))

    assert said == FILE.read_text("utf-8"), "run: python -m tests.fakes.api_examples"


def shown() -> list[tuple[str, Node, object]]:
    """Every example in the document, with the schema that it stands beside."""
    found = []
    for path, node in nodes(STRICT):
        if "examples" in node and isinstance(node["examples"], dict):
            found += [
                (f"{path}/{name}", node["schema"], one["value"])
                for name, one in node["examples"].items()
            ]
        elif "example" in node:
            found.append((path, node["schema"], node["example"]))
    return found


def test_every_example_is_shown() -> None:
    values = [value for _, _, value in shown()]

    assert [name for name, one in EXAMPLES.items() if one not in values] == []


@pytest.mark.parametrize(("path", "schema", "value"), shown())
def test_every_example_fits_its_schema(path: str, schema: Node, value: object) -> None:
    assert faults(STRICT, schema, value) == []


@pytest.mark.parametrize(
    ("path", "schema", "value"),
    [
        one
        for one in shown()
        if isinstance(one[2], dict) and "/requestBody/" not in one[0]
    ],
)
def test_an_example_that_lacks_a_member_or_has_one_more_does_not_fit(
    path: str, schema: Node, value: Node
) -> None:
    is_record = "properties" in resolve(STRICT, schema)
    for name in value:
        less = {key: held for key, held in value.items() if key != name}
        assert faults(STRICT, schema, less), name
    if is_record:
        assert faults(STRICT, schema, {**value, "more": 1})


def test_the_receipts_verify() -> None:
    promised = parse_receipt(EXAMPLES["entry"]["receipt"].encode())
    witnessed = [
        parse_receipt(text.encode())
        for text in (EXAMPLES["repeat"]["receipt"], EXAMPLES["receipt"])
    ]
    verdicts = [
        check_receipt(
            one, leaf=leaf_hash(b"hello"), policy=policy(), origin=ORIGIN
        ).status
        for one in (promised, *witnessed)
    ]

    assert verdicts == [Status.PROMISED, Status.WITNESSED, Status.WITNESSED]


def test_the_proofs_verify() -> None:
    inclusion, consistency = EXAMPLES["inclusion"], EXAMPLES["consistency"]

    check_inclusion(
        index=inclusion["index"],
        size=inclusion["size"],
        leaf=bytes.fromhex(inclusion["leaf_hash"]),
        path=[b64decode(one) for one in inclusion["path"]],
        root=b64decode(inclusion["root"]),
    )
    check_consistency(
        old=consistency["old"],
        new=consistency["new"],
        old_root=b64decode(consistency["old_root"]),
        new_root=b64decode(consistency["new_root"]),
        proof=[b64decode(one) for one in consistency["proof"]],
    )


def test_the_batch_is_proven_by_its_checkpoint() -> None:
    answer = EXAMPLES["batch"]
    head = open_checkpoint(answer["checkpoint"].encode(), [log_key().verifier])
    entries = [one for one in parse_bundle(BATCH) if one]

    RangeTree(
        range_shape(start=2, stop=4, size=answer["size"]),
        leaves=leaf_hashes(entries),
        left=[b64decode(one) for one in answer["proof"]["left"]],
        right=[b64decode(one) for one in answer["proof"]["right"]],
        root=head.checkpoint.root,
    )


def test_the_body_of_the_batch_is_the_one_that_was_sent() -> None:
    post = STRICT["paths"]["/v1/logs/{log}/entries:batch"]["post"]
    (held,) = post["requestBody"]["content"].values()

    assert held["examples"]["real"]["value"].encode() == BATCH


def test_the_evidence_shows_what_was_asked_for() -> None:
    said = EXAMPLES["evidence"]

    found = check_evidence(parse_evidence(b64decode(said["evidence"])), policy=policy())

    assert found.verdict.status is Status.WITNESSED
    assert found.disclosed.fields == said["fields"]
    assert found.index == said["index"]


def test_the_opening_leads_to_the_leaf() -> None:
    said = EXAMPLES["event"]
    leaf = b64decode(said["leaf"])

    check_opening(
        parse_event(EVENT, service=said["opening"]["service"]),
        parse_opening(said["opening"]),
        parse_leaf(leaf),
    )
    assert leaf_hash(leaf).hex() == said["leaf_hash"]


def test_the_new_events_of_a_batch_are_proven_by_its_checkpoint() -> None:
    answer = EXAMPLES["events"]
    head = open_checkpoint(answer["checkpoint"].encode(), [log_key().verifier])
    (fresh,) = [one for one in answer["results"] if one["status"] == 201]

    RangeTree(
        range_shape(start=fresh["index"], stop=3, size=answer["size"]),
        leaves=[leaf_hash(b64decode(fresh["leaf"]))],
        left=[b64decode(one) for one in answer["proof"]["left"]],
        right=[b64decode(one) for one in answer["proof"]["right"]],
        root=head.checkpoint.root,
    )


def test_the_document_that_is_registered_is_a_schema() -> None:
    post = STRICT["paths"]["/v1/logs/{log}/schemas"]["post"]
    held = post["requestBody"]["content"]["application/schema+json"]
    schema = parse_schema(json.dumps(held["examples"]["real"]["value"]).encode())

    assert (schema.id, schema.version) == ("invoice.approved", 1)
    assert schema.marks.sensitive == {"details/note"}
