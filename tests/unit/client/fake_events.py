"""A log of events in memory that answers requests, honestly or not."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tallystick_merkle.disclosure import check_disclosure, disclose
from tallystick_merkle.errors import MalformedError
from tallystick_merkle.event import Event
from tallystick_merkle.eventjson import format_time, parse_event
from tallystick_merkle.evidence import Evidence, format_evidence
from tallystick_merkle.exchange.base import Reply, Request, Response
from tallystick_merkle.genesis import (
    EVENTS,
    Genesis,
    event_settings,
    format_genesis,
)
from tallystick_merkle.hashing import leaf_hash
from tallystick_merkle.layout import assemble, lay_out
from tallystick_merkle.leaf import EventLeaf, format_leaf, parse_leaf
from tallystick_merkle.opening import Opening, format_opening, open_layout
from tallystick_merkle.proof import plan_inclusion
from tallystick_merkle.receipt import Receipt, format_receipt
from tallystick_merkle.sealing import OpenedGroup, commitment
from tallystick_merkle.tags import format_index_entry, index_digest, make_blind
from tests.unit.client.fake_log import JSON, ORIGIN, TOKEN, FakeLog, Tree, problem

SERVICE = "billing"
TENANT = "tenant-1"
TIME_MS = 1_700_000_000_000


def event_json(number: int = 1, **members: Any) -> dict[str, Any]:  # noqa: ANN401 -- any
    """The JSON shape of an event; `members` replace those of the default."""
    body: dict[str, Any] = {
        "event_id": f"0197f0c2-7a11-7abc-8def-{number:012x}",
        "action": "user.role.updated",
        "actor": {"type": "user", "id": "alice"},
        "targets": [{"type": "user", "id": "bob"}, {"type": "project", "id": "apollo"}],
        "occurred_at": "2023-11-14T22:13:20.000Z",
        "outcome": {"result": "success"},
        "producer": {"instance": "i-1", "sequence": number},
        "after": {"role": "auditor"},
        "details": {"ticket": "OPS-4711"},
    }
    return {**body, **members}


@dataclass
class Stored:
    """An event of the log: its place, its leaf, and all that opens it."""

    index: int
    event: Event
    leaf: bytes
    opening: Opening


@dataclass
class EventsLog(FakeLog):
    """A fake log that takes events; what it answers can be changed to play foul."""

    stored: dict[str, Stored] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    """Actions that are refused."""
    forge: Callable[[dict[str, Any]], object] = lambda body: body
    """Changes the answers, in place."""
    swap: dict[str, str] = field(default_factory=dict)
    """Actions that are committed instead of those that were sent."""
    erased: set[str] = field(default_factory=set)
    """Ids of events whose openings are gone."""
    tenant: str = TENANT
    """Whose log it says it is when it seals."""
    are_repeats: bool = False
    """Whether what is new is answered as if it had been there before."""
    hidden: set[str] = field(default_factory=set)
    """Fields that evidence leaves out although they were asked for."""

    def found(self, tenant: bytes) -> None:
        """Begin with the genesis entry of a log of events."""
        key = b"k" * 32
        settings = event_settings(tenant)
        genesis = Genesis(EVENTS, ORIGIN, TIME_MS, key, key, settings)
        self.entries[0] = format_genesis(genesis)
        self.publish()

    def answer(self, request: Request) -> Reply:
        path = urlsplit(request.url).path
        if not path.startswith("/v1/logs/fake/events") or self.script:
            return super().answer(request)
        self.seen.append(request)
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return problem(401, "no token of this log")
        if request.method == "GET":
            return self._read(request)
        witnessed = "wait=witnessed" in request.url and self.is_witnessing
        lines = request.body.split(b"\n") if "x-ndjson" in str(request.headers) else []
        if lines:
            return self._take_batch([line for line in lines if line], witnessed)
        return self._take_one(request.body, witnessed)

    def _store(self, line: bytes) -> tuple[Stored, bool] | dict[str, Any]:
        """Take an event: whether it was there before, or why it is refused."""
        data = json.loads(line)
        try:
            event = parse_event(data, service=SERVICE)
        except MalformedError as error:
            return _refusal(422, "no event", (error.where, error.why))
        if event.action in self.refused:
            return _refusal(422, "not allowed here", ("/action", "not this one"))
        known = self.stored.get(event.event_id)
        if known is not None:
            same = known.event == event
            return (known, True) if same else _refusal(409, "other content", None)
        stored = self._seal(event)
        self.entries.append(stored.leaf)
        self.stored[event.event_id] = stored
        return stored, False

    def _seal(self, event: Event) -> Stored:
        layout = lay_out(self._swapped(event), tenant=self.tenant, places={})
        noise = sha256(event.event_id.encode()).digest()
        seeds = tuple(
            sha256(noise + bytes([number])).digest()[:16]
            for number in range(len(layout.groups))
        )
        entry = format_index_entry(0, [noise[:16]], make_blind(seeds[0]))
        leaf = EventLeaf(TIME_MS, commitment(layout, seeds), index_digest(entry))
        opening = Opening(seeds, entry, self.tenant, SERVICE, event.schema, {})
        return Stored(len(self.entries), event, format_leaf(leaf), opening)

    def _swapped(self, event: Event) -> Event:
        action = self.swap.get(event.action, event.action)
        data = {**json.loads(json.dumps(_shape(event))), "action": action}
        return parse_event(data, service=SERVICE)

    def _take_one(self, line: bytes, witnessed: bool) -> Reply:
        found = self._store(line)
        if isinstance(found, dict):
            kind = {"content-type": "application/problem+json"}
            return Response(found["status"], kind, json.dumps(found).encode())
        stored, is_repeat = found[0], found[1] or self.are_repeats
        body = {
            **self._item(stored, is_repeat=is_repeat),
            "receipt": self.receipt(stored, witnessed=witnessed).decode(),
            "size": len(self.entries),
        }
        if body["opening"] is not None:
            body["opening"] = format_opening(stored.opening)
        self.forge(body)
        return Response(200 if is_repeat else 201, JSON, json.dumps(body).encode())

    def _take_batch(self, lines: list[bytes], witnessed: bool) -> Reply:
        results: list[dict[str, Any]] = []
        fresh: list[int] = []
        for line in lines:
            found = self._store(line)
            if isinstance(found, dict):
                results.append(found)
                continue
            stored, is_repeat = found
            results.append(self._item(stored, is_repeat=is_repeat))
            if not is_repeat:
                fresh.append(stored.index)
        body: dict[str, Any] = {
            "size": len(self.entries),
            "checkpoint": self._head(witnessed=witnessed).decode(),
            "proof": self._range(fresh) if fresh else {"left": [], "right": []},
            "tenant": self.tenant,
            "service": SERVICE,
            "results": results,
        }
        self.forge(body)
        return Response(200, JSON, json.dumps(body).encode())

    def _item(self, stored: Stored, *, is_repeat: bool) -> dict[str, Any]:
        opening = format_opening(stored.opening)
        del opening["tenant"], opening["service"]
        is_erased = stored.event.event_id in self.erased
        return {
            "status": 200 if is_repeat else 201,
            "index": stored.index,
            "event_id": stored.event.event_id,
            "leaf": b64encode(stored.leaf).decode(),
            "opening": None if is_erased else opening,
            **({"content": "erased"} if is_erased else {}),
        }

    def receipt(self, stored: Stored, *, witnessed: bool = False) -> bytes:
        """Prove the leaf of an event."""
        tree = Tree(self.entries)
        path = tree.proof(plan_inclusion(index=stored.index, size=tree.size))
        return format_receipt(
            Receipt(stored.index, path, self._head(witnessed=witnessed))
        )

    def _read(self, request: Request) -> Reply:
        url = urlsplit(request.url)
        query = parse_qs(url.query)
        name = url.path.removeprefix("/v1/logs/fake/events").removeprefix("/")
        if not name:
            after = int(query.get("after", ["-1"])[0])
            limit = int(query["limit"][0])
            found = [one for one in self.stored.values() if one.index > after][:limit]
            last = found[-1].index if found else len(self.entries) - 1
            body: dict[str, Any] = {
                "events": [self._shown(one) for one in found],
                "next_after": last,
                "has_more": last + 1 < len(self.entries),
                "size": len(self.entries),
            }
        elif (stored := self.stored.get(name)) is None:
            return problem(404, "no such event")
        elif "fields" in query:
            body = self._evidence(stored, unquote(query["fields"][0]).split(","), query)
        else:
            receipt = self.receipt(stored, witnessed=self.is_witnessing)
            body = {**self._shown(stored), "receipt": receipt.decode()}
        self.forge(body)
        return Response(200, JSON, json.dumps(body).encode())

    def _groups(self, stored: Stored) -> tuple[OpenedGroup, ...]:
        layout = lay_out(stored.event, tenant=stored.opening.tenant, places={})
        return open_layout(layout, stored.opening)

    def _shown(self, stored: Stored) -> dict[str, Any]:
        groups = self._groups(stored)
        return {
            "index": stored.index,
            "event_id": stored.event.event_id,
            "received_at": format_time(TIME_MS),
            "leaf": b64encode(stored.leaf).decode(),
            "leaf_hash": leaf_hash(stored.leaf).hex(),
            "event": assemble([group.fields for group in groups]),
            "hidden": [],
            "erased": [],
        }

    def _evidence(
        self, stored: Stored, fields: list[str], query: dict[str, list[str]]
    ) -> dict[str, Any]:
        (names,) = query["names"]
        fields = [name for name in fields if name not in self.hidden]
        disclosure = disclose(
            self._groups(stored),
            fields,
            show_names=names != "hidden",
            all_names=names == "all",
        )
        shown = check_disclosure(disclosure, parse_leaf(stored.leaf))
        receipt = self.receipt(stored, witnessed=self.is_witnessing)
        data = format_evidence(Evidence(stored.leaf, receipt, disclosure))
        return {
            "index": stored.index,
            "event_id": stored.event.event_id,
            "evidence": b64encode(data).decode(),
            "fields": shown.fields,
        }


def _shape(event: Event) -> dict[str, Any]:
    layout = lay_out(event, tenant=TENANT)
    groups = open_layout(
        layout,
        Opening((b"s" * 16,) * len(layout.groups), b"", TENANT, SERVICE, None, {}),
    )
    return assemble([group.fields for group in groups])


def _refusal(status: int, detail: str, where: tuple[str, str] | None) -> dict[str, Any]:
    body: dict[str, Any] = {"status": status, "type": "https://x/p", "detail": detail}
    if where is not None:
        body["errors"] = [{"pointer": where[0], "detail": where[1]}]
    return body
