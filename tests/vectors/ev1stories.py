"""The `ev1` disclosures that would tell two stories: refused, in every implementation.

A map beside what it would have been split into; names and ids that are read alike and
are not; values that no event has.  Each is sealed so, and breaks one rule.
"""

from __future__ import annotations

from tests.reference import dcbor, ev1
from tests.vectors.ev1bad import lied, refused
from tests.vectors.ev1events import Sealed, base, lie, put
from tests.vectors.ev1good import Case

WIDE = "\U0001f600" * 129
"""One character too many for a part of a name."""


def all_cases() -> dict[str, Case]:
    """All of them, by name."""
    return within() | apart() | names() | lists() | ids() | values()


def within() -> dict[str, Case]:
    """A map, and what it would have been split into: two stories of one field."""
    made = {}
    for above, inner, below, value in (
        ("details", {"amount": "1"}, "details/amount", "1000000"),
        ("after/user", {"role": "viewer"}, "after/user/role", "admin"),
    ):
        both, alone = added({above: inner, below: value}), added({above: inner})
        name = above.replace("/", "-")
        made[f"two-stories-of-{name}-split"] = lied(
            "the names list the map as well",
            "second",
            both,
            [both.place(below)],
            [1, 2],
        )
        made[f"two-stories-of-{name}-whole"] = lied(
            "a map that every event splits", "shape", alone, [alone.place(above)]
        )
    return made  # fmt: skip


def apart() -> dict[str, Case]:
    """A value, and another below it, of which at most one is shown."""
    two_groups = added({"details": 1}, {"details/amount": 2})
    listed = added({"details": [1], "details/amount": 2})
    shown = two_groups.place("details")
    return {
        "two-stories-in-two-groups": lied(
            "each is in the list of its group", "second", two_groups, [shown], [1, 2]
        ),
        "two-stories-listed-and-shown": lied(
            "one is listed, the other shown without a list",
            "second", two_groups, [two_groups.place("details/amount")], [1],
        ),
        "two-stories-above-the-one-shown": lied(
            "the list has the value above it",
            "second", listed, [listed.place("details/amount")], [1],
        ),
        "two-stories-none-shown": lied(
            "the names alone", "second", listed, [(1, 0)], [1]
        ),
    }  # fmt: skip


def names() -> dict[str, Case]:
    """Names that no event has, though their root is known."""
    wrong = {
        "with-an-empty-part": ("details/", "details/"),
        "with-a-part-of-129": ("128 characters are the most", f"details/{WIDE}"),
        "not-nfc": ("an accent of its own", "details/e\u0301"),
        "with-line-feed": ("it begins a line", "details/a\nactor"),
        "with-c1-control": ("next line", "details/a\u0085"),
        "with-zero-width": ("nobody sees it", "details/amount\u200b"),
        "with-soft-hyphen": ("nobody sees it", "details/amount\u00ad"),
        "with-bidi-override": ("it is read backwards", "details/\u202etnuoma"),
        "with-a-tag-character": ("nobody sees it", "details/a\U000e0041"),
        "with-format-of-unicode-15": ("which is fixed", "details/\U00013439"),
        "with-escape-and-zero-width": ("in a part", "details/a~1b\ufeff/c"),
    }
    return {
        f"free-name-{name}": lied(desc, "place", put(1, 4, text, "x"), [(1, 4)])
        for name, (desc, text) in wrong.items()
    }


def lists() -> dict[str, Case]:
    """Lists with names that no event has."""
    wrong = {
        "not-nfc": "details/e\u0301",
        "with-zero-width": "details/amount\u200b",
        "with-an-empty-part": "details/a/",
        "with-a-thing-of-two-digits": "targets/01",
    }
    made = {}
    for name, text in wrong.items():
        listed = [*[one for one, _ in base().groups[1]][:4], text]
        sealed = lie(lambda _: None, names={1: listed})
        groups = sealed.opened([(1, 0)], [1])
        groups[1][1] = listed
        made[f"names-{name}"] = refused(
            "the last of the list", "names", sealed, dcbor.encode(groups)
        )
    return made


def ids() -> dict[str, Case]:
    """Ids that no event has."""
    wrong = {
        "empty": "",
        "of-257": "x" * 257,
        "not-nfc": "e\u0301",
        "with-line-feed": "a\nb",
        "with-zero-width": "alice\u200b",
        "with-bidi-override": "\u202eecila",
    }
    made = {}
    for name, text in wrong.items():
        places = {
            "actor": (put(1, 0, "actor", ["user", text]), [(1, 0)]),
            "target": (put(2, 0, "target", ["user", text]), [(0, 8), (2, 0)]),
            "thing": (put(1, 3, "targets/1", text), [(0, 8), (1, 3)]),
        }
        for who, (sealed, shown) in places.items():
            made[f"{who}-id-{name}"] = lied("sealed so", "shape", sealed, shown)
    return made


def values() -> dict[str, Case]:
    """Values of free fields that no event has."""
    deep: object = 1
    for _ in range(12):
        deep = [deep]
    wrong: dict[str, tuple[str, object]] = {
        "bytes": ("details/a", b"x"),
        "bytes-within": ("details/a", [b"x"]),
        "integer-below-64-bits": ("details/a", -(2**63) - 1),
        "integer-least-of-cbor": ("details/a", -(2**64)),
        "integer-within": ("details/a/b/c", {"d": [-(2**63) - 1]}),
        "of-twelve-levels": ("details/a", deep),
        "map-of-one-part": ("details", {"a": 1}),
        "map-of-two-parts": ("details/a", {"b": 1}),
        "map-of-three-parts": ("details/a/b", {"c": 1}),
        "map-with-zero-width": ("details/a/b/c", {"d\u200b": 1}),
        "map-not-nfc": ("details/a/b/c", {"e\u0301": 1}),
        "map-with-empty-name": ("details/a", [{"": 1}]),
        "map-with-line-feed": ("details/a", [{"a\n": 1}]),
        "map-with-a-name-of-129": ("details/a", [{WIDE: 1}]),
    }
    return {
        f"free-value-{name}": lied("sealed so", "shape", put(1, 4, at, value), [(1, 4)])
        for name, (at, value) in wrong.items()
    }


def added(*more: dict[str, object]) -> Sealed:
    """Seal the example with free fields added to groups 1, 2, in their order."""

    def change(groups: list[ev1.Group]) -> None:
        for group, fields in zip(groups[1:], more, strict=False):
            free = [*group[2:], *fields.items()]
            group[2:] = sorted(free, key=lambda field: dcbor.encode(field[0]))

    return lie(change)
