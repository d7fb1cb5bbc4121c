"""Sealing is that of the reference; what was changed does not open."""

from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given

from tallystick_merkle.errors import KernelError, MalformedError, ProofError
from tallystick_merkle.event import id_bytes
from tallystick_merkle.eventjson import parse_event
from tallystick_merkle.layout import lay_out
from tallystick_merkle.leaf import MAX_TIME_MS
from tallystick_merkle.sealing import (
    MAX_RECORD,
    GroupKey,
    Record,
    commit_event,
    commit_group,
    commitment,
    format_record,
    open_group,
    open_stream,
    parse_record,
    record_commitment,
    seal,
    slot_digest,
)
from tests.reference import dcbor, ev1
from tests.reference.ev1_layout import groups_of
from tests.unit.merkle.events import PLACED, PLACES, TENANT, Json, example, json_events
from tests.unit.merkle.hostile import hostile

TIME_MS = 1_795_435_200_123
SEEDS = [bytes([0x50 + at]) * 16 for at in range(12)]
IVS = [bytes([0xA0 + at]) * 12 for at in range(12)]
SECRETS = [bytes([0x10 + at]) * 32 for at in range(12)]
KEYS = [
    GroupKey(bytes([0xC0 + at]) * 8, AESGCM(secret))
    for at, secret in enumerate(SECRETS)
]


def sealed(event: Json, places: dict[str, int] | None = None) -> bytes:
    """The record of an event."""
    layout = lay_out(parse_event(event), tenant=TENANT, places=places)
    count = len(layout.groups)
    made = seal(layout, KEYS[:count], SEEDS[:count], IVS[:count])
    assert made.commitment == commitment(layout, SEEDS[:count])
    return format_record(id_bytes(layout.event_id), TIME_MS, made.groups)


def rewritten(data: bytes) -> Record:
    """Read a record; written again from what was read it is the same."""
    record = parse_record(data)
    groups: list[list[object]] = [list(group) for group in record.groups]
    assert ev1.record(record.event_id, record.time_ms, groups) == data
    return record


RECORD = sealed(example(), PLACES)


@given(json_events(), PLACED)
def test_every_record_is_that_of_the_reference(
    event: Json, places: dict[str, int]
) -> None:
    groups = groups_of(event, tenant=TENANT, places=places)
    event_id = id_bytes(event["event_id"])

    data = sealed(event, places)

    assert data == ev1.record(
        event_id,
        TIME_MS,
        [
            ev1.seal_group(
                group,
                number=number,
                event_id=event_id,
                seed=SEEDS[number],
                key=(KEYS[number].kid, SECRETS[number]),
                iv=IVS[number],
            )
            for number, group in enumerate(groups)
        ],
    )
    record = rewritten(data)
    assert record_commitment(record) == ev1.commit(groups, SEEDS[: len(groups)])
    for number, group in enumerate(groups):
        opened = open_group(record, number, KEYS[number].aead)
        assert list(zip(opened.names, opened.values, strict=True)) == group
        assert opened.seed == SEEDS[number]
        assert opened.fields == dict(group)


@given(hostile(RECORD))
def test_any_record_is_refused_or_the_one_spelling(data: bytes) -> None:
    try:
        record = rewritten(data)
    except KernelError:
        return
    for number, key in enumerate(KEYS[: len(record.groups)]):
        if data != RECORD:
            try:
                open_group(record, number, key.aead)
            except KernelError:
                continue
            assert record.groups[number] == parse_record(RECORD).groups[number]


def damaged(change: dict[str, Any], number: int = 1) -> Record:
    record = parse_record(RECORD)
    groups = list(record.groups)
    groups[number] = groups[number]._replace(**change)
    return replace(record, groups=tuple(groups))


@pytest.mark.parametrize(
    "record",
    [
        damaged({"iv": bytes(12)}),
        damaged({"digest": bytes(32)}),
        damaged({"digest": parse_record(RECORD).groups[1].digest[:16] + bytes(16)}),
        damaged({"ciphertext": bytes(64)}),
        damaged({"ciphertext": bytes(17)}),
        replace(parse_record(RECORD), event_id=bytes(16)),
    ],
    ids=["iv", "digest", "half-digest", "ciphertext", "short", "event"],
)
def test_what_was_changed_does_not_open(record: Record) -> None:
    with pytest.raises(ProofError, match="group 1"):
        open_group(record, 1, KEYS[1].aead)


def test_a_group_does_not_open_at_the_place_of_another() -> None:
    record = parse_record(RECORD)
    swapped = replace(record, groups=record.groups[::-1])

    with pytest.raises(ProofError, match="group 0 is not what was committed"):
        open_group(swapped, 0, KEYS[2].aead)


def test_another_key_does_not_open() -> None:
    with pytest.raises(ProofError, match="group 1 does not decrypt"):
        open_group(parse_record(RECORD), 1, KEYS[2].aead)


def forged(plain: bytes, digest: bytes = bytes(32)) -> Record:
    """A record whose group 1 is something else, encrypted under the right key."""
    record = parse_record(RECORD)
    aad = dcbor.encode(["Encrypt0", ev1.PROTECTED, record.event_id + digest[:16]])
    ciphertext = AESGCM(SECRETS[1]).encrypt(IVS[1], plain, aad)
    return damaged({"digest": digest, "ciphertext": ciphertext})


