"""The read path: which paths exist at which size, and nothing else does."""

from __future__ import annotations

import gzip
from hashlib import sha512
from pathlib import Path

import pytest

from tallystick_merkle.hashing import leaf_hashes
from tallystick_merkle.tile import (
    ENTRIES,
    TILE_WIDTH,
    Tile,
    bundles_of,
    format_bundle,
    format_tile_path,
    parse_bundle,
    tiles_of,
)
from tests.fakes.logs import NAME
from tests.fakes.web import Reply, WebBench
from tests.reference.rfc6962 import Tree, leaf

SIZE = 600
"""Leaves of the log in most tests: two full tiles, a partial one, a second level."""

IMMUTABLE = "public, max-age=31536000, immutable"


async def filled(bench: WebBench, size: int = SIZE) -> list[bytes]:
    """Fill a log to a size, and give all of its entries."""
    entries = [b"entry %d" % number for number in range(1, size)]
    await bench.batch(format_bundle(entries), key="fill")
    return bench.store.read_entries(0, size)


def url(tile: Tile) -> str:
    return f"/t/{NAME}/{format_tile_path(tile)}"


async def test_every_tile_that_the_size_implies_is_served(tmp_path: Path) -> None:
    async with WebBench(tmp_path) as bench:
        entries = await filled(bench)
        tree = Tree([leaf(entry) for entry in entries])
        replies = [(tile, await bench.get(url(tile))) for tile in tiles_of(SIZE)]

    assert len(replies) == 4
    for tile, reply in replies:
        span = TILE_WIDTH**tile.level
        first = tile.first
        hashes = [
            tree.hash(at * span, (at + 1) * span)
            for at in range(first, first + tile.width)
        ]
        assert (reply.status, reply.body) == (200, b"".join(hashes))
        assert reply.headers["content-type"] == "application/octet-stream"
        assert reply.headers["cache-control"] == IMMUTABLE
        assert reply.headers["x-content-type-options"] == "nosniff"


async def test_every_bundle_holds_its_entries(tmp_path: Path) -> None:
    async with WebBench(tmp_path) as bench:
        entries = await filled(bench)
        bundles = bundles_of(0, SIZE, SIZE)
        replies = [await bench.get(url(bundle)) for bundle in bundles]

    assert [parse_bundle(reply.body) for reply in replies] == [
        entries[:256],
        entries[256:512],
        entries[512:],
    ]
    assert {reply.headers["vary"] for reply in replies} == {"Accept-Encoding"}


@pytest.mark.parametrize("width", [1, 17, 87, 88])
async def test_a_partial_tile_of_an_earlier_size_is_cut_from_the_wider_one(
    tmp_path: Path, width: int
) -> None:
    async with WebBench(tmp_path) as bench:
        entries = await filled(bench)
        tile = await bench.get(url(Tile(0, 2, width)))
        bundle = await bench.get(url(Tile(ENTRIES, 2, width)))
        full = await bench.get(url(Tile(0, 0, width)))

    assert tile.body == b"".join(leaf_hashes(entries[512 : 512 + width]))
    assert parse_bundle(bundle.body) == entries[512 : 512 + width]
    assert full.body == b"".join(leaf_hashes(entries[:width]))


async def test_what_is_not_committed_is_not_there(tmp_path: Path) -> None:
    missing = [
        Tile(0, 2),
        Tile(0, 2, 89),
        Tile(0, 3, 1),
        Tile(0, 3),
        Tile(1, 0),
        Tile(1, 0, 3),
        Tile(1, 1, 1),
        Tile(2, 0, 1),
        Tile(63, 0),
        Tile(63, 0, 1),
        Tile(ENTRIES, 2),
        Tile(ENTRIES, 2, 89),
        Tile(ENTRIES, 3, 1),
        Tile(0, 10**17, 1),
    ]
    async with WebBench(tmp_path) as bench:
        await filled(bench)
        replies = [await bench.get(url(tile)) for tile in missing]

    assert all(reply.is_problem(404, "not-found") for reply in replies)


