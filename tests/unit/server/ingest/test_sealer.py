"""Sealed here, checked by the kernel: leaf, opening, record and tags fit together."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

from hypothesis import given

from tallystick_merkle.event import Event, id_text
from tallystick_merkle.eventjson import parse_event
from tallystick_merkle.layout import assemble
from tallystick_merkle.leaf import EventLeaf
from tallystick_merkle.opening import Opening, check_opening
from tallystick_merkle.sealing import format_record, open_group, parse_record
from tallystick_merkle.tags import index_digest, order_tags, parse_index_entry
from tallystick_server.ingest.keys import ReadyKey
from tallystick_server.ingest.sealer import (
    Prepared,
    Sealing,
    opening_of,
    prepare,
    seal_event,
)
from tallystick_server.vault.memory import MemoryVault
from tests.fakes.intakes import TENANT, make_event
from tests.unit.merkle.events import PLACED, Json, json_events

TIME_MS = 1_700_000_000_000


def keys_of(prepared: Prepared, vault: MemoryVault) -> dict[bytes, ReadyKey]:
    names = sorted(set(prepared.key_names()))
    return {name: ReadyKey(key) for name, key in vault.ensure(names).items()}


def noise_of(prepared: Prepared, label: bytes = b"") -> bytes:
    parts = [
        sha256(label + number.to_bytes(2, "big")).digest()
        for number in range(prepared.noise // 32 + 1)
    ]
    return b"".join(parts)[: prepared.noise]


def sealed(
    event: Event, places: Mapping[str, int] | None = None
) -> tuple[Prepared, dict[bytes, ReadyKey], Sealing, Opening]:
    prepared = prepare(event, tenant=TENANT, month="2026-11", places=places or {})
    keys = keys_of(prepared, MemoryVault())
    done = seal_event(prepared, keys, noise_of(prepared))
    return prepared, keys, done, opening_of(prepared, done)


@given(json_events(), PLACED)
def test_the_opening_leads_to_the_leaf_of_whatever_event(
    body: Json, places: dict[str, int]
) -> None:
    event = parse_event(body, service=None)

    _, _, done, opening = sealed(event, places)

    digest = index_digest(opening.index_entry)
    check_opening(event, opening, EventLeaf(TIME_MS, done.sealed.commitment, digest))


@given(json_events(), PLACED)
def test_the_record_opens_to_the_event_under_its_keys(
    body: Json, places: dict[str, int]
) -> None:
    event = parse_event(body, service=None)
    prepared, keys, done, _ = sealed(event, places)

    one = done.sealed
    record = parse_record(format_record(one.event_id, TIME_MS, one.groups))
    groups = [
        open_group(record, number, keys[name].group.aead)
        for number, name in enumerate(prepared.names.groups)
    ]

    assert id_text(record.event_id) == event.event_id
    assert parse_event(assemble([group.fields for group in groups])) == event
    assert b"".join(group.seed for group in groups) == done.seeds


def test_each_group_has_its_own_seed_and_vector_out_of_the_noise() -> None:
    prepared, _, done, opening = sealed(make_event(1))
    noise = noise_of(prepared)
    record = parse_record(
        format_record(done.sealed.event_id, TIME_MS, done.sealed.groups)
    )

    ivs = [group.iv for group in record.groups]
    assert prepared.noise == 28 * 3
    assert b"".join((*opening.seeds, *ivs)) == noise
    assert len({*opening.seeds, *ivs}) == 6


def test_other_noise_is_another_commitment() -> None:
    prepared, keys, done, _ = sealed(make_event(1))

    other = seal_event(prepared, keys, noise_of(prepared, b"other"))

    assert other.sealed.commitment != done.sealed.commitment
    assert other.sealed.blind != done.sealed.blind
    assert other.sealed.tags == done.sealed.tags


def test_the_index_entry_has_the_tags_of_the_names() -> None:
    prepared, keys, done, opening = sealed(make_event(1))

    expected = order_tags(
        [keys[name].tag(dimension) for dimension, name in prepared.names.tags]
    )

    assert done.sealed.tags == expected
    assert len(expected) == 5
    assert parse_index_entry(opening.index_entry) == (0, expected, done.sealed.blind)


def test_one_who_acts_upon_himself_has_a_tag_of_each_kind() -> None:
    alice = {"type": "user", "id": "alice@example.com"}

    _, _, done, _ = sealed(make_event(1, targets=[alice, alice]))

    assert len(done.sealed.tags) == 4


def test_what_is_secret_is_not_shown_by_accident() -> None:
    _, _, done, opening = sealed(make_event(1))

    for seed in opening.seeds:
        for text in (repr(done), repr(opening)):
            assert seed.hex() not in text
            assert repr(seed)[2:-1] not in text