@pytest.mark.parametrize(
    "value",
    [
        None,
        {},
        [],
        [SEEDS[1]],
        [SEEDS[1], ["actor", 1]],
        [bytes(15), ["actor", 1], ["names", 2]],
        ["seed", ["actor", 1], ["names", 2]],
        [SEEDS[1], ["actor", 1], ["names"]],
        [SEEDS[1], ["actor", 1], [b"names", 2]],
        [SEEDS[1], ["actor", 1], None],
        [SEEDS[1], *[["a", 1]] * 81],
    ],
    ids=["null", "map", "nothing", "seed", "one", "short", "text", "half", "bytes",
         "none", "many"],
)  # fmt: skip
def test_a_group_that_is_none_is_refused(value: object) -> None:
    with pytest.raises(MalformedError):
        open_group(forged(dcbor.encode(value)), 1, KEYS[1].aead)


def test_a_group_in_another_spelling_is_refused() -> None:
    plain = dcbor.encode([SEEDS[1], ["actor", 1], ["names", 2]])

    with pytest.raises(MalformedError, match="CBOR"):
        open_group(forged(plain[:-1] + b"\x18\x02"), 1, KEYS[1].aead)


def test_a_group_that_was_not_committed_is_refused() -> None:
    plain = dcbor.encode([SEEDS[1], ["actor", 1], ["names", 2]])

    with pytest.raises(ProofError, match="not what was committed"):
        open_group(forged(plain), 1, KEYS[1].aead)


@pytest.mark.parametrize(
    "edit",
    [
        lambda value: value.append(None),
        lambda value: value.__setitem__(0, bytes(15)),
        lambda value: value.__setitem__(0, "id"),
        lambda value: value.__setitem__(1, -1),
        lambda value: value.__setitem__(1, MAX_TIME_MS + 1),
        lambda value: value.__setitem__(1, True),
        lambda value: value.__setitem__(2, {}),
        lambda value: value.__setitem__(2, value[2][:1]),
        lambda value: value.__setitem__(2, value[2] * 5),
        lambda value: value[2].__setitem__(0, None),
        lambda value: value[2][0].append(None),
        lambda value: value[2][0].__setitem__(0, bytes(9)),
        lambda value: value[2][0].__setitem__(1, bytes(11)),
        lambda value: value[2][0].__setitem__(2, bytes(31)),
        lambda value: value[2][0].__setitem__(3, bytes(16)),
        lambda value: value[2][0].__setitem__(3, "ciphertext"),
    ],
    ids=["four", "id", "id-text", "early", "late", "true", "map", "one-group",
         "15-groups", "no-group", "five", "kid", "iv", "digest", "tag", "text"],
)  # fmt: skip
def test_a_record_out_of_shape_is_refused(edit: Any) -> None:  # noqa: ANN401 -- a change
    value = dcbor.decode(RECORD)
    edit(value)

    with pytest.raises(MalformedError, match="record"):
        parse_record(dcbor.encode(value))


def test_a_stream_is_cut_into_salts_and_decoys() -> None:
    for slots in range(1, 13):
        salts, decoys = open_stream(SEEDS[0], 3, slots)
        expected = ev1.salt_and_decoys(SEEDS[0], 3, slots)
        assert (salts, decoys) == (expected[0], b"".join(expected[1]))


def test_the_number_of_a_group_changes_its_salts() -> None:
    pairs = [dcbor.encode(["actor", 1]), dcbor.encode(["names", 2])]

    assert commit_group(pairs, SEEDS[0], 1) != commit_group(pairs, SEEDS[0], 2)
    assert commit_group(pairs, SEEDS[0], 1) != commit_group(pairs, SEEDS[1], 1)


def test_a_slot_is_committed_with_its_salt() -> None:
    pair = dcbor.encode(["actor", 1])

    assert slot_digest(bytes(16), pair) == ev1.field_digest(bytes(16), "actor", 1)
    assert commit_event([bytes(32)] * 2) == ev1.commitment([bytes(32)] * 2)


@pytest.mark.parametrize("count", [0, 2, 4])
def test_seeds_of_another_number_of_groups_are_refused(count: int) -> None:
    layout = lay_out(parse_event(example()), tenant=TENANT)

    with pytest.raises(ProofError, match=f"{count} seeds for 3 groups"):
        commitment(layout, SEEDS[:count])


def test_the_largest_event_has_a_record_that_is_read() -> None:
    wide = "\U0001f600"
    event = example() | {
        "action": f"{'a' * 64}.{'b' * 63}",
        "actor": {"type": "u" * 64, "id": wide * 256},
        "targets": [
            {"type": "t" * 64, "id": wide * 255 + str(at), "person": True}
            for at in range(10)
        ],
        "outcome": {"result": "success", "code": "c" * 64},
        "producer": {
            "service": "s" * 64, "instance": "i" * 128,
            "epoch": 2**53 - 1, "sequence": 2**53 - 1,
        },
        "schema": {"id": "s" * 128, "version": 2**31 - 1},
        "region": "r" * 64,
        "corrects": example()["event_id"],
        "details": {"a": "x" * 16_380, "b": "x" * 16_000, "c": "x" * 15_000}
        | {f"n{at}": wide for at in range(60)},
    }  # fmt: skip
    for name in ("before", "after", "request", "reason"):
        del event[name]
    persons, things = (
        event,
        event | {"targets": [one | {"person": False} for one in event["targets"]]},
    )

    for whole in (persons, things):
        record = sealed(whole)
        assert len(record) < MAX_RECORD
        assert rewritten(record).time_ms == TIME_MS
