"""R13: what no honest client says, over raw sockets, to the log server.

Every table of the corpus is said to a real process, many cases at once, while a
well-behaved client in a process of its own asks on and measures how long it waits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.rows.forms import Form
from tests.rows.report import Figures
from tests.system.hostile import bodies, framing, paths
from tests.system.hostile.attack import Case, attack
from tests.system.hostile.houses import PATIENCE, Server
from tests.system.hostile.memory import forget_peak, peak_mib, rss_mib
from tests.system.hostile.probe import LEAST, Probe
from tests.system.one_log import API, READ

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.row("R13")]

STALL_MS = 1_000.0
"""The longest a well-behaved client may wait; the plan's figure on a quiet machine is
100, and what was seen is in the figures."""

GROWTH_MIB = 100.0
"""How much memory the server may take during an attack."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = Server(tmp_path_factory.mktemp("hostile"), *PATIENCE)
    with made.log:
        yield made


def post(server: Server, path: str = "entries") -> bytes:
    """Begin a POST that would be taken, all but what tells its length."""
    return server.log.post(f"{API}/{path}", key="hostile")


Table = Callable[[Server], Iterator[Case]]

PATHS = [
    "/", "/livez", "/readyz", "/healthz", API, f"{API}/entries", f"{API}/entries:batch",
    f"{API}/proof/inclusion", f"{API}/receipts/0", f"{READ}/checkpoint",
    f"{READ}/tile/0/000", "/nothing",
]  # fmt: skip
RANGED = ("/livez", f"{READ}/checkpoint", f"{READ}/tile/0/000")
ENTRIES, BATCH = f"{API}/entries", "entries:batch"

TABLES: dict[str, Table] = {
    "framing": lambda one: framing.framing(post(one)),
    "heads and request lines": lambda _: framing.heads(),
    "methods": lambda _: framing.methods(PATHS),
    "tile paths": lambda _: paths.tile_paths(READ),
    "encodings": lambda one: bodies.encodings(post(one)),
    "sizes": lambda one: bodies.sizes(post(one), post(one, BATCH)),
    "expectations": lambda one: bodies.expectations(post(one)),
    "batches": lambda one: bodies.batches(post(one, BATCH)),
    "tokens": lambda one: bodies.tokens(ENTRIES, one.log.token),
    "idempotency keys": lambda one: bodies.keys(ENTRIES, one.log.token),
    "queries": lambda _: bodies.queries(API),
    "waits": lambda one: bodies.waits(post(one)),
    "ranges and conditions": lambda _: (
        one for path in RANGED for one in bodies.ranges(path)
    ),
}


@pytest.mark.parametrize("name", TABLES)
def test_what_no_honest_client_says_is_refused_and_changes_nothing(
    server: Server, form: Form, figures: Figures, name: str
) -> None:
    cases = list(TABLES[name](server))[:: form.pick(quick=12, ci=1, long=1)]
    rounds = form.pick(quick=1, ci=1, long=3)
    size = server.log.size()
    before = rss_mib(server.pid)
    forget_peak(server.pid)

    with Probe(server.place) as probe:
        wrong = [one for _ in range(rounds) for one in attack(server, cases)]

    growth = peak_mib(server.pid) - before
    figures.record(
        name,
        tried=len(cases) * rounds,
        bad=len(wrong),
        note=f"{probe.seen}; memory {growth:+.0f} MiB",
    )
    assert wrong == []
    assert server.log.size() == size
    assert server.errors() == []
    assert probe.seen.asked >= LEAST
    assert probe.seen.failed == 0
    assert probe.seen.worst_ms < STALL_MS
    assert growth < GROWTH_MIB
