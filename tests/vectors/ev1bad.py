"""The `ev1` disclosures that have to be refused: each breaks one rule, and no other.

What a log could have sealed so is sealed so: the commitment comes out, and only the
rule itself refuses it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from tests.reference import dcbor, ev1
from tests.vectors.ev1events import Place, Sealed, add, base, fact, lie, other, put
from tests.vectors.ev1good import Case

Edit = Callable[[list[Any]], object]


def refused(desc: str, reason: str, sealed: Sealed, disclosure: bytes) -> Case:
    """A disclosure that proves nothing."""
    return {
        "kind": "disclosure",
        "desc": desc,
        "leaf": sealed.leaf.hex(),
        "disclosure": disclosure.hex(),
        "verdict": "refused",
        "reason": reason,
    }


def edited(desc: str, reason: str, edit: Edit, *, raw: bool = False) -> Case:
    """The example with five fields shown, and then changed."""
    sealed = base()
    names = ["action", "region", "actor", "request/ip", "after/role", "before/role"]
    groups = sealed.opened(sealed.places(*names), [1])
    edit(groups)
    return refused(desc, reason, sealed, dcbor.encode(groups))


def lied(
    desc: str,
    reason: str,
    sealed: Sealed,
    shown: Collection[Place],
    listed: Collection[int] = (),
) -> Case:
    """An event sealed by a log that lies, and some of it shown."""
    return refused(desc, reason, sealed, sealed.show(shown, listed))


def all_cases() -> dict[str, Case]:
    """All disclosures that are refused, by name."""
    return edits() | seconds() | places() | lists() | targets() | shapes()


def edits() -> dict[str, Case]:
    """A good disclosure, changed by whoever passes it on."""
    sealed, foreign = base(), other()
    at_role = sealed.place("after/role")
    cut = dcbor.encode([sealed.opened([at_role])[0], sealed.opened([at_role])[1]])

    def foreign_field(groups: list[Any]) -> None:
        groups[2][0][2] = foreign.opened([at_role])[2][0][2]

    def cases(*rows: tuple[str, str, Edit]) -> dict[str, Case]:
        return {name: edited(desc, "commitment", edit) for name, desc, edit in rows}

    return cases(
        ("edited-value", "another role", lambda g: _set(g[2][0][2], 2, "owner")),
        ("edited-salt", "one bit", lambda g: _flip(g[2][0][2], 0)),
        ("edited-name", "the same value", lambda g: _set(g[2][0][2], 1, "after/rank")),
        ("edited-digest", "of a hidden slot", lambda g: _flip(g[2][0], 1)),
        ("edited-group-digest", "of group 0", lambda g: _set(g, 0, bytes(32))),
        ("edited-decoy", "a decoy counts too", lambda g: _flip(g[1][0], 7)),
        ("swapped-slots", "two roles", lambda g: _swap(g[2][0], 2, 3)),
        ("swapped-values", "two roles", lambda g: _swap_values(g[2][0])),
        ("swapped-groups", "actor and target", lambda g: _swap(g, 1, 2)),
        ("dropped-group", "the last", lambda g: g.pop()),
        ("added-group", "a digest more", lambda g: g.append(bytes(32))),
        ("dropped-slots", "four of the facts", lambda g: _cut(g[0][0], 8)),
        ("added-slots", "four more", lambda g: g[0][0].extend([bytes(32)] * 4)),
        ("field-of-another-event", "its salt as well", foreign_field),
        ("integer-for-text", "17 is not '17'", lambda g: _set(g[0][0][3], 2, 17)),
    ) | {
        "wrong-leaf": refused(
            "the leaf of another event", "commitment", foreign, sealed.whole()
        ),
        "group-left-out": refused("two of three", "commitment", sealed, cut),
    }


def seconds() -> dict[str, Case]:
    """A log that has sealed two values for one name."""
    twice, elsewhere = add(1, "request/ip", "192.0.2.1"), add(2, "request/ip", "1")
    first, second = (1, 4), (1, 5)
    assert twice.groups[1][4][0] == "request/ip"
    return {
        "second-value-same-group": lied(
            "both are shown", "order", twice, [first, second]
        ),
        "second-value-other-group": lied(
            "both are shown", "second", elsewhere, [first, (2, 4)]
        ),
        "second-value-below-another": lied(
            "a value and a map at once",
            "second", _below(), [(1, 5), (1, 6)],
        ),
        "second-value-below-an-empty-map": lied(
            "in two groups", "second", _below_in_another_group(), [(1, 5), (2, 4)]
        ),
        "second-value-named-twice": lied(
            "one is shown, and the names, which have it twice",
            "names", twice, [second], [1],
        ),
        "second-value-under-another-name": _behind(
            "the names have another field in its slot", ["request/user_agent"]
        ),
        "second-value-as-decoy": _behind("the names end before its slot", []),
    }  # fmt: skip


def _below() -> Sealed:
    def change(groups: list[ev1.Group]) -> None:
        groups[1] += [("details/aa", 1), ("details/aa/b", 2)]

    return lie(change)


def _below_in_another_group() -> Sealed:
    def change(groups: list[ev1.Group]) -> None:
        groups[1].append(("details/aa", {}))
        groups[2].append(("details/aa/b", 2))

    return lie(change)


def _behind(desc: str, more: list[str]) -> Case:
    """Show the second of two values, and a list of names that does not have it."""
    listed = [name for name, _ in base().groups[1]] + more

    def change(groups: list[ev1.Group]) -> None:
        groups[1].append(("request/ip", "192.0.2.1"))

    sealed = lie(change, names={1: listed})
    groups = sealed.opened([(1, 5)], [1])
    groups[1][1] = listed
    return refused(desc, "names", sealed, dcbor.encode(groups))


def places() -> dict[str, Case]:
    """A log that has sealed names where they may not stand."""

    def one(desc: str, sealed: Sealed, at: Place, reason: str = "place") -> Case:
        return lied(desc, reason, sealed, [at])

    unsorted = lie(lambda groups: _swap(groups[1], 2, 4))
    return {
        "core-name-in-foreign-slot": one(
            "tenant in slot 3 of group 0", put(0, 3, "tenant", "t"), (0, 3)
        ),
        "core-name-in-foreign-group": one(
            "action among the free fields", put(1, 4, "action", "a.b"), (1, 4)
        ),
        "actor-in-a-target-group": one(
            "group 2 has a target", put(2, 0, "actor", ["user", "x"]), (2, 0)
        ),
        "target-in-the-actor-group": one(
            "group 1 has an actor", put(1, 0, "target", ["user", "x"]), (1, 0)
        ),
        "target-as-free-name": one(
            "in slot 4 of group 1", put(1, 4, "target", ["user", "x"]), (1, 4)
        ),
        "names-as-free-name": one(
            "in slot 4 of group 1", put(1, 4, "names", bytes(32)), (1, 4)
        ),
        "core-name-after-the-facts": one(
            "slot 11 of group 0 holds nothing", add(0, "tenant", "t"), (0, 11)
        ),
        "free-name-after-the-facts": one(
            "slot 11 of group 0 holds nothing", add(0, "details/a", 1), (0, 11)
        ),
        "empty-name-after-the-facts": one(
            "slot 11 of group 0 holds nothing", add(0, "", 1), (0, 11)
        ),
        "free-name-in-core-slot": one(
            "instead of the outcome", put(0, 4, "details/outcome", 1), (0, 4)
        ),
        "free-name-as-actor": one(
            "slot 0 of group 1", put(1, 0, "details/actor", 1), (1, 0)
        ),
        "free-name-in-names-slot": one(
            "slot 1 of group 2", put(2, 1, "details/names", 1), (2, 1)
        ),
        "free-name-of-no-root": one(
            "names begin with a known part", put(1, 4, "secret/ip", "x"), (1, 4)
        ),
        "root-that-only-begins-alike": one(
            "detail is not details", put(1, 4, "detail/ip", "x"), (1, 4)
        ),
        "free-name-of-five-parts": one(
            "four are the most", put(1, 4, "details/a/b/c/d", "x"), (1, 4)
        ),
        "free-name-with-no-escape": one(
            "after ~ stands 0 or 1", put(1, 4, "details/~2", "x"), (1, 4)
        ),
        "free-name-with-half-an-escape": one(
            "~ at the end", put(1, 4, "details/a~", "x"), (1, 4)
        ),
        "free-name-that-is-empty": one(
            "no name at all", put(1, 4, "", "x"), (1, 4)
        ),
        "unsorted-names": lied(
            "request/ip before reason", "order", unsorted, [(1, 2), (1, 4)]
        ),
        "sorted-by-text-not-encoding": lied(
            "a longer name sorts after a shorter one",
            "order",
            lie(
                lambda groups: groups[1].extend(
                    [("details/aaa", 1), ("details/b", 2)]
                )
            ),
            [(1, 5), (1, 6)],
        ),
    }  # fmt: skip


def lists() -> dict[str, Case]:
    """Lists of names that do not fit."""
    names1 = [name for name, _ in base().groups[1]]

    def listed(desc: str, names: list[str], reason: str = "names") -> Case:
        """The committed list of group 1 is `names`; the fields are the example's."""
        sealed = lie(lambda _: None, names={1: names})
        groups = sealed.opened([(1, 0)], [1])
        groups[1][1] = names
        return refused(desc, reason, sealed, dcbor.encode(groups))

    facts = add(0, "details/a", 1)
    return {
        "edited-names": edited(
            "the list is not the committed one", "names",
            lambda g: _set(g[1][1], 4, "request/id"),
        ),
        "swapped-names": edited(
            "their order is committed to", "names", lambda g: _swap(g[1][1], 2, 3)
        ),
        "names-without-their-digest": edited(
            "slot 1 is hidden", "names", _hide_names
        ),
        "names-of-nothing": edited(
            "an empty list", "names", lambda g: _set(g[1], 1, [])
        ),
        "names-one-too-few": listed("four for eight slots", names1[:4]),
        "names-nine-of-eight": listed(
            "nine for eight slots",
            [*names1, *[f"request/user_agent_{at}" for at in range(4)]],
        ),
        "names-unsorted": listed(
            "reason after request/ip",
            [*names1[:2], "request/ip", "targets/1", "reason"],
        ),
        "names-twice": listed("one name twice", [*names1, names1[-1]]),
        "names-without-actor": listed("a free name first", ["reason", *names1[1:]]),
        "names-with-a-core-name": listed(
            "tenant has one place", [*names1[:2], "tenant", *names1[3:]]
        ),
        "names-with-no-root": listed(
            "a name that no event has", [*names1[:2], "aaaaaa", *names1[3:]]
        ),
        "names-with-an-empty-twelfth-fact": lied(
            "group 0 has eleven fields", "names", add(0, "", 1), [(0, 3)], [0]
        ),
        "names-with-a-twelfth-fact": lied(
            "group 0 has eleven fields", "names", facts, [(0, 3)], [0]
        ),
    }  # fmt: skip


