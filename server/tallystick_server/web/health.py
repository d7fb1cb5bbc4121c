"""Health: is the process alive, may it be sent traffic, and what is wrong.

    /livez     200 while the process answers
    /readyz    200, or 503 with the reasons, when entries would be refused or publishing
               has stood still for too long
    /healthz   200 with every check: ok, degraded (works, but look) or unhealthy

A log that nothing would notice being rolled back says so here (D8).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum

from aiohttp import hdrs, web

from tallystick_server.log.publisher import PublisherHealth
from tallystick_server.web.headers import COMMON
from tallystick_server.web.incoming import read_query
from tallystick_server.web.services import SERVICES, Hosted, Services

HEADERS = {
    hdrs.CONTENT_TYPE: "application/json",
    hdrs.CACHE_CONTROL: "no-store",
    **COMMON,
}
"""Headers of every answer about health."""


class Level(IntEnum):
    """How a check went; the worst one is the server's."""

    OK = 0
    DEGRADED = 1
    UNHEALTHY = 2


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. `is_blocking` makes the server not ready."""

    name: str
    level: Level
    detail: str
    is_blocking: bool = False


def check_all(services: Services) -> list[Check]:
    """Look at every log."""
    if not services.hosted:
        return [Check("logs", Level.UNHEALTHY, "no log is served", is_blocking=True)]
    now_ms = services.clock.monotonic_ms()
    return [
        check
        for hosted in services.hosted.values()
        for check in check_log(hosted, now_ms)
    ]


def check_log(hosted: Hosted, now_ms: int) -> Iterator[Check]:
    """Look at one log; `now_ms` is monotonic."""
    log, name = hosted.log, hosted.log.name
    if hosted.standing.blocked is not None:
        detail = f"waiting for clearance: {hosted.standing.blocked}"
        yield _blocking(f"{name}: signing", Level.UNHEALTHY, detail)
    elif log.is_read_only and log.doubt is not None:
        yield _blocking(f"{name}: signing", Level.UNHEALTHY, log.doubt)
    elif log.is_read_only:
        yield _blocking(f"{name}: signing", Level.DEGRADED, log.refusal)
    elif log.stopped is not None:
        yield _blocking(f"{name}: signing", Level.UNHEALTHY, log.stopped)
    else:
        yield Check(f"{name}: signing", Level.OK, "the log takes entries")
        yield _check_queue(hosted)
        yield _check_freshness(hosted, now_ms)
    yield from _check_witnesses(hosted)
    yield _check_disk(hosted)
    yield _check_rollback(hosted)


def worst(checks: Iterable[Check]) -> Level:
    """Give the worst level of all."""
    return max((check.level for check in checks), default=Level.OK)


async def get_live(request: web.Request) -> web.Response:
    """Say that the process answers."""
    read_query(request.rel_url.raw_query_string)
    return _answer(200, {"status": "ok"})


async def get_ready(request: web.Request) -> web.Response:
    """Say whether traffic may come, and why not."""
    read_query(request.rel_url.raw_query_string)
    checks = check_all(request.app[SERVICES])
    reasons = [f"{one.name}: {one.detail}" for one in checks if one.is_blocking]
    if reasons:
        return _answer(503, {"status": "not ready", "reasons": reasons})
    return _answer(200, {"status": "ready"})


async def get_health(request: web.Request) -> web.Response:
    """Show every check."""
    read_query(request.rel_url.raw_query_string)
    checks = check_all(request.app[SERVICES])
    shown = [
        {"name": one.name, "status": one.level.name.lower(), "detail": one.detail}
        for one in checks
    ]
    return _answer(200, {"status": worst(checks).name.lower(), "checks": shown})


def _check_queue(hosted: Hosted) -> Check:
    name, waiting = f"{hosted.log.name}: queue", hosted.log.queue_depth
    if hosted.log.has_room:
        return Check(name, Level.OK, f"{waiting} entries wait")
    return _blocking(name, Level.DEGRADED, f"over half full: {waiting} entries wait")


def _check_freshness(hosted: Hosted, now_ms: int) -> Check:
    name, lag_ms = f"{hosted.log.name}: publishing", hosted.freshness.lag_ms(now_ms)
    if lag_ms <= hosted.stale_after_ms:
        return Check(name, Level.OK, "the published checkpoint is fresh")
    detail = f"nothing was published for {lag_ms // 1000} s although the log grew"
    return _blocking(name, Level.UNHEALTHY, detail)


def _check_witnesses(hosted: Hosted) -> Iterator[Check]:
    """Look at the quorum, then at each witness.

    What fails there is no reason to take traffic away: entries are durable all the
    same, and whoever waits for witnesses is told.
    """
    if hosted.standing.publisher is None:
        return
    health = hosted.standing.publisher.health()
    yield _check_quorum(f"{hosted.log.name}: quorum", health)
    for one in health.witnesses:
        name = f"{hosted.log.name}: witness {one.name}"
        if one.last_error is not None:
            yield Check(name, Level.DEGRADED, one.last_error)
        elif one.last_ok_ms_ago is None:
            yield Check(name, Level.OK, "not asked yet")
        else:
            yield Check(name, Level.OK, f"answered {one.last_ok_ms_ago // 1000} s ago")


def _check_quorum(name: str, health: PublisherHealth) -> Check:
    """Look at what the witnesses have cosigned together."""
    if not health.quorum_met:
        detail = "not met by the witnesses' last answers"
        return Check(name, Level.DEGRADED, detail)
    if health.quorum_s_ago is None:
        return Check(name, Level.OK, "the policy asks for no witness")
    if health.is_degraded:
        detail = "met before, but signing stopped, it was not renewed in time, or a "
        return Check(name, Level.DEGRADED, f"{detail}witness hints at a fork")
    return Check(name, Level.OK, f"its youngest is {health.quorum_s_ago} s old")


def _check_disk(hosted: Hosted) -> Check:
    name = f"{hosted.log.name}: disk"
    if hosted.log.has_disk:
        return Check(name, Level.OK, "above its margin")
    return _blocking(name, Level.UNHEALTHY, "below its margin; entries are refused")


def _check_rollback(hosted: Hosted) -> Check:
    name = f"{hosted.log.name}: rollback"
    if hosted.anchor_shares_disk:
        detail = "the anchor is on the file system of the store: both may go back"
        return Check(name, Level.DEGRADED, f"{detail} at once")
    if hosted.detects_rollback:
        return Check(name, Level.OK, "detectable")
    return Check(
        name,
        Level.DEGRADED,
        "rollback not detectable: the log has neither witnesses nor an anchor",
    )


def _blocking(name: str, level: Level, detail: str) -> Check:
    return Check(name, level, detail, is_blocking=True)


def _answer(status: int, body: dict[str, object]) -> web.Response:
    return web.Response(status=status, body=json.dumps(body).encode(), headers=HEADERS)