async def test_a_full_tile_is_not_there_one_leaf_before_it_is_full(
    tmp_path: Path,
) -> None:
    async with WebBench(tmp_path) as bench:
        await filled(bench, 255)
        before = await bench.get(url(Tile(0, 0)))
        await bench.append(b"the 256th")
        after = await bench.get(url(Tile(0, 0)))
        above = await bench.get(url(Tile(1, 0, 1)))

    assert before.status == 404
    assert (after.status, len(after.body)) == (200, 8192)
    assert (above.status, len(above.body)) == (200, 32)


def hostile_paths() -> list[str]:
    """Paths that no formatter of ours would write, and that name no resource."""
    tiles = [
        "tile", "tile/", "tile/0", "tile/0/", "tile/0/0", "tile/0/00", "tile/0/0000",
        "tile/0/000/", "tile/0/000/x", "tile/0//000", "tile//0/000", "tile/00/000",
        "tile/01/000", "tile/-1/000", "tile/+1/000", "tile/0/+00", "tile/0/-01",
        "tile/64/000", "tile/99/000", "tile/100/000", "tile/0x0/000", "tile/0/x000",
        "tile/0/x000/000", "tile/0/x000/x000/000", "tile/0/000/000", "tile/0/x00/000",
        "tile/0/x0000/000", "tile/0/x001/00", "tile/0/001/x000", "tile/0/X001/000",
        "tile/0/x001000", "tile/0/000.p", "tile/0/000.p/", "tile/0/000.p/0",
        "tile/0/000.p/00", "tile/0/000.p/01", "tile/0/000.p/001", "tile/0/000.p/256",
        "tile/0/000.p/257", "tile/0/000.p/999", "tile/0/000.p/1000",
        "tile/0/000.p/-1", "tile/0/000.p/+1", "tile/0/000.p/1/", "tile/0/000.p/1/1",
        "tile/0/000.p/1.p/1", "tile/0/000.P/1", "tile/0/000.p1", "tile/0/.p/1",
        "tile/0/000p/1", "tile/0/000..p/1", "tile/0/ 000", "tile/0/000%20",
        "tile/0/0 0", "tile/0/000%00", "tile/0/000%0a",
        "tile/0/000%0d%0a", "tile/0/%30%30%30", "tile/%30/000", "%74ile/0/000",
        "tile%2f0%2f000", "tile/0%2f000", "tile/0/000%2ep/1", "tile/0/000.p%2f1",
        "tile/0/000.%70/1", "TILE/0/000", "Tile/0/000", "tile/Entries/000",
        "tile/ENTRIES/000", "tile/entries", "tile/entries/", "tile/entries/0",
        "tile/entries/000/", "tile/entries/000.p/0", "tile/entries/000.p/256",
        "tile/entry/000", "tile/data/000", "tile/names/000", "tile/entries/x000/000",
        "tile/entries/%30%30%30", "tile/entries/../entries/000", "tile/../tile/0/000",
        "tile/./0/000", "tile/0/./000", "tile/0/../0/000", "./tile/0/000",
        "../t/events/tile/0/000", "..", "../", "../..", "../../etc/passwd",
        "../../../../../../etc/passwd", "%2e%2e/%2e%2e/etc/passwd",
        "..%2f..%2f..%2fetc%2fpasswd", "%2e%2e%2f%2e%2e%2fetc/passwd",
        "%252e%252e/etc/passwd", "..%5c..%5cwindows", "....//....//etc/passwd",
        "..;/..;/etc/passwd", "tile/..%00/0/000", "tile/0/000/../../../../etc/passwd",
        "tile/0/..%2f..%2f..%2f..%2fkeys", "%c0%ae%c0%ae/%c0%ae%c0%ae/etc/passwd",
        "%uff0e%uff0e/x", "tile/0/%ff%fe", "tile/0/%f0%9f%92%a9", "tile/%d9%a0/000",
        "tile/0/%d9%a0%d9%a0%d9%a0", "tile/0/%ef%bc%90%ef%bc%90%ef%bc%90",
        "tile/0/000;x=1", "tile/0/000,1", "tile/0/000:1", "tile/0/000@1",
        "tile/0/000&x", "tile/0/000=1", "tile/0/000~", "tile/0/000*", "tile/*/000",
        "tile/0/*", "tile/0/$000", "tile/0/(000)", "tile/0/[000]", "tile/0/{000}",
        "tile/0/'000'", "tile/0/!000", "tile/0/1e2", "tile/0/0x1", "tile/0/1_0",
        "tile/0/inf", "tile/0/nan", "tile/0/None", "tile/0/null", "tile/0/true",
        "tile/1e0/000", "tile/0.0/000", "tile/0/0.0", "tile/0/000.0",
        "tile/entries/000.gz", "tile/0/000.json", "tile/0/000.bak", "tile/0/000~1",
        "tile/0/" + "x999/" * 6 + "999", "tile/0/" + "x999/" * 7 + "999",
        "tile/0/" + "x999/" * 100 + "999", "tile/0/" + "9" * 300,
        "tile/" + "9" * 300 + "/000", "tile/0/000.p/" + "9" * 300,
        "tile/0/x922/x337/x203/x685/x477/x580/807", "tile/63/x999/x999/x999/999",
        "tile/0/x001/x000/000.p/1", "checkpoints", "checkpoint/", "checkpoint/x",
        "Checkpoint", "CHECKPOINT", "checkpoint.txt", "%63heckpoint", "checkpoint%00",
        "checkpoint%20", "checkpoint;x", "checkpoint/../checkpoint", "./checkpoint",
        "//checkpoint", "issuer", "issuer/x", "log.v3.json", "robots.txt", ".env",
        ".git/config", "tokens.json", "writer.lock", "log.lmdb", "log.lmdb/data.mdb",
        "vkeys", "evidence/", "keys/events.skey", "latest", "tree", "sth", "",
    ]  # fmt: skip
    return [f"/t/{NAME}/{path}" for path in tiles] + [
        "/t", "/t/", "/t//", f"/t/{NAME}", f"/t//{NAME}/tile/0/000",
        "/t/%65vents/tile/0/000.p/1",
        "/t/EVENTS/tile/0/000.p/1", "/t/event/tile/0/000.p/1", "/t/eventss/checkpoint",
        "/t/../t/events/tile/0/000.p/1", "/t/./events/tile/0/000.p/1",
        "/T/events/tile/0/000.p/1", "/t/events%2ftile/0/000.p/1", "/t/*/checkpoint",
        "/t/events%00/checkpoint", "/t/.events.new/checkpoint", "//t/events/checkpoint",
        "/v1", "/v1/", "/v1/logs", "/v1/logs/", "/v1/logs/events/", "/v1/logs/other",
        "/v1/logs/events/entries/", "/v1/logs/%65vents", "/v1/logs/events/receipts",
        "/v1/logs/events/receipts/", "/v1/logs/events/receipts/-1",
        "/v1/logs/events/receipts/01", "/v1/logs/events/receipts/1e0",
        "/v1/logs/events/receipts/%31", "/v1/logs/events/receipts/1/",
        "/v1/logs/events/receipts/" + "9" * 40, "/v1/logs/events/receipts/600",
        "/v1/logs/events/proof", "/v1/logs/events/proof/", "/v2/logs/events",
        "/favicon.ico", "/admin", "/metrics/", "/livez/", "/LIVEZ", "/index.html",
    ]  # fmt: skip


