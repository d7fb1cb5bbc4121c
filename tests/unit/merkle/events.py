"""Events of every kind, for the tests of `ev1`: drawn ones, and one full example."""

from datetime import datetime
from typing import Any
from unicodedata import normalize

from hypothesis import strategies as st

from tests.reference.ev1_layout import PERSON_TYPES

TENANT = "tenant-7"

Json = dict[str, Any]


def example() -> Json:
    """An event of twelve fields over three groups, and a thing among the targets."""
    return {
        "event_id": "01980f3a-5c2e-7d41-9b6a-0123456789ab",
        "action": "user.role.updated",
        "actor": {"type": "user", "id": "alice@example.com"},
        "targets": [
            {"type": "user", "id": "bob@example.com"},
            {"type": "project", "id": "apollo"},
        ],
        "occurred_at": "2026-11-23T12:00:00.000Z",
        "outcome": {"result": "success"},
        "producer": {
            "service": "iam",
            "instance": "iam-1",
            "epoch": 0,
            "sequence": 17,
        },
        "schema": {"id": "user.role", "version": 3},
        "before": {"role": "viewer"},
        "after": {"role": "admin"},
        "request": {"ip": "203.0.113.9"},
        "reason": "promotion",
    }


PLACES = {"before": 0, "after": 0}
"""Where the schema of the example puts its fields: with the first target."""

TEXTS = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=12)
_MARKS = st.characters(
    exclude_categories=("Cs", "Cc", "Cf"),
    exclude_characters="".join(map(chr, range(0x13439, 0x13440))),  # Cf of Unicode 15
)


def plain(most: int) -> st.SearchStrategy[str]:
    """Texts that may be names and ids."""
    return (
        st.text(_MARKS, min_size=1, max_size=most)
        .map(lambda text: normalize("NFC", text))
        .filter(lambda text: 1 <= len(text) <= most)
    )


SCALARS = (
    st.integers(-(2**63), 2**64 - 1)
    | st.text(st.characters(codec="utf-8"), max_size=12)
    | st.booleans()
    | st.none()
)
NAMES = plain(6) | st.sampled_from(["a/b", "~", "~1", "a", "role", "names", "target"])
VALUES: st.SearchStrategy[object] = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3)
    ),
    max_leaves=6,
)
MAPS = st.dictionaries(NAMES, VALUES, max_size=3)
TYPES = st.sampled_from(["user", "service", "customer", "file", "a.b_c-9"])
IDS = st.sampled_from(["alice", "bob", "carol"]) | plain(8)
REFS = st.fixed_dictionaries({"type": TYPES, "id": IDS})
TARGETS = st.fixed_dictionaries(
    {"type": TYPES, "id": IDS}, optional={"person": st.booleans()}
)
CODES = st.from_regex(r"[A-Za-z0-9._:/-]{1,8}", fullmatch=True)
NUMBERS = st.integers(0, 2**53 - 1)


@st.composite
def event_ids(draw: st.DrawFn) -> str:
    """UUIDs of version 7."""
    digits = f"{draw(st.integers(0, 2**128 - 1)):032x}"
    variant = draw(st.sampled_from("89ab"))
    digits = f"{digits[:12]}7{digits[13:16]}{variant}{digits[17:]}"
    parts = digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]
    return "-".join(parts)


@st.composite
def times(draw: st.DrawFn) -> str:
    """Times as the JSON shape spells them."""
    moment = draw(st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 31)))  # noqa: DTZ001 -- hypothesis wants them so
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


@st.composite
def producers(draw: st.DrawFn) -> Json:
    """Producers with all their members."""
    return {
        "service": draw(st.sampled_from(["iam", "billing.eu", "a-b_c"])),
        "instance": draw(st.sampled_from(["iam-1", "A:9._-"])),
        "epoch": draw(NUMBERS),
        "sequence": draw(NUMBERS),
    }


@st.composite
def outcomes(draw: st.DrawFn) -> Json:
    """Outcomes, with a code or without."""
    result = draw(st.sampled_from(["success", "failure", "denied"]))
    code = draw(st.none() | CODES)
    return {"result": result} if code is None else {"result": result, "code": code}


@st.composite
def json_events(draw: st.DrawFn) -> Json:
    """Events in the shape that formatting writes: every time in UTC, no defaults."""
    event: Json = {
        "event_id": draw(event_ids()),
        "action": draw(st.sampled_from(["user.created", "a.b", "a1.b_c-d.e"])),
        "actor": draw(REFS),
        "targets": draw(st.lists(TARGETS, max_size=4)),
        "occurred_at": draw(times()),
        "outcome": draw(outcomes()),
        "producer": draw(producers()),
    }
    for target in event["targets"]:
        if target.get("person") == (target["type"] in PERSON_TYPES):
            del target["person"]
    optional: dict[str, st.SearchStrategy[Any]] = {
        "schema": st.fixed_dictionaries(
            {"id": st.just("user.role"), "version": st.integers(1, 2**31 - 1)}
        ),
        "region": st.sampled_from(["eu-central-1", "A.b_9"]),
        "corrects": event_ids(),
        "reason": TEXTS.filter(bool),
        "before": MAPS,
        "after": MAPS,
        "decision": MAPS,
        "details": MAPS,
        "request": st.dictionaries(
            st.sampled_from(["ip", "user_agent", "session", "id"]), TEXTS.filter(bool)
        ),
        "correlation_id": TEXTS.filter(bool),
        "trace_id": TEXTS.filter(bool),
        "roles": st.lists(TEXTS.filter(bool), max_size=3),
    }
    chosen = draw(st.sets(st.sampled_from(sorted(optional)), max_size=5))
    return event | {name: draw(optional[name]) for name in sorted(chosen)}


PLACED = st.dictionaries(
    st.sampled_from(["before", "after", "details", "details/a", "request/ip", "a/b"]),
    st.integers(0, 4),
    max_size=3,
)
"""Places that a schema may give to fields."""
