"""Which field of an event stands where, after docs/formats.md: JSON to groups.

The event comes in its JSON shape, checked already, its time in UTC with milliseconds.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from tests.reference import dcbor, ev1

EXTRA_ROOTS = (
    "reason",
    "before",
    "after",
    "decision",
    "request",
    "correlation_id",
    "trace_id",
    "roles",
    "details",
)
PERSON_TYPES = frozenset(
    {"user", "person", "customer", "patient", "employee", "member", "subscriber"}
)


def groups_of(
    event: Mapping[str, Any], *, tenant: str, places: Mapping[str, int]
) -> list[ev1.Group]:
    """Lay out an event: the group of no subject, of the actor, of each other person.

    `places` says to which target's group a name, or all names below it, belong.
    """
    actor = [event["actor"]["type"], event["actor"]["id"]]
    subjects: list[list[str]] = []
    listed: list[list[object]] = []
    extras: dict[int, ev1.Group] = {1: []}
    for at, target in enumerate(event["targets"]):
        pair = [target["type"], target["id"]]
        if not target.get("person", target["type"] in PERSON_TYPES):
            listed.append([pair[0], 0])
            extras[1].append((f"targets/{at}", pair[1]))
            continue
        if pair != actor and pair not in subjects:
            subjects.append(pair)
            extras[len(subjects) + 1] = []
        listed.append([pair[0], 1 if pair == actor else subjects.index(pair) + 2])
    for root in EXTRA_ROOTS:
        if root in event:
            for name, value in flatten([root], event[root]):
                extras[group_of(name, places, listed)].append((name, value))
    heads: list[ev1.Field] = [
        ("actor", actor),
        *[("target", pair) for pair in subjects],
    ]
    return [
        _without_subject(event, tenant, listed),
        *[_group(head, extras[at]) for at, head in enumerate(heads, start=1)],
    ]


def flatten(path: list[str], value: object) -> Iterator[ev1.Field]:
    """Split maps into fields, down to four parts of a name."""
    if isinstance(value, dict) and value and len(path) < 4:
        for key, item in value.items():
            yield from flatten([*path, key], item)
        return
    yield "/".join(part.replace("~", "~0").replace("/", "~1") for part in path), value


def group_of(name: str, places: Mapping[str, int], listed: list[list[object]]) -> int:
    """The group of an extra field: the actor's, but for what is placed elsewhere."""
    if name.startswith("targets/"):
        return 1
    parts = name.split("/")
    for length in range(len(parts), 0, -1):
        target = places.get("/".join(parts[:length]))
        if target is not None and target < len(listed):
            group = listed[target][1]
            assert isinstance(group, int)
            return group or 1
    return 1


def _group(head: ev1.Field, extras: ev1.Group) -> ev1.Group:
    ordered = sorted(extras, key=lambda field: dcbor.encode(field[0]))
    names = [head[0], "names", *[name for name, _ in ordered]]
    return [head, ("names", ev1.names_digest(names)), *ordered]


def _without_subject(
    event: Mapping[str, Any], tenant: str, listed: list[list[object]]
) -> ev1.Group:
    moment = datetime.fromisoformat(event["occurred_at"])
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    producer, schema = event["producer"], event.get("schema")
    outcome = event["outcome"]
    group: ev1.Group = [
        ("event_id", event["event_id"]),
        ("names", b""),
        ("tenant", tenant),
        ("action", event["action"]),
        ("outcome", [outcome["result"], outcome.get("code")]),
        ("occurred_at", since.days * 86_400_000 + since.seconds * 1000
         + since.microseconds // 1000),
        ("schema", schema and [schema["id"], schema["version"]]),
        ("producer", [
            producer["service"], producer["instance"],
            producer.get("epoch", 0), producer["sequence"],
        ]),
        ("targets", listed),
        ("region", event.get("region")),
        ("corrects", event.get("corrects")),
    ]  # fmt: skip
    group[1] = ("names", ev1.names_digest([name for name, _ in group]))
    return group
