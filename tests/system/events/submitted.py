"""Submit made events, good and bad, and keep all that is answered."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tallystick_merkle import canonical
from tallystick_merkle.exchange.base import Request, Response
from tests.system.drive import fetch
from tests.system.events.places import Place
from tests.system.events.planted import Maker
from tests.system.one_log import API, OneLog

JSON, NDJSON = "application/json", "application/x-ndjson"
CBOR, CBOR_SEQ = "application/cbor", "application/cbor-seq"

_MANY = 25


@dataclass
class Submitted:
    """What was sent and what was answered.

    `events` were taken; `secrets` stood in what was refused, `names` were names of
    members there; `statuses` count the answers, those within batches too.
    """

    log: OneLog
    events: list[dict[str, Any]] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    answers: list[Place] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)

    def send(self, body: bytes, media: str, *, path: str = "/events") -> Response:
        """Submit a body, and keep what is answered."""
        headers = {"Authorization": f"Bearer {self.log.token}", "Content-Type": media}
        url = f"{self.log.url}{API}{path}"
        reply = fetch(Request("POST", url, body, headers))
        assert isinstance(reply, Response), reply
        self.answers.append((f"answer {len(self.answers)} to {path}", reply.body))
        results = json.loads(reply.body).get("results", [{"status": reply.status}])
        self.statuses.update(one["status"] for one in results)
        return reply

    def batch(self, body: bytes, media: str) -> None:
        """Submit a batch."""
        self.send(body, media, path="/events:batch")

    def take(self, events: Sequence[dict[str, Any]]) -> None:
        """Submit good events: alone and together, as JSON and as CBOR; all are new."""
        self.events += events
        one, two, three, *others = events
        half = len(others) // 2
        self.send(json.dumps(one).encode(), JSON)
        self.send(canonical.encode(two), CBOR)
        self.batch(json.dumps(others[:half]).encode(), JSON)
        self.batch(b"".join(map(canonical.encode, others[half:])), CBOR_SEQ)
        self.batch(json.dumps(three).encode() + b"\n", NDJSON)
        assert self.statuses == {201: len(events)}, self.statuses

    def repeat_wrongly(self, event: dict[str, Any], secret: str) -> None:
        """Submit another event under an id that was used."""
        self.secrets.append(secret)
        body = json.dumps({**event, "reason": secret}).encode()
        assert self.send(body, JSON).status == 409

    def refuse(self, maker: Maker) -> None:
        """Submit bad events, each alone, and many of them in batches."""
        held: list[dict[str, Any]] = []
        for secret, event in maker.refused():
            reply = self.send(json.dumps(event).encode(), JSON)
            if reply.status == 201:
                self.events.append(event)
            else:
                self.secrets.append(secret)
                held.append(event)
        for at in range(0, len(held), _MANY):
            lines = [json.dumps(event).encode() for event in held[at : at + _MANY]]
            self.batch(b"\n".join(lines), NDJSON)
        for secret, body in maker.broken():
            self.secrets.append(secret)
            for media in (JSON, CBOR, NDJSON, "text/plain"):
                self.send(body, media)
            for media in (JSON, NDJSON, CBOR, CBOR_SEQ):
                self.batch(body, media)
        for name, event in maker.named():
            self.names.append(name)
            reply = self.send(json.dumps(event).encode(), JSON)
            if reply.status == 201:
                self.events.append(event)
