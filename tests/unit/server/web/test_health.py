"""Health: what makes a server not ready, and what is only worth a look."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tallystick_server.clock import SetClock
from tallystick_server.log.asked import WitnessHealth
from tallystick_server.log.publisher import PublisherHealth
from tallystick_server.log.reader import Reader
from tallystick_server.log.tokengate import TokenGate
from tallystick_server.web.app import watch_once
from tallystick_server.web.compressed import BundleCache
from tallystick_server.web.freshness import Freshness
from tallystick_server.web.health import Level, check_all
from tallystick_server.web.services import Limits, make_services
from tests.fakes.faults import FaultyStore
from tests.fakes.logs import NAME, submission
from tests.fakes.web import Reply, WebBench


async def looked_at(bench: WebBench) -> tuple[Reply, dict[str, Any]]:
    """Ask whether it is ready, and for all checks by name."""
    ready = await bench.get("/readyz")
    health = (await bench.get("/healthz")).json()
    checks = {one["name"]: one for one in health["checks"]}
    return ready, {"status": health["status"], **checks}


async def test_a_log_that_works_is_ready_and_ok(tmp_path: Path) -> None:
    async with WebBench(tmp_path) as bench:
        live = await bench.get("/livez")
        ready, health = await looked_at(bench)

    assert (live.status, ready.status, health["status"]) == (200, 200, "ok")
    assert ready.headers["cache-control"] == "no-store"


async def test_a_read_only_log_is_alive_but_not_ready(tmp_path: Path) -> None:
    async with WebBench(tmp_path, takes_entries=False) as bench:
        live = await bench.get("/livez")
        ready, health = await looked_at(bench)

    assert (live.status, ready.status, health["status"]) == (200, 503, "degraded")
    assert ready.json()["reasons"] == [f"{NAME}: signing: the log is read-only"]


class RottenRows(FaultyStore):
    """A store whose rows have rotted."""

    def read_row(self, level: int, block: int) -> bytes:
        return bytes(len(super().read_row(level, block)))


@pytest.mark.parametrize("takes_entries", [True, False])
async def test_a_log_whose_data_are_wrong_serves_none_of_it_and_says_so(
    tmp_path: Path, takes_entries: bool
) -> None:
    bench = WebBench(tmp_path, takes_entries=takes_entries)
    bench.log.reader = Reader(RottenRows(bench.store), bench.log.head)
    bench.log.reader.watch(bench.log.saw_doubt)
    async with bench:
        tile = await bench.get(f"/t/{NAME}/tile/0/000.p/1")
        bundle = await bench.get(f"/t/{NAME}/tile/entries/000.p/1")
        ready, health = await looked_at(bench)

    assert tile.is_problem(500, "internal")
    assert bundle.is_problem(500, "internal")
    assert (ready.status, health["status"]) == (503, "unhealthy")
    (reason,) = ready.json()["reasons"]
    assert reason.startswith(f"{NAME}: signing: what is stored is wrong: the unfin")


async def test_a_log_that_waits_for_clearance_says_so(tmp_path: Path) -> None:
    async with WebBench(tmp_path, takes_entries=False) as bench:
        bench.hosted.standing.blocked = "no quorum"
        ready, health = await looked_at(bench)

    assert (ready.status, health["status"]) == (503, "unhealthy")
    assert "waiting for clearance: no quorum" in ready.json()["reasons"][0]


async def test_a_log_that_stopped_signing_says_why(tmp_path: Path) -> None:
    async with WebBench(tmp_path) as bench:
        bench.log.stop_signing("witness w is ahead")
        ready, health = await looked_at(bench)

    assert (ready.status, health["status"]) == (503, "unhealthy")
    assert ready.json()["reasons"] == [f"{NAME}: signing: witness w is ahead"]


async def test_a_full_disk_makes_it_not_ready(tmp_path: Path) -> None:
    async with WebBench(tmp_path) as bench:
        bench.free = 0
        ready, health = await looked_at(bench)

    assert (ready.status, health[f"{NAME}: disk"]["status"]) == (503, "unhealthy")


async def test_a_log_without_witnesses_or_anchor_cannot_detect_a_rollback(
    tmp_path: Path,
) -> None:
    async with WebBench(tmp_path, detects_rollback=False) as bench:
        ready, health = await looked_at(bench)

    assert (ready.status, health["status"]) == (200, "degraded")
    detail = health[f"{NAME}: rollback"]["detail"]
    assert detail.startswith("rollback not detectable")


async def test_an_anchor_on_the_disk_of_the_store_is_worth_a_look(
    tmp_path: Path,
) -> None:
    async with WebBench(tmp_path, anchor_shares_disk=True) as bench:
        ready, health = await looked_at(bench)

    assert (ready.status, health["status"]) == (200, "degraded")
    assert "file system of the store" in health[f"{NAME}: rollback"]["detail"]


async def test_publishing_that_stands_still_makes_it_not_ready(tmp_path: Path) -> None:
    async with WebBench(tmp_path) as bench:
        await bench.publish()
        await bench.log.append(submission("a", b"1"))
        watch_once(bench.services)
        bench.inner.clock.advance(5_000)
        in_time, _ = await looked_at(bench)
        bench.inner.clock.advance(1)
        late, health = await looked_at(bench)
        await bench.publish()
        watch_once(bench.services)
        again, _ = await looked_at(bench)

    assert (in_time.status, late.status, again.status) == (200, 503, 200)
    assert health[f"{NAME}: publishing"]["status"] == "unhealthy"


class BrokenGate(TokenGate):
    """A gate whose token file cannot be looked at, for a reason nobody thought of."""

    def refresh(self) -> bool:
        raise RuntimeError("a bug")


async def test_an_error_while_watching_is_logged_and_the_watch_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with WebBench(tmp_path) as bench:
        gate = BrokenGate(NAME, bench.token_path, bench.inner.clock)
        services = make_services(
            [replace(bench.hosted, gate=gate)],
            clock=bench.inner.clock,
            limits=bench.services.limits,
            bundles=bench.services.bundles,
        )
        await bench.log.append(submission("a", b"1"))
        watch_once(services)
        bench.inner.clock.advance(5_000)

        lag_ms = bench.hosted.freshness.lag_ms(bench.inner.clock.monotonic_ms())

    assert lag_ms == 5_000
    assert [one.getMessage() for one in caplog.records] == ["watching a log failed"]


class Told:
    """A publisher that tells what it was told to."""

    def __init__(
        self,
        *witnesses: WitnessHealth,
        is_met: bool = True,
        age_s: int | None = 1,
        is_degraded: bool = False,
    ) -> None:
        self._said = PublisherHealth(1, 1, is_met, age_s, is_degraded, witnesses)

    def health(self) -> PublisherHealth:
        return self._said


@pytest.mark.parametrize(
    ("publisher", "status", "detail"),
    [
        (Told(), "ok", "its youngest is 1 s old"),
        (Told(age_s=None), "ok", "asks for no witness"),
        (Told(age_s=None, is_degraded=True), "ok", "asks for no witness"),
        (Told(is_met=False, is_degraded=True), "degraded", "not met"),
        (Told(age_s=1_801, is_degraded=True), "degraded", "it was not renewed in time"),
    ],
)
async def test_a_quorum_that_is_not_met_or_not_renewed_is_worth_a_look(
    tmp_path: Path, publisher: Told, status: str, detail: str
) -> None:
    async with WebBench(tmp_path) as bench:
        bench.hosted.standing.publisher = publisher
        ready, health = await looked_at(bench)

    assert (ready.status, health["status"]) == (200, status)
    assert detail in health[f"{NAME}: quorum"]["detail"]


@pytest.mark.parametrize(
    ("ok_ms_ago", "error", "status", "detail"),
    [
        (None, None, "ok", "not asked yet"),
        (2_500, None, "ok", "answered 2 s ago"),
        (2_500, "cannot connect", "degraded", "cannot connect"),
    ],
)
async def test_each_witness_is_shown(
    tmp_path: Path, ok_ms_ago: int | None, error: str | None, status: str, detail: str
) -> None:
    witness = WitnessHealth("w", "http://w", ok_ms_ago, error, None, 0, 0)
    async with WebBench(tmp_path) as bench:
        bench.hosted.standing.publisher = Told(witness)
        ready, health = await looked_at(bench)

    assert ready.status == 200
    found = health[f"{NAME}: witness w"]
    assert (found["status"], found["detail"]) == (status, detail)


def test_a_server_without_a_log_is_not_healthy() -> None:
    services = make_services(
        [], clock=SetClock(), limits=Limits(), bundles=BundleCache()
    )

    (check,) = check_all(services)

    assert (check.level, check.is_blocking) == (Level.UNHEALTHY, True)


def test_freshness_counts_from_the_first_entry_that_is_not_published() -> None:
    fresh = Freshness()

    fresh.observe(size=5, published=5, now_ms=1_000)
    idle = fresh.lag_ms(900_000)
    fresh.observe(size=6, published=5, now_ms=900_000)
    fresh.observe(size=9, published=5, now_ms=901_000)
    waiting = fresh.lag_ms(902_000)
    fresh.observe(size=9, published=8, now_ms=903_000)
    published_since = fresh.lag_ms(904_000)
    fresh.observe(size=9, published=9, now_ms=905_000)

    assert (idle, waiting, published_since) == (0, 2_000, 1_000)
    assert fresh.lag_ms(999_000) == 0


async def test_the_front_page_lists_the_logs(tmp_path: Path) -> None:
    async with WebBench(tmp_path) as bench:
        page = await bench.get("/")

    assert page.headers["content-type"] == "text/plain; charset=utf-8"
    assert f"/t/{NAME}/checkpoint" in page.body.decode()