def targets() -> dict[str, Case]:
    """Ids of targets where nothing says that they belong."""
    own = ["user", "bob@example.com"]

    def told(desc: str, entries: list[list[object]], *shown: Place) -> Case:
        return lied(desc, "targets", fact("targets", entries), [(0, 8), *shown])

    def thing(name: str) -> Case:
        sealed = put(1, 4, name, "apollo")
        reason = "targets" if name in ("targets/0", "targets/2") else "place"
        return lied(f"named {name[:40]}", reason, sealed, [(0, 8), (1, 4)])

    return {
        "target-without-targets": lied("not announced", "targets", base(), [(2, 0)]),
        "thing-without-targets": lied("not announced", "targets", base(), [(1, 3)]),
        "thing-in-a-persons-group": lied(
            "ids of things stand in group 1",
            "targets", put(2, 2, "targets/1", "apollo"), [(0, 8), (2, 2)],
        ),
        "thing-that-is-a-person": thing("targets/0"),
        "thing-beyond-the-list": thing("targets/2"),
        "thing-with-leading-zero": thing("targets/01"),
        "thing-with-sign": thing("targets/+1"),
        "thing-with-arabic-digit": thing("targets/\u0661"),
        "thing-without-number": thing("targets/"),
        "thing-with-5000-digits": thing("targets/" + "1" * 5000),
        "targets-not-naming-a-group": told(
            "group 2 is nobody's", [["user", 1], ["project", 0]]
        ),
        "targets-naming-a-group-too-many": told(
            "there is no group 3", [["user", 2], ["user", 3]]
        ),
        "targets-naming-a-huge-group": told(
            "there is no such group", [["user", 2], ["user", 2**64 - 1]]
        ),
        "target-of-another-type": told(
            "the list says customer", [["customer", 2]], (2, 0)
        ),
        "actor-of-another-type": told(
            "the list says customer", [["user", 2], ["customer", 1]], (1, 0)
        ),
        "target-in-two-types": lied(
            "the second entry says patient",
            "targets",
            fact("targets", [[own[0], 2], ["patient", 2]]),
            [(0, 8), (2, 0)],
        ),
    }  # fmt: skip


