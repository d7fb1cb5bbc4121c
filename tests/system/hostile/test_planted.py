"""R19: the hostile corpus notices a server that was sabotaged.

Each planted bug takes away one defence; the part of the corpus that stands for it must
complain.  A server without a planted bug passes the same parts in the other files.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.rows.forms import Form
from tests.rows.report import Figures
from tests.system.hostile import planted
from tests.system.hostile.attack import attack
from tests.system.hostile.houses import PATIENCE, Server
from tests.system.hostile.memory import forget_peak, peak_mib, rss_mib
from tests.system.hostile.planted import SABOTAGES
from tests.system.hostile.probe import Probe
from tests.system.hostile.slowly import connections, until_cut
from tests.system.hostile.test_corpus import GROWTH_MIB, STALL_MS, TABLES
from tests.system.hostile.test_floods import ask_anew
from tests.system.hostile.test_slow import BUNDLE, BUNDLES_MIB

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.row("R19")]

PLANTED = Path(planted.__file__)


def table(name: str, part: str = "") -> Callable[[Server], str]:
    """Complain as a table of the corpus does, or the part whose names hold `part`."""

    def complaints(server: Server) -> str:
        cases = [one for one in TABLES[name](server) if part in one.name]
        return "; ".join(attack(server, cases)[:2])

    return complaints


def stall(server: Server) -> str:
    """Complain of an event loop that is held up."""
    with Probe(server.place) as probe:
        attack(server, list(TABLES["tokens"](server))[:2])
    return str(probe.seen) if probe.seen.worst_ms >= STALL_MS else ""


def late(server: Server) -> str:
    """Complain of heads that are waited for."""
    with connections(server, 3) as links:
        for link in links:
            link.sendall(b"GET /")
        ended = until_cut(links, most_s=6.0, drop=b"x")
    return f"{ended.left} half heads were left open" if ended.left else ""


def memory(server: Server) -> str:
    """Complain of memory for bundles that nobody takes."""
    before = rss_mib(server.pid)
    forget_peak(server.pid)
    with connections(server, 40, receive_bytes=4096) as links:
        for link in links:
            link.sendall(BUNDLE)
        until_cut(links, most_s=6.0, sip=64)
        growth = peak_mib(server.pid) - before
    return f"{growth:.0f} MiB" if growth >= BUNDLES_MIB + GROWTH_MIB else ""


def crowd(server: Server) -> str:
    """Complain of a well-behaved client that is kept out."""
    with connections(server, 300):
        failed = ask_anew(server.place, 20)
    return f"{failed} of 20 clients were kept out" if failed else ""


WATCHES: dict[str, Callable[[Server], str]] = {
    "a body without a cap": table("sizes", "9 MiB"),
    "bodies are unpacked": table("encodings", "gzip"),
    "paths are read laxly": table("tile paths"),
    "errors are told at length": table("queries", "receipts"),
    "the event loop is held up": stall,
    "heads may take for ever": late,
    "bundles are not counted": memory,
    "idle connections keep their place": crowd,
}


LINES = {
    "heads may take for ever": ("head_timeout_s = 1.0", "keepalive_s = 60.0"),
    "idle connections keep their place": ("max_connections = 64",),
}
"""Configurations in which no other limit does the work of the one taken away."""


def test_every_sabotage_has_a_watch() -> None:
    assert WATCHES.keys() == SABOTAGES.keys()


@pytest.mark.parametrize("name", SABOTAGES)
def test_a_planted_bug_is_caught(
    tmp_path: Path, form: Form, figures: Figures, name: str
) -> None:
    if name != "paths are read laxly":
        form.needs(Form.CI, "one of them is tried")
    program = (sys.executable, str(PLANTED), name)
    server = Server(tmp_path, *LINES.get(name, PATIENCE), program=program)
    with server.log:
        complaint = WATCHES[name](server)

    figures.record(
        f"planted: {name}",
        tried=1,
        bad=int(not complaint),
        note=f"caught by R13: {complaint[:100].replace('|', '/')}",
    )
    assert complaint
