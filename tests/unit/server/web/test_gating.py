"""Who may read a log, by its kind and his token; and what a log of a kind takes."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tallystick_merkle.tile import format_bundle
from tallystick_server.errors import UnprocessableError
from tallystick_server.log.tokens import SCOPES
from tallystick_server.web.gating import require_kind
from tallystick_server.web.headers import for_holder
from tests.fakes.logs import NAME
from tests.fakes.web import Reply, WebBench

API = f"/v1/logs/{NAME}"
GUARDED = (
    f"/t/{NAME}/tile/0/000",
    f"/t/{NAME}/tile/0/001.p/44",
    f"/t/{NAME}/tile/1/000.p/1",
    f"/t/{NAME}/tile/entries/000",
    f"/t/{NAME}/tile/entries/001.p/44",
    f"{API}/proof/inclusion?index=7&size=300",
    f"{API}/proof/consistency?old=7&new=300",
    f"{API}/receipts/7",
)
"""What tells of a log of 300 entries how it grew."""

OPEN = (f"/t/{NAME}/checkpoint", API, "/", "/healthz", "/readyz", "/livez")
"""What anybody may ask."""

ABSENT = (
    f"/t/{NAME}/tile/0/007",
    f"/t/{NAME}/tile/nonsense",
    f"{API}/proof/inclusion?index=300&size=300",
    f"{API}/proof/consistency?old=nonsense",
    f"{API}/receipts/300",
    f"{API}/receipts/nonsense",
)


async def fill(bench: WebBench, kind: str = "events") -> None:
    """Fill a log to 300 entries and publish it; from now on it is one of a kind."""
    entries = [b"entry %d" % number for number in range(1, 300)]
    await bench.batch(format_bundle(entries), key="fill")
    await bench.publish()
    bench.log.identity = replace(bench.log.identity, kind=kind)


def bearer(bench: WebBench, principal: str, *scopes: str) -> str:
    """Make a token and take it up; give its header."""
    new = bench.add_token(principal, scopes)
    bench.hosted.gate.reload()
    return f"Bearer {new.text}"


async def ask(bench: WebBench, paths: Sequence[str], **headers: str) -> list[Reply]:
    return [await bench.get(path, X_Request_ID="same", **headers) for path in paths]


async def test_a_log_of_events_is_read_with_a_token_that_may_read(
    tmp_path: Path,
) -> None:
    async with WebBench(tmp_path) as bench:
        await fill(bench, "raw")
        public = await ask(bench, GUARDED)
        bench.log.identity = replace(bench.log.identity, kind="events")
        reader = bearer(bench, "auditor", "read")
        replies = await ask(bench, GUARDED, Authorization=reader)

    assert {reply.status for reply in replies} == {200}
    assert [reply.body for reply in replies] == [reply.body for reply in public]


@pytest.mark.parametrize("paths", [GUARDED, ABSENT])
async def test_whoever_may_not_read_learns_nothing_but_that(
    tmp_path: Path, paths: tuple[str, ...]
) -> None:
    async with WebBench(tmp_path) as bench:
        await fill(bench)
        others = bearer(bench, "others", "append", "admin")
        refused = [
            *await ask(bench, paths),
            *await ask(bench, paths, Authorization="Bearer nonsense"),
            *await ask(bench, paths, Authorization=others),
        ]

    assert {reply.body for reply in refused} == {refused[0].body}
    assert all(reply.is_problem(401, "unauthorized") for reply in refused)
    assert {reply.headers["www-authenticate"] for reply in refused} == {"Bearer"}
    assert {reply.headers["cache-control"] for reply in refused} == {"no-store"}


@pytest.mark.parametrize("scope", ["read", "audit", "emit"])
async def test_auditors_see_the_log_and_producers_their_receipts(
    tmp_path: Path, scope: str
) -> None:
    tiles = tuple(path for path in GUARDED if path.startswith("/t/"))
    proofs = tuple(path for path in GUARDED if not path.startswith("/t/"))
    async with WebBench(tmp_path) as bench:
        await fill(bench)
        header = bearer(bench, "somebody", scope)
        seen = await ask(bench, tiles, Authorization=header)
        proven = await ask(bench, proofs, Authorization=header)

    assert tiles
    assert proofs
    assert {reply.status for reply in proven} == {200}
    assert {reply.status for reply in seen} == {401 if scope == "emit" else 200}


async def test_what_a_token_opened_is_for_its_holder_alone(tmp_path: Path) -> None:
    async with WebBench(tmp_path) as bench:
        await fill(bench)
        reader = bearer(bench, "auditor", "read")
        replies = await ask(bench, GUARDED, Authorization=reader)

    for path, reply in zip(GUARDED, replies, strict=True):
        control = reply.headers["cache-control"].split(", ")
        is_fixed = "receipts" not in path
        assert control[0] == "private"
        assert ("immutable" if is_fixed else "no-cache") in control
        assert "public" not in control
        assert "Authorization" in reply.headers["vary"].split(", ")
        assert "access-control-allow-origin" not in reply.headers


async def test_a_compressed_bundle_that_is_kept_is_given_to_readers_alone(
    tmp_path: Path,
) -> None:
    path = f"/t/{NAME}/tile/entries/000"
    async with WebBench(tmp_path) as bench:
        await fill(bench)
        reader = bearer(bench, "auditor", "read")
        first, second = [
            await bench.get(path, Authorization=reader, Accept_Encoding="gzip")
            for _ in range(2)
        ]
        other = await bench.get(path, Accept_Encoding="gzip")
        plain = await bench.get(path, Authorization=reader)

    assert first.body == second.body
    assert gzip.decompress(first.body) == plain.body
    assert first.headers["vary"] == "Accept-Encoding, Authorization"
    assert first.headers["content-encoding"] == "gzip"
    assert other.is_problem(401, "unauthorized")


async def test_the_checkpoint_and_the_facts_are_for_everybody(tmp_path: Path) -> None:
    async with WebBench(tmp_path) as bench:
        await fill(bench)
        checkpoint, facts, front, *health = await ask(bench, OPEN)

    assert checkpoint.status == facts.status == front.status == 200
    assert checkpoint.headers["access-control-allow-origin"] == "*"
    assert facts.json()["kind"] == "events"
    assert b"kind     events\nreaders  holders of a token\n" in front.body
    assert [reply.status for reply in health] == [200, 200, 200]


async def test_a_log_of_events_may_be_made_public(tmp_path: Path) -> None:
    async with WebBench(tmp_path, is_public=True) as bench:
        await fill(bench)
        replies = await ask(bench, GUARDED)
        front = await bench.get("/")

    assert {reply.status for reply in replies} == {200}
    for reply in replies:
        assert "private" not in reply.headers["cache-control"]
        assert reply.headers["access-control-allow-origin"] == "*"
    assert b"kind     events\nreaders  anybody\n" in front.body


async def test_a_log_of_raw_entries_is_read_alike_with_any_token_or_none(
    tmp_path: Path,
) -> None:
    async with WebBench(tmp_path) as bench:
        await fill(bench, "raw")
        without = await ask(bench, GUARDED)
        wrong = await ask(bench, GUARDED, Authorization="Bearer nonsense")
        front = await bench.get("/")

    assert {reply.status for reply in without} == {200}
    assert [reply.headers["cache-control"] for reply in without] == [
        reply.headers["cache-control"] for reply in wrong
    ]
    assert [reply.body for reply in without] == [reply.body for reply in wrong]
    assert b"kind     raw\nreaders  anybody\n" in front.body


@pytest.mark.parametrize("route", ["entries", "entries:batch"])
@pytest.mark.parametrize("holder", ["", "append", "emit", "all"])
async def test_no_raw_entry_gets_into_a_log_of_events(
    tmp_path: Path, route: str, holder: str
) -> None:
    async with WebBench(tmp_path) as bench:
        await fill(bench)
        scopes = SCOPES if holder == "all" else [holder]
        token = bearer(bench, "somebody", *scopes) if holder else ""
        reply = await bench.post(
            f"{API}/{route}", format_bundle([b"raw"]), Authorization=token
        )
        size = bench.log.head.size

    assert reply.is_problem(422, "unprocessable")
    assert reply.json()["detail"] == (
        f"the log {NAME} is of kind events: it takes POST {API}/events"
    )
    assert size == 300


async def test_events_are_refused_by_a_log_of_raw_entries(tmp_path: Path) -> None:
    async with WebBench(tmp_path) as bench:
        require_kind(bench.log, "raw")
        with pytest.raises(UnprocessableError) as refused:
            require_kind(bench.log, "events")

    assert refused.value.detail == (
        f"the log {NAME} is of kind raw: it takes POST {API}/entries"
    )


@pytest.mark.parametrize("scopes", [("emit", "read", "admin"), ("read",)])
async def test_a_token_that_may_do_other_things_appends_nothing(
    tmp_path: Path, scopes: tuple[str, ...]
) -> None:
    async with WebBench(tmp_path) as bench:
        token = bearer(bench, "somebody", *scopes)
        path = f"{API}/entries"
        with_it = await bench.post(
            path, b"raw", Authorization=token, X_Request_ID="same"
        )
        without = await bench.post(path, b"raw", Authorization="", X_Request_ID="same")
        size = bench.log.head.size

    assert with_it.is_problem(401, "unauthorized")
    assert with_it.body == without.body
    assert size == 1


@pytest.mark.parametrize(
    ("public", "private"),
    [
        (
            {"Cache-Control": "public, max-age=5, immutable"},
            {"Cache-Control": "private, max-age=5, immutable", "Vary": "Authorization"},
        ),
        (
            {"Cache-Control": "no-cache", "Vary": "Accept-Encoding"},
            {
                "Cache-Control": "private, no-cache",
                "Vary": "Accept-Encoding, Authorization",
            },
        ),
        (
            {"Access-Control-Allow-Origin": "*", "Other": "kept"},
            {
                "Other": "kept",
                "Cache-Control": "private, no-cache",
                "Vary": "Authorization",
            },
        ),
    ],
)
def test_headers_for_a_holder_keep_shared_caches_and_other_sites_out(
    public: dict[str, str], private: dict[str, str]
) -> None:
    assert for_holder(public) == private
