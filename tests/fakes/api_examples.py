"""The examples of the HTTP interface's description, asked of a log in memory.

    python -m tests.fakes.api_examples

writes them anew, after the interface has changed.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tallystick_merkle.tile import MAX_ENTRY, format_bundle
from tallystick_server.errors import EventError
from tallystick_server.vault.memory import MemoryVault
from tallystick_server.web import openapi
from tallystick_server.web.openapi.registering import EXAMPLE
from tests.fakes.cosigned import cosigned, policy
from tests.fakes.logs import NAME
from tests.fakes.web import Reply, WebBench, draw
from tests.unit.server.web.keeping import KeptLog

FILE = Path(openapi.__file__).with_name("examples.json")
"""Where they are kept."""

API = f"/v1/logs/{NAME}"
BATCH = format_bundle([b"hello", b"", b"again"])

EVENT = {
    "event_id": "0198ab5c-4d1e-7c3a-9b2f-1d6e5a4c3b2a",
    "action": "user.role.updated",
    "actor": {"type": "user", "id": "alice@example.com"},
    "targets": [{"type": "user", "id": "bob@example.com"}],
    "occurred_at": "2023-11-14T22:13:20.000Z",
    "outcome": {"result": "success"},
    "producer": {"instance": "web-1", "sequence": 41},
    "reason": "Moved to the finance team.",
    "before": {"role": "viewer"},
    "after": {"role": "approver"},
}
"""An event as it is sent."""

EVENTS = [
    {
        **EVENT,
        "event_id": "0198ab5c-4d1e-7c3a-9b2f-1d6e5a4c3b2b",
        "producer": {"instance": "web-1", "sequence": 42},
    },
    {"action": "…"},
    EVENT,
]
"""A batch: one that is new, one that is none, and one that was there."""


def _body(reply: Reply) -> Any:  # noqa: ANN401 -- whatever the answer holds
    """What an example shows: the JSON of an answer, or its text."""
    if reply.headers["content-type"].endswith("json"):
        return reply.json()
    return reply.body.decode()


async def make_examples(folder: Path) -> dict[str, Any]:
    """Ask for every example. The same each time: keys and clock are fixed."""
    replies: dict[str, Reply] = {}
    async with WebBench(folder, policy=policy()) as bench:
        replies["entry"] = await bench.append(b"hello", key="example")
        replies["batch"] = await bench.batch(BATCH, key="batch")
        replies["nothing"] = await bench.batch(format_bundle([b""]), key="nothing")
        await bench.log.publish(cosigned(bench.log.head))
        replies["repeat"] = await bench.append(
            b"hello", key="example", query="?wait=witnessed"
        )
        replies["checkpoint"] = await bench.get(f"/t/{NAME}/checkpoint")
        replies["log"] = await bench.get(API)
        replies["inclusion"] = await bench.get(f"{API}/proof/inclusion?index=1&size=4")
        replies["consistency"] = await bench.get(f"{API}/proof/consistency?old=2&new=4")
        replies["receipt"] = await bench.get(f"{API}/receipts/1")
        replies["front"] = await bench.get("/")
        replies["live"] = await bench.get("/livez")
        replies["ready"] = await bench.get("/readyz")
        replies["health"] = await bench.get("/healthz")
        replies |= await _refusals(bench)
    full = WebBench(folder)
    full.free = 0
    async with full as bench:
        replies["not-ready"] = await bench.get("/readyz")
        replies["disk-full"] = await _refused(bench)
    (folder / "events").mkdir()
    replies |= await _events(folder / "events")
    said = {name: _body(reply) for name, reply in replies.items()}
    return {**said, "event-sent": EVENT}


async def _events(folder: Path) -> dict[str, Reply]:
    """Answers of a log of events."""
    vault = MemoryVault(draw)
    async with KeptLog(folder, vault=vault, policy=policy()) as log:
        replies = {"event": await log.submit(json.dumps(EVENT).encode())}
        replies["events"] = await log.submit_batch(json.dumps(EVENTS).encode())
        await log.publish()
        replies["event-repeated"] = await log.submit(
            json.dumps(EVENT).encode(), query="?wait=witnessed"
        )
        other = json.dumps({**EVENT, "reason": "Another."}).encode()
        replies["event-id-reused"] = await log.submit(other, name="example")
        wrong = json.dumps({**EVENT, "outcome": {}}).encode()
        replies["invalid-event"] = await log.submit(wrong, name="example")
        path = f"/{EVENT['event_id']}"
        replies["event-shown"] = await log.show(path)
        replies["evidence"] = await log.show(f"{path}?fields=action,reason")
        replies["events-listed"] = await log.show("?limit=1")
        replies |= await _kept(log)
    return replies


async def _kept(log: KeptLog) -> dict[str, Reply]:
    """What whoever keeps a log of events is told; two events of it were refused."""
    replies = {
        "schema": await log.register(EXAMPLE),
        "schema-taken": await log.register({**EXAMPLE, "required": []}, name="example"),
        "schemas": await log.ask("GET", f"{API}/schemas"),
    }
    log.rules.refusal = EventError("expected an invoice", pointer="/details")
    later = {
        **EVENT,
        "event_id": "0198ab5c-4d1e-7c3a-9b2f-1d6e5a4c3b2c",
        "producer": {"instance": "web-1", "sequence": 43},
    }
    await log.submit(json.dumps(later).encode())
    log.rules.refusal = None
    letters = f"{API}/dead-letters"
    replies["dead-letters"] = await log.ask("GET", letters)
    replies["dead-letter"] = await log.ask("GET", f"{letters}/1")
    replies["dropped"] = await log.ask("DELETE", f"{letters}/1")
    last = replies["dead-letters"].json()["letters"][0]["id"]
    replies["redriven"] = await log.ask("POST", f"{letters}/{last}/redrive")
    replies["producers"] = await log.ask("GET", f"{API}/producers?limit=1")
    return replies


async def _refusals(bench: WebBench) -> dict[str, Reply]:
    """One refusal of each kind that can be had on purpose."""
    inclusion = f"{API}/proof/inclusion?index=4&size=4"
    replies = {
        "bad-request": await bench.get(inclusion, X_Request_ID="example"),
        "not-found": await bench.get(f"{API}/receipts/4", X_Request_ID="example"),
        "method-not-allowed": await bench.send(
            b"DELETE /livez HTTP/1.1\r\nHost: tests\r\nX-Request-ID: example\r\n\r\n"
        ),
        "unauthorized": await _refused(bench, Authorization=""),
        "idempotency-key-reused": await _refused(bench, key="example"),
        "unsupported-type": await _refused(bench, Content_Type="text/plain"),
        "too-large": await _refused(bench, Content_Length=str(MAX_ENTRY + 1)),
    }
    bench.log.stop_signing("a witness has seen more")
    replies["unavailable"] = await _refused(bench)
    return replies


async def _refused(bench: WebBench, *, key: str = "other", **headers: str) -> Reply:
    return await bench.post(
        f"{API}/entries", b"other", key=key, X_Request_ID="example", **headers
    )


def spell(examples: dict[str, Any]) -> str:
    """Write examples as the file has them."""
    return json.dumps(examples, indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    """Write the file."""
    with TemporaryDirectory() as folder:
        examples = asyncio.run(make_examples(Path(folder)))
    FILE.write_text(spell(examples), encoding="utf-8")


if __name__ == "__main__":
    main()
