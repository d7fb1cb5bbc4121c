"""Chosen fields are shown, the rest is hidden, and no second story can be told."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick_merkle.disclosure import (
    MAX_DISCLOSURE,
    Disclosed,
    Disclosure,
    ShownGroup,
    check_disclosure,
    disclose,
    format_disclosure,
    parse_disclosure,
)
from tallystick_merkle.errors import KernelError, MalformedError, ProofError
from tallystick_merkle.leaf import EventLeaf, parse_leaf
from tallystick_merkle.sealing import OpenedGroup
from tests.reference import dcbor, ev1
from tests.reference import ev1_disclosure as reference
from tests.reference.ev1_layout import groups_of
from tests.unit.merkle.events import PLACED, TENANT, Json, json_events
from tests.unit.merkle.hostile import check_parser, hostile
from tests.vectors.ev1events import Sealed, add, base, lie, other, seal
from tests.vectors.ev1stories import added

BASE = base()


def opened(sealed: Sealed) -> list[OpenedGroup | bytes]:
    """The groups of an event in the clear, as if its record had been opened."""
    return [
        OpenedGroup(
            seed,
            tuple(name for name, _ in group),
            tuple(value for _, value in group),
            tuple(dcbor.encode([name, value]) for name, value in group),
        )
        for group, seed in zip(sealed.groups, sealed.seeds, strict=True)
    ]


def digests(sealed: Sealed) -> list[bytes]:
    """The digests of the groups of an event."""
    return [
        ev1.group_digest(ev1.slot_digests(group, seed, number))
        for number, (group, seed) in enumerate(
            zip(sealed.groups, sealed.seeds, strict=True)
        )
    ]


def leaf_of(sealed: Sealed) -> EventLeaf:
    return parse_leaf(sealed.leaf)


def shown(sealed: Sealed, *wanted: str, show_names: bool = True) -> Disclosed:
    """Disclose, and check what comes out."""
    made = disclose(opened(sealed), wanted, show_names=show_names)
    assert parse_disclosure(format_disclosure(made)) == made
    return check_disclosure(made, leaf_of(sealed))


@given(json_events(), PLACED, st.data())
def test_what_is_shown_is_what_the_reference_finds(
    event: Json, places: dict[str, int], data: st.DataObject
) -> None:
    sealed = seal(event, places=places)
    names = sorted({name for group in sealed.groups for name, _ in group} - {"names"})
    wanted = data.draw(st.sets(st.sampled_from(names), max_size=5))
    show_names = data.draw(st.booleans())
    if "target" in wanted:
        wanted.add("targets")

    made = disclose(opened(sealed), wanted, show_names=show_names)

    encoded = format_disclosure(made)
    disclosed = check_disclosure(made, leaf_of(sealed))
    found = reference.check(encoded, sealed.leaf)
    assert disclosed.groups == tuple(
        {one.name: one.value for one in found if one.group == number} or None
        for number in range(len(sealed.groups))
    )
    assert disclosed.is_single == reference.is_single(encoded)
    assert wanted <= {one.name for one in found}


@given(json_events(), PLACED, st.data())
def test_any_disclosure_of_the_reference_is_read(
    event: Json, places: dict[str, int], data: st.DataObject
) -> None:
    groups = groups_of(event, tenant=TENANT, places=places)
    sealed = seal(event, places=places)
    every = [
        (at, slot) for at, group in enumerate(groups) for slot in range(len(group))
    ]
    numbers = st.sampled_from(range(len(groups)))
    fields = data.draw(st.sets(st.sampled_from(every)))
    encoded = sealed.show(fields, data.draw(st.sets(numbers)))

    try:
        reference.check(encoded, sealed.leaf)
    except reference.RefusedError:
        with pytest.raises(ProofError):
            check_disclosure(parse_disclosure(encoded), leaf_of(sealed))
        return
    disclosed = check_disclosure(parse_disclosure(encoded), leaf_of(sealed))
    assert {name for group in disclosed.groups for name in group or {}} >= {
        groups[at][slot][0] for at, slot in fields
    }


@given(hostile(BASE.whole(), BASE.show([(0, 3)]), BASE.show([(2, 0), (0, 8)], [2])))
def test_any_disclosure_is_refused_or_the_one_spelling(data: bytes) -> None:
    check_parser(data, parse_disclosure, format_disclosure)
    try:
        check_disclosure(parse_disclosure(data), leaf_of(BASE))
    except KernelError:
        return
    reference.check(data, BASE.leaf)


@given(st.data())
def test_no_edited_field_is_taken(data: st.DataObject) -> None:
    groups = dcbor.decode(BASE.whole())
    group = data.draw(st.sampled_from(groups))
    slot = data.draw(
        st.sampled_from([one for one in group[0] if isinstance(one, list)])
    )
    place = data.draw(st.integers(0, 2))
    old, slot[place] = slot[place], data.draw(
        st.binary(min_size=16, max_size=16) if place == 0
        else st.text(max_size=9) if place == 1
        else st.integers(0, 9) | st.text(max_size=9) | st.none()
    )  # fmt: skip
    if dcbor.encode(slot[place]) == dcbor.encode(old):
        return

    with pytest.raises(ProofError, match="not of this leaf"):
        check_disclosure(parse_disclosure(dcbor.encode(groups)), leaf_of(BASE))


def test_three_fields_are_shown_and_the_rest_is_hidden() -> None:
    disclosed = shown(BASE, "action", "actor", "after/role")

    assert disclosed.fields == {
        "action": "user.role.updated",
        "actor": ["user", "alice@example.com"],
        "after/role": "admin",
    }
    assert (disclosed.hidden, disclosed.is_single) == (19, True)


def test_hidden_values_are_not_in_the_bytes() -> None:
    data = format_disclosure(disclose(opened(BASE), ["action", "after/role"]))

    for secret in (
        b"alice",
        b"bob",
        b"203.0.113.9",
        b"viewer",
        b"apollo",
        b"promotion",
    ):
        assert secret not in data


def test_a_name_shows_all_below_it() -> None:
    event = BASE.origin["event"] | {"details": {"a": 1, "b": {"c": 2}}, "roles": ["x"]}

    disclosed = shown(seal(event), "details")

    assert disclosed.fields == {"details/a": 1, "details/b/c": 2}


def test_targets_shows_the_ids_of_all_targets() -> None:
    disclosed = shown(BASE, "targets")

    assert disclosed.fields == {
        "targets": [["user", 2], ["project", 0]],
        "targets/1": "apollo",
        "target:2": ["user", "bob@example.com"],
    }


@pytest.mark.parametrize("wanted", ["targets/1", "target"])
def test_the_id_of_a_target_brings_the_list_of_targets(wanted: str) -> None:
    assert "targets" in shown(BASE, wanted).fields
    assert "targets" in shown(BASE, wanted, "action").fields


def test_nothing_can_be_shown_at_all() -> None:
    disclosed = shown(BASE)

    assert (disclosed.fields, disclosed.hidden, disclosed.is_single) == ({}, 0, False)


@pytest.mark.parametrize("name", ["details", "after/rank", "names", "", "/", "acto"])
def test_a_field_that_is_not_there_cannot_be_shown(name: str) -> None:
    with pytest.raises(ProofError, match="no field to show"):
        disclose(opened(BASE), ["action", name])


def test_a_group_that_was_erased_still_counts() -> None:
    groups = opened(BASE)
    groups[1] = digests(BASE)[1]

    made = disclose(groups, ["after/role"])

    disclosed = check_disclosure(made, leaf_of(BASE))
    assert disclosed.fields == {"after/role": "admin"}
    assert not disclosed.is_single
    with pytest.raises(ProofError, match="request/ip"):
        disclose(groups, ["request/ip"])


def test_names_can_stay_hidden() -> None:
    made = disclose(opened(BASE), ["after/role"], show_names=False)

    assert not check_disclosure(made, leaf_of(BASE)).is_single
    assert b"before/role" not in format_disclosure(made)


def test_with_the_names_of_all_groups_what_is_shown_of_one_person_is_single() -> None:
    usual = check_disclosure(disclose(opened(BASE), ["after/role"]), leaf_of(BASE))

    made = disclose(opened(BASE), ["after/role"], all_names=True)

    disclosed = check_disclosure(made, leaf_of(BASE))
    assert (usual.is_single, disclosed.is_single) == (False, True)
    assert disclosed.fields == usual.fields
    assert b"request/ip" in format_disclosure(made)
    assert b"203.0.113.9" not in format_disclosure(made)


def test_the_names_of_a_group_that_was_erased_are_not_among_all() -> None:
    groups = opened(BASE)
    groups[1] = digests(BASE)[1]

    made = disclose(groups, ["after/role"], all_names=True)

    assert made[1] == groups[1]
    assert not check_disclosure(made, leaf_of(BASE)).is_single


def test_a_disclosure_of_another_leaf_is_refused() -> None:
    made = disclose(opened(BASE), ["action"])

    with pytest.raises(ProofError, match="not of this leaf"):
        check_disclosure(made, leaf_of(other()))


def test_the_time_is_that_of_the_leaf() -> None:
    leaf = leaf_of(BASE)

    assert shown(BASE, "action").time_ms == leaf.time_ms


TWICE = add(1, "request/ip", "192.0.2.1")
FIRST, SECOND = (1, 4), (1, 5)


def read(sealed: Sealed, encoded: bytes) -> Disclosed:
    return check_disclosure(parse_disclosure(encoded), leaf_of(sealed))


def test_two_parties_can_be_shown_two_values_as_long_as_names_stay_hidden() -> None:
    one, two = read(TWICE, TWICE.show([FIRST])), read(TWICE, TWICE.show([SECOND]))

    assert one.fields == {"request/ip": "203.0.113.9"}
    assert two.fields == {"request/ip": "192.0.2.1"}
    assert not one.is_single
    assert not two.is_single


@pytest.mark.parametrize("place", [FIRST, SECOND], ids=["first", "second"])
def test_with_names_that_are_listed_twice_neither_value_is_taken(
    place: tuple[int, int],
) -> None:
    with pytest.raises(ProofError, match="does not ascend"):
        read(TWICE, TWICE.show([place], [1]))


def test_with_names_that_are_listed_once_the_second_value_is_refused() -> None:
    honest = [name for name, _ in BASE.groups[1]]
    sealed = lie(
        lambda groups: groups[1].append(("request/ip", "192.0.2.1")), names={1: honest}
    )

    def told(place: tuple[int, int]) -> bytes:
        groups = sealed.opened([place], [1])
        groups[1][1] = honest
        return dcbor.encode(groups)

    assert read(sealed, told(FIRST)).fields == {"request/ip": "203.0.113.9"}
    with pytest.raises(ProofError, match="not at its place"):
        read(sealed, told(SECOND))


def test_two_lists_of_names_cannot_both_be_the_committed_one() -> None:
    honest = [name for name, _ in BASE.groups[1]]
    sealed = lie(
        lambda groups: groups[1].append(("request/ip", "192.0.2.1")), names={1: honest}
    )
    groups = sealed.opened([SECOND], [1])
    groups[1][1] = [*honest[:4], "request/id", "request/ip"]

    with pytest.raises(ProofError, match="not the committed ones"):
        read(sealed, dcbor.encode(groups))


def test_a_value_in_each_of_two_groups_is_not_single() -> None:
    sealed = add(1, "before/role", "owner")

    one = read(sealed, sealed.show([(1, 5)], [1]))
    both = read(sealed, sealed.show([(1, 5)], [1, 2]))

    assert not one.is_single
    assert not both.is_single
    with pytest.raises(ProofError, match="a second value"):
        read(sealed, sealed.show([(1, 5), (2, 3)], [1, 2]))


@pytest.mark.parametrize("place", ["details", "details/amount"])
def test_a_map_beside_what_it_is_split_into_is_refused_whichever_is_shown(
    place: str,
) -> None:
    sealed = added({"details": {"amount": "1"}, "details/amount": "1000000"})

    with pytest.raises(ProofError, match="a second value, below 'details'"):
        read(sealed, sealed.show([sealed.place(place)], [1, 2]))


def test_a_map_that_events_split_is_refused_though_names_stay_hidden() -> None:
    sealed = added({"after/user": {"role": "viewer"}, "after/user/role": "admin"})

    with pytest.raises(ProofError, match="'after/user' has a value out of shape"):
        read(sealed, sealed.show([sealed.place("after/user")]))


def test_the_longest_names_and_values_fit_a_disclosure() -> None:
    wide = "\U0001f600"
    event = BASE.origin["event"] | {
        root: {f"{wide * 127}{at}": {wide * 128: {wide * 128: 1}} for at in range(10)}
        for root in ("before", "after", "details")
    }

    made = disclose(opened(seal(event)), ["before", "after", "details", "targets"])

    data = format_disclosure(made)
    assert 93_000 < len(data) < MAX_DISCLOSURE
    assert parse_disclosure(data) == made


def test_a_disclosure_of_absurd_length_is_refused() -> None:
    with pytest.raises(MalformedError, match="longer than"):
        parse_disclosure(bytes(MAX_DISCLOSURE + 1))


def change(made: Disclosure, number: int, **parts: Any) -> Disclosure:  # noqa: ANN401 -- parts of a group
    groups = list(made)
    group = groups[number]
    assert isinstance(group, ShownGroup)
    groups[number] = replace(group, **parts)
    return tuple(groups)


def test_names_that_were_not_committed_are_refused() -> None:
    made = disclose(opened(BASE), ["after/role"])

    for names in ((), ("target", "names"), ("target", "names", "after/role", "roles")):
        with pytest.raises(ProofError, match="not the committed ones"):
            check_disclosure(change(made, 2, names=names), leaf_of(BASE))


@pytest.mark.parametrize("wanted", ["targets", "target", "targets/1"])
def test_no_target_is_shown_where_the_facts_cannot_be_read(wanted: str) -> None:
    groups: list[OpenedGroup | bytes] = [digests(BASE)[0], *opened(BASE)[1:]]

    with pytest.raises(ProofError, match="targets cannot be read"):
        disclose(groups, [wanted])

    made = disclose(groups, ["actor"])
    assert set(check_disclosure(made, leaf_of(BASE)).fields) == {"actor"}
