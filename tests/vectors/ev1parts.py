"""The `ev1` vectors of the parts: bytes that are no disclosure, leaves, index entries.

What can be sealed is sealed; what no encoder of ours writes is spelt by hand.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from hashlib import sha256
from typing import Any

from tests.reference import dcbor, ev1
from tests.vectors.ev1bad import refused
from tests.vectors.ev1events import TIME_MS, base
from tests.vectors.ev1good import Case

C, X = sha256(b"C").digest(), sha256(b"X").digest()


def malformed() -> dict[str, Case]:
    """Bytes that no disclosure looks like."""
    sealed = base()
    at = sealed.place("after/role")
    good = sealed.show([at], [2])

    def spelt(old: bytes, new: bytes) -> bytes:
        assert good.count(old) == 1
        return good.replace(old, new)

    def shaped(edit: Callable[[list[Any]], object]) -> bytes:
        groups = sealed.opened([at], [2])
        edit(groups)
        return dcbor.encode(groups)

    def slot(value: object) -> bytes:
        return shaped(lambda groups: _set(groups[2][0], 2, value))

    salt, digest = bytes(16), bytes(32)
    role = b"\x65admin"
    rows: dict[str, tuple[str, bytes]] = {
        "empty": ("no bytes", b""),
        "trailing-byte": ("one byte more", good + b"\x00"),
        "trailing-value": ("twice", good + good),
        "cut-short": ("one byte less", good[:-1]),
        "length-in-two-bytes": ("admin", spelt(role, b"\x78\x05admin")),
        "array-in-two-bytes": ("three groups", b"\x98\x03" + good[1:]),
        "indefinite-array": ("three groups", b"\x9f" + good[1:] + b"\xff"),
        "indefinite-text": ("admin", spelt(role, b"\x7f\x65admin\xff")),
        "integer-in-two-bytes": ("17", spelt(role, b"\x18\x11")),
        "text-not-utf8": ("a lone 0xff", spelt(role, b"\x65\xffdmin")),
        "text-overlong": ("a slash in two bytes", spelt(role, b"\x62\xc0\xaf")),
        "text-surrogate": ("half of a pair", spelt(role, b"\x63\xed\xa0\x80")),
        "float": ("1.0 in half precision", spelt(role, b"\xf9\x3c\x00")),
        "double": ("1.5", spelt(role, b"\xfb\x3f\xf8" + bytes(6))),
        "tag": ("a date", spelt(role, b"\xc0\x65admin")),
        "bignum": ("2^64", spelt(role, b"\xc2\x49\x01" + bytes(8))),
        "undefined": ("not null", spelt(role, b"\xf7")),
        "simple-value": ("false in two bytes", spelt(role, b"\xf8\x14")),
        "map-unsorted": ("b before a", spelt(role, b"\xa2\x61b\x00\x61a\x00")),
        "map-key-twice": ("a and a", spelt(role, b"\xa2\x61a\x00\x61a\x01")),
        "map-key-integer": ("0", spelt(role, b"\xa1\x00\x00")),
        "map-sorted-as-text": ("aa before b", spelt(role, b"\xa2\x62aa\x00\x61b\x00")),
        "huge-length": ("of a text", spelt(role, b"\x7b" + b"\xff" * 8)),
        "huge-array": ("of groups", b"\x9b" + b"\xff" * 8 + good[1:]),
        "nested-too-deep": ("seventeen levels", spelt(role, b"\x81" * 13 + b"\x00")),
        "not-an-array": ("a map", dcbor.encode({"a": 1, "b": 2, "c": 3})),
        "a-number": ("three", b"\x03"),
        "a-text": ("three letters", dcbor.encode("abc")),
        "a-byte-string": ("a digest", dcbor.encode(digest)),
        "group-a-number": ("no digest", shaped(lambda g: _set(g, 0, 32))),
        "group-a-map": ("of two", shaped(lambda g: _set(g, 0, {"a": 1, "b": 2}))),
        "slot-a-number": ("no digest", slot(32)),
        "slot-a-text": ("of three letters", slot("abc")),
        "slots-a-number": ("four", shaped(lambda g: _set(g[2], 0, 4))),
        "no-groups": ("an empty array", b"\x80"),
        "one-group": ("the actor's is missing", shaped(lambda g: _cut(g, 1))),
        "thirteen-groups": ("twelve are the most", dcbor.encode([digest] * 13)),
        "group-digest-truncated": ("31", shaped(lambda g: _set(g, 0, bytes(31)))),
        "group-digest-too-long": ("33", shaped(lambda g: _set(g, 0, bytes(33)))),
        "group-null": ("no digest", shaped(lambda g: _set(g, 0, None))),
        "group-of-three": ("one item more", shaped(lambda g: g[2].append(None))),
        "group-without-names": ("not even null", shaped(lambda g: g[2].pop())),
        "slots-not-by-fours": ("three", shaped(lambda g: g[2][0].pop())),
        "no-slots": ("an empty array", shaped(lambda g: g[2][0].clear())),
        "slots-as-map": ("a map", shaped(lambda g: _set(g[2], 0, {}))),
        "too-many-slots": ("84", shaped(lambda g: g[2][0].extend([digest] * 80))),
        "slot-digest-truncated": ("31 bytes", slot(bytes(31))),
        "slot-digest-too-long": ("33 bytes", slot(bytes(33))),
        "slot-null": ("no digest", slot(None)),
        "slot-of-two": ("no value", slot([salt, "after/role"])),
        "slot-of-four": ("one item more", slot([salt, "after/role", 1, 2])),
        "salt-of-15-bytes": ("", slot([bytes(15), "after/role", 1])),
        "salt-of-17-bytes": ("", slot([bytes(17), "after/role", 1])),
        "salt-as-text": ("", slot(["s" * 16, "after/role", 1])),
        "name-as-bytes": ("", slot([salt, b"after/role", 1])),
        "name-null": ("", slot([salt, None, 1])),
        "names-as-text": ("", shaped(lambda g: _set(g[2], 1, "target"))),
        "names-with-bytes": ("", shaped(lambda g: _set(g[2][1], 0, b"target"))),
        "names-false": ("", shaped(lambda g: _set(g[2], 1, False))),
    }
    return {
        name: refused(desc or name.replace("-", " "), "malformed", sealed, data)
        for name, (desc, data) in rows.items()
    }


def leaves() -> dict[str, Case]:
    """Leaves of events, and what is none."""
    good = ev1.leaf(TIME_MS, C, X)
    time = dcbor.encode(TIME_MS)
    body = dcbor.encode([C, X])[1:]
    wrong: dict[str, tuple[str, bytes]] = {
        "leaf-of-79-bytes": ("cut", good[:-1]),
        "leaf-of-81-bytes": ("one byte more", good + b"\x00"),
        "leaf-empty": ("no bytes", b""),
        "leaf-of-version-2": ("the first byte", b"\x02" + good[1:]),
        "leaf-of-type-1": ("an index leaf", good[:2] + b"\x01" + good[3:]),
        "leaf-with-short-time": (
            "2^32 - 1 in nine bytes",
            b"\x01\x84\x00\x1b" + (2**32 - 1).to_bytes(8, "big") + body,
        ),
        "leaf-with-time-in-five-bytes": (
            "1970", b"\x01\x84\x00\x1a" + bytes([1] * 4) + body,
        ),
        "leaf-with-time-beyond": ("2^53", ev1.leaf(2**53, C, X)),
        "leaf-with-negative-time": (
            "major type 1", b"\x01\x84\x00\x3b" + time[1:] + body,
        ),
        "leaf-of-three": ("X is missing", b"\x01\x83\x00" + time + body[:34]),
        "leaf-with-text": ("C as text", good[:12] + b"\x78" + good[13:]),
        "leaf-with-31-bytes": (
            "C is short, X is long",
            b"\x01\x84\x00" + time + b"\x58\x1f" + C[:31] + b"\x58\x21" + X + b"\x00",
        ),
    }  # fmt: skip
    made = {
        name: _part("leaf", desc, data, "malformed")
        for name, (desc, data) in wrong.items()
    }
    for name, time_ms in (("", TIME_MS), ("-least", 2**32), ("-latest", 2**53 - 1)):
        made[f"leaf{name}"] = {
            **_part("leaf", "80 bytes", ev1.leaf(time_ms, C, X), None),
            "time_ms": time_ms,
            "commitment": C.hex(),
            "index_digest": X.hex(),
        }
    return made


def index_entries() -> dict[str, Case]:
    """Index entries, and what is none."""
    tags = sorted(sha256(bytes([at])).digest()[:16] for at in range(17))
    blind = ev1.blind(bytes(16))
    wrong: dict[str, tuple[str, object]] = {
        "tags-none": ("one is the least", [0, [], blind]),
        "tags-seventeen": ("sixteen are the most", [0, tags, blind]),
        "tags-unsorted": ("two swapped", [0, [tags[1], tags[0]], blind]),
        "tags-twice": ("strictly ascending", [0, [tags[0], tags[0]], blind]),
        "tag-of-15-bytes": ("", [0, [bytes(15)], blind]),
        "tag-of-17-bytes": ("", [0, [bytes(17)], blind]),
        "tag-as-text": ("", [0, ["t" * 16], blind]),
        "epoch-negative": ("", [-1, tags[:1], blind]),
        "epoch-of-33-bits": ("", [2**32, tags[:1], blind]),
        "epoch-false": ("", [False, tags[:1], blind]),
        "blind-missing": ("", [0, tags[:1]]),
        "blind-null": ("", [0, tags[:1], None]),
        "blind-as-text": ("", [0, tags[:1], "b" * 16]),
        "blind-of-15-bytes": ("", [0, tags[:1], bytes(15)]),
        "blind-of-32-bytes": ("", [0, tags[:1], bytes(32)]),
        "entry-of-four": ("", [0, tags[:1], blind, None]),
        "entry-as-map": ("", {"epoch": 0}),
        "entry-without-list": ("", [0, tags[0], blind]),
    }
    made = {
        f"index-{name}": _part(
            "index-entry",
            desc or name.replace("-", " "),
            dcbor.encode(value),
            "malformed",
        )
        for name, (desc, value) in wrong.items()
    }
    good = ev1.index_entry(0, tags[:2], blind)
    spelt = {
        "index-entry-trailing-byte": good + b"\x00",
        "index-entry-epoch-in-two-bytes": b"\x83\x18\x00" + good[2:],
        "index-entry-cut-short": good[:-1],
        "index-entry-empty": b"",
    }
    for name, data in spelt.items():
        made[name] = _part("index-entry", "another spelling", data, "malformed")
    for count, epoch in ((1, 0), (4, 7), (16, 2**32 - 1)):
        seed = sha256(b"%d" % count).digest()[:16]
        entry = ev1.index_entry(epoch, tags[:count], ev1.blind(seed))
        made[f"index-entry-of-{count}"] = {
            **_part("index-entry", f"{count} tags", entry, None),
            "epoch": epoch,
            "tags": [tag.hex() for tag in tags[:count]],
            "seed": seed.hex(),
            "blind": ev1.blind(seed).hex(),
            "digest": ev1.index_digest(entry).hex(),
        }
    return made


def tags() -> dict[str, Case]:
    """Tags: personal dimensions go through the secret of the epoch."""
    secret, made = sha256(b"secret").digest(), {}
    for dimension, name in enumerate(
        ("actor", "target", "action", "producer", "field"), start=1
    ):
        for epoch in (0, 7):
            key = hmac.digest(secret, bytes([0x2A, dimension]), "sha256")
            number = epoch.to_bytes(4, "big")
            if name in ("actor", "target"):
                key = hmac.digest(key, b"\x29" + number, "sha256")
            tag = hmac.digest(key, b"\x26" + number, "sha256")[:16]
            made[f"tag-{name}-epoch-{epoch}"] = {
                "kind": "tag",
                "desc": f"dimension {dimension}",
                "secret": secret.hex(),
                "dimension": dimension,
                "epoch": epoch,
                "tag": tag.hex(),
                "verdict": "accepted",
            }
    return made


def _part(kind: str, desc: str, data: bytes, reason: str | None) -> Case:
    verdict = {"verdict": "accepted"} if reason is None else {
        "verdict": "refused", "reason": reason,
    }  # fmt: skip
    return {"kind": kind, "desc": desc, "data": data.hex(), **verdict}


def _set(items: list[Any], at: int, value: object) -> None:
    items[at] = value


def _cut(items: list[Any], at: int) -> None:
    del items[at:]
