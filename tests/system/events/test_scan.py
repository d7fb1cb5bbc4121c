"""The scan finds what is there, at every place and in every spelling, and no more."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable
from urllib.parse import quote

import pytest

from tests.system.events.needles import needles_of, secret_values
from tests.system.events.scan import Scanner

pytestmark = pytest.mark.system

VALUE = 'Zoë "the cat" <zoe@example.org>?~'
PLAIN = VALUE.encode()

SPELLED: dict[str, Callable[[bytes], bytes]] = {
    "as it is": bytes,
    "UTF-16, little": lambda data: data.decode().encode("utf-16-le"),
    "UTF-16, big": lambda data: data.decode().encode("utf-16-be"),
    "JSON": lambda data: json.dumps(data.decode()).encode(),
    "hex": lambda data: data.hex().encode(),
    "HEX": lambda data: data.hex().upper().encode(),
    "base64": base64.b64encode,
    "base64 for URLs": base64.urlsafe_b64encode,
}


@pytest.mark.parametrize("how", SPELLED)
@pytest.mark.parametrize("ahead", range(4))
def test_a_value_is_found_inside_of_something_that_was_spelled(
    how: str, ahead: int
) -> None:
    scanner = Scanner(needles_of([VALUE]))
    whole = b"before"[:ahead] + PLAIN + b" and behind"
    noise = random.Random(7).randbytes(100)

    found = list(scanner.find(noise + SPELLED[how](whole) + noise))

    assert {hit.needle.value for hit in found} == {VALUE}


@pytest.mark.parametrize("at", [0, 1, 2, 3, (1 << 20) - 40, (1 << 20) - 3, 1 << 20])
def test_a_value_is_found_at_every_place_of_many_bytes(at: int) -> None:
    scanner = Scanner(needles_of([VALUE]))
    data = bytes(at) + PLAIN + bytes((1 << 20) + 17)

    (hit,) = scanner.find(data)

    assert (hit.at, hit.needle.spelling) == (at, "UTF-8")


def test_both_ends_of_a_long_value_are_found_alone() -> None:
    value = "".join(f"{number:05}," for number in range(1000))
    scanner = Scanner(needles_of([value]))

    assert list(scanner.find(value[:200].encode()))
    assert list(scanner.find(value[-200:].encode()))
    assert not list(scanner.find(value[200:-200].encode()))


def test_a_large_number_is_found_as_text_and_in_cbor() -> None:
    scanner = Scanner(needles_of([4_111_222_233_334_444, 12345]))

    assert list(scanner.find(b'{"card": 4111222233334444}'))
    assert list(scanner.find(b"\x1b" + (4_111_222_233_334_444).to_bytes(8, "big")))
    assert not list(scanner.find(b"12345"))


def test_what_is_a_part_of_a_fact_or_a_name_is_no_secret() -> None:
    event = {
        "event_id": "0197f0c2-7a11-7abc-8def-000000000001",
        "action": "door.opened",
        "actor": {"type": "employee", "id": "jane.doe"},
        "targets": [{"type": "door", "id": "cellar 7"}],
        "occurred_at": "2026-09-21T12:13:14.156Z",
        "outcome": {"result": "success"},
        "producer": {"instance": "gate-1", "epoch": 0, "sequence": 1},
        "details": {"word": ["employee", {"keeper": "jane.doe!"}], "x": "opened"},
        "reason": "gate-1",
    }

    values = secret_values([event])

    assert values == {"jane.doe", "cellar 7", "jane.doe!"}


def test_nothing_is_found_where_nothing_is() -> None:
    scanner = Scanner(needles_of([VALUE, "short", "sixsix"]))
    others = quote(VALUE).encode(), PLAIN[:-1], PLAIN[::-1], b"short", b"sixsi"

    assert [list(scanner.find(data)) for data in others] == [[]] * len(others)


def test_digits_within_a_digest_are_chance_and_alone_they_are_not() -> None:
    scanner = Scanner(needles_of(["784150", "secret"]))
    within = (b"7ca3dd5c5160d282f6ae784150132ff93d", b"A" * 30 + b"secret" + b"b" * 10)
    alone = b'{"n":784150,', b"id-784150-0197f0c2", b"/v1/logs/secret/" + b"a" * 9

    assert [list(scanner.find(data)) for data in within] == [[], []]
    assert all(list(scanner.find(data)) for data in alone)