async def test_no_hostile_path_names_anything_or_breaks_anything(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    paths = hostile_paths()
    async with WebBench(tmp_path) as bench:
        await filled(bench)
        replies = {path: await answer(bench, path) for path in paths}

    wrong = {
        path: reply.status
        for path, reply in replies.items()
        if not reply.is_problem(404, "not-found")
    }
    bodies = {str(reply.json() | {"request_id": ""}) for reply in replies.values()}
    assert len(paths) > 200
    assert wrong == {}
    assert len(bodies) == 1
    assert caplog.records == []


async def answer(bench: WebBench, path: str) -> Reply:
    """Ask for a path; one with a space is cut there by HTTP itself."""
    return await bench.get(path.replace(" ", "%20"))


async def test_a_query_on_a_static_resource_changes_nothing(tmp_path: Path) -> None:
    async with WebBench(tmp_path) as bench:
        await filled(bench)
        plain = await bench.get(url(Tile(0, 0)))
        asked = await bench.get(url(Tile(0, 0)) + "?tile/0/001")

    assert plain.body == asked.body


async def test_head_gives_the_headers_alone(tmp_path: Path) -> None:
    async with WebBench(tmp_path) as bench:
        await filled(bench)
        await bench.publish()
        tile = await bench.send(
            f"HEAD {url(Tile(0, 0))} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        )
        checkpoint = await bench.send(
            f"HEAD /t/{NAME}/checkpoint HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        )

    assert (tile.status, tile.headers["content-length"], tile.body) == (
        200,
        "8192",
        b"",
    )
    assert (checkpoint.status, checkpoint.body) == (200, b"")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_another_method_is_not_allowed(tmp_path: Path, method: str) -> None:
    async with WebBench(tmp_path) as bench:
        reply = await bench.send(
            f"{method} /t/{NAME}/checkpoint HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        )

    assert reply.is_problem(405, "method-not-allowed")
    assert reply.headers["allow"] == "GET, HEAD"


async def test_a_log_that_was_never_published_has_no_checkpoint(
    tmp_path: Path,
) -> None:
    async with WebBench(tmp_path) as bench:
        reply = await bench.get(f"/t/{NAME}/checkpoint")

    assert reply.is_problem(404, "not-found")


async def test_the_checkpoint_is_asked_for_again_each_time(tmp_path: Path) -> None:
    path = f"/t/{NAME}/checkpoint"
    async with WebBench(tmp_path) as bench:
        await bench.publish()
        first = await bench.get(path)
        same = await bench.get(path, If_None_Match=first.headers["etag"])
        weak = await bench.get(path, If_None_Match=f'W/"x", {first.headers["etag"]}')
        await bench.append(b"more")
        await bench.publish()
        other = await bench.get(path, If_None_Match=first.headers["etag"])
        note = bench.log.head.note

    assert first.headers["content-type"] == "text/plain; charset=utf-8"
    assert first.headers["cache-control"] == "no-cache"
    assert [(one.status, one.body) for one in (same, weak)] == [(304, b"")] * 2
    assert (other.status, other.body) == (200, note)


async def test_a_bundle_is_compressed_for_whoever_takes_it(tmp_path: Path) -> None:
    async with WebBench(tmp_path) as bench:
        await filled(bench)
        plain = await bench.get(url(Tile(ENTRIES, 0)))
        packed = await bench.get(url(Tile(ENTRIES, 0)), Accept_Encoding="gzip")
        again = await bench.get(url(Tile(ENTRIES, 0)), Accept_Encoding="br, *;q=0.5")
        partial = await bench.get(url(Tile(ENTRIES, 2, 8)), Accept_Encoding="GZIP")
        refused = await bench.get(url(Tile(ENTRIES, 0)), Accept_Encoding="gzip;q=0")
        tile = await bench.get(url(Tile(0, 0)), Accept_Encoding="gzip")
        held = bench.services.bundles.find((NAME, 0))

    assert packed.headers["content-encoding"] == "gzip"
    assert packed.headers["vary"] == "Accept-Encoding"
    assert gzip.decompress(packed.body) == plain.body
    assert again.body == packed.body == held
    assert len(parse_bundle(gzip.decompress(partial.body))) == 8
    assert "content-encoding" not in refused.headers
    assert "content-encoding" not in tile.headers


async def test_a_bundle_that_does_not_compress_is_served_as_it_is(
    tmp_path: Path,
) -> None:
    noise = [sha512(b"%d" % number).digest() for number in range(100)]
    async with WebBench(tmp_path) as bench:
        await bench.batch(format_bundle(noise), key="noise")
        tile = Tile(ENTRIES, 0, 101)
        reply = await bench.get(url(tile), Accept_Encoding="gzip")

    assert "content-encoding" not in reply.headers
    assert reply.headers["vary"] == "Accept-Encoding"
    assert parse_bundle(reply.body)[1:] == noise
