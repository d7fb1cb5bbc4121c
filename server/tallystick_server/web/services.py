"""What the handlers work with: the logs that are served, and the limits of a request.

Everything is made in `wiring` and put into the application under one typed key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

from aiohttp import web

from tallystick_server.clock import Clock
from tallystick_server.errors import NotFoundError
from tallystick_server.ingest.intake import Intake
from tallystick_server.log.log import Log
from tallystick_server.log.publisher import PublisherHealth
from tallystick_server.log.tokengate import TokenGate
from tallystick_server.web.compressed import BundleCache
from tallystick_server.web.freshness import Freshness
from tallystick_server.web.unsent import Unsent


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one request, in seconds."""

    body_timeout_s: float = 30.0
    wait_max_s: float = 20.0


@dataclass(slots=True)
class Standing:
    """What is known of a log beside itself; kept up to date by the wiring.

    `blocked` says why a log that is meant to sign does not yet; `publisher` tells how
    publishing goes, once it runs.
    """

    blocked: str | None = None
    publisher: HasHealth | None = None


class HasHealth(Protocol):
    """Tells how publishing goes; `log.publisher.Publisher` does."""

    def health(self) -> PublisherHealth:
        """Give the facts."""
        ...


@dataclass(frozen=True, slots=True)
class Hosted:
    """One log as it is served: itself, who may append, how fresh it is published.

    `detects_rollback` says whether witnesses or an anchor would notice that the log
    was set back (D8); `anchor_shares_disk` that the anchor may go back with it;
    `stale_after_ms` when an unpublished head makes it not ready; `is_public` that
    anybody may read it, of whatever kind it is; `intake` takes the events of a log of
    events, and shows them.
    """

    log: Log
    gate: TokenGate
    freshness: Freshness
    standing: Standing
    detects_rollback: bool
    anchor_shares_disk: bool
    stale_after_ms: int
    is_public: bool = False
    intake: Intake | None = None


@dataclass(frozen=True, slots=True)
class Services:
    """All that handlers may use."""

    hosted: Mapping[str, Hosted]
    clock: Clock
    limits: Limits
    bundles: BundleCache = field(default_factory=BundleCache)
    unsent: Unsent = field(default_factory=Unsent)


SERVICES = web.AppKey("services", Services)
"""Where an application keeps its services."""


def make_services(
    hosted: list[Hosted], *, clock: Clock, limits: Limits, bundles: BundleCache
) -> Services:
    """Gather services; logs are found by name."""
    by_name = {one.log.name: one for one in hosted}
    return Services(MappingProxyType(by_name), clock, limits, bundles)


def find_log(request: web.Request) -> Hosted:
    """Find the log that a request's path names, spelt as it is.

    Raises NotFoundError for another log, or for a path with escapes: no path of ours
    needs any.
    """
    found = request.app[SERVICES].hosted.get(request.match_info["log"])
    if found is None or "%" in request.rel_url.raw_path:
        raise NotFoundError("no such log")
    return found