def shapes() -> dict[str, Case]:
    """Core values that no event has."""
    values: dict[str, tuple[str, object]] = {
        "event-id-in-capitals": ("event_id", "01980F3A-5C2E-7D41-9B6A-0123456789AB"),
        "event-id-of-version-4": ("event_id", "01980f3a-5c2e-4d41-9b6a-0123456789ab"),
        "event-id-with-line-feed": (
            "event_id", "01980f3a-5c2e-7d41-9b6a-0123456789ab\n",
        ),
        "event-id-as-bytes": ("event_id", bytes(16)),
        "tenant-as-number": ("tenant", 7),
        "outcome-unknown": ("outcome", ["maybe", None]),
        "outcome-of-three": ("outcome", ["success", None, None]),
        "outcome-in-a-list": ("outcome", [["success"], None]),
        "outcome-as-text": ("outcome", "success"),
        "time-as-text": ("occurred_at", "2026-11-23T12:00:00.000Z"),
        "time-negative": ("occurred_at", -1),
        "time-true": ("occurred_at", True),
        "time-after-9999": ("occurred_at", 253402300800000),
        "schema-without-version": ("schema", ["user.role"]),
        "schema-version-true": ("schema", ["user.role", True]),
        "producer-of-three": ("producer", ["iam", "iam-1", 17]),
        "targets-as-map": ("targets", {"user": 2}),
        "targets-of-eleven": ("targets", [["user", 2]] * 11),
        "targets-negative": ("targets", [["user", -1]]),
        "targets-without-group": ("targets", [["user"]]),
        "targets-group-true": ("targets", [["user", True]]),
        "region-as-list": ("region", ["eu"]),
        "corrects-as-text": ("corrects", "the last one"),
    }  # fmt: skip
    for field in ("event_id", "tenant", "action", "outcome", "producer", "targets"):
        values[f"{field.replace('_', '-')}-null"] = (field, None)
    for field in ("event_id", "outcome", "schema", "producer", "targets", "corrects"):
        values[f"{field.replace('_', '-')}-number"] = (field, 7)
    made = {}
    for name, (field, value) in values.items():
        sealed = fact(field, value)
        made[name] = lied("sealed so", "shape", sealed, [sealed.place(field)])
    return made | {
        "names-digest-of-31-bytes": lied(
            "sealed so",
            "shape",
            lie(lambda g: _set(g[2], 1, ("names", bytes(31))), honest_names=True),
            [(2, 1)],
        ),
        "actor-of-three": lied(
            "sealed so", "shape", put(1, 0, "actor", ["user", "a", "b"]), [(1, 0)]
        ),
        "actor-null": lied("sealed so", "shape", put(1, 0, "actor", None), [(1, 0)]),
        "names-digest-null": lied(
            "sealed so",
            "shape",
            lie(lambda g: _set(g[2], 1, ("names", None)), honest_names=True),
            [(2, 1)],
        ),
        "actor-as-text": lied("sealed so", "shape", put(1, 0, "actor", "a"), [(1, 0)]),
        "target-with-null": lied(
            "sealed so", "shape", put(2, 0, "target", ["user", None]), [(0, 8), (2, 0)]
        ),
        "thing-as-number": lied(
            "sealed so", "shape", put(1, 3, "targets/1", 7), [(0, 8), (1, 3)]
        ),
    }


def _set(items: list[Any], at: int, value: object) -> None:
    items[at] = value


def _cut(items: list[Any], at: int) -> None:
    del items[at:]


def _swap(items: list[Any], one: int, two: int) -> None:
    items[one], items[two] = items[two], items[one]


def _swap_values(slots: list[Any]) -> None:
    slots[2][2], slots[3][2] = slots[3][2], slots[2][2]


def _flip(items: list[Any], at: int) -> None:
    items[at] = bytes([items[at][0] ^ 1]) + items[at][1:]


def _hide_names(groups: list[Any]) -> None:
    salt, name, value = groups[1][0][1]
    groups[1][0][1] = ev1.field_digest(salt, name, value)
