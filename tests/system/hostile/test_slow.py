"""R13: clients that are slow on purpose, or leave in the middle, hold nothing for long.

The limits are those of the configuration; each is checked once a second, and a busy
machine adds its own, so that the bound asserted is generous.  What was seen is in the
figures; in the long form the limits are the defaults.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.rows.forms import Form
from tests.rows.report import Figures
from tests.system.hostile.attack import answers, connected
from tests.system.hostile.houses import PATIENCE, Guard, Server, descriptors_for
from tests.system.hostile.memory import (
    descriptors,
    forget_peak,
    peak_mib,
    rss_mib,
)
from tests.system.hostile.probe import Probe
from tests.system.hostile.slowly import TICK_S, connections, reset, until_cut
from tests.system.hostile.test_corpus import GROWTH_MIB, STALL_MS, post
from tests.system.one_log import READ
from tests.system.patience import until

pytestmark = [
    pytest.mark.system,
    pytest.mark.slow,
    pytest.mark.row("R13"),
    pytest.mark.timeout(300),
]

SLACK_S = 5.0
"""What a limit may be exceeded by: one look, and a machine that others use."""

BUNDLES_MIB = 64.0
"""What a server may hold of bundles that are being sent, beside all else."""

BUNDLE = f"GET {READ}/tile/entries/000 HTTP/1.1\r\nHost: x\r\n\r\n".encode()
EVENTS = {"late connections cut", "stalled connections cut", "slow bundles cut"}


@pytest.fixture(scope="module")
def limits(form: Form) -> tuple[float, float, float]:
    """Seconds for a head, a body, and over which an answer's rate is judged."""
    return (10.0, 30.0, 30.0) if form is Form.LONG else (1.0, 1.0, 2.0)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, form: Form) -> Iterator[Server]:
    """The defaults in the long form, else a server that is short of patience."""
    lines = () if form is Form.LONG else PATIENCE
    made = Server(tmp_path_factory.mktemp("slow"), *lines)
    with made.log:
        yield made


@pytest.mark.parametrize("drop", [b"", b"X: y\r\n"], ids=["silent", "dripping"])
@pytest.mark.parametrize("begun", [b"", b"GET /livez HTTP/1.1\r\n"], ids=["no", "half"])
def test_a_head_that_does_not_come_is_cut_in_time(
    server: Server,
    form: Form,
    figures: Figures,
    limits: tuple[float, float, float],
    begun: bytes,
    drop: bytes,
) -> None:
    if not (begun and drop):
        form.needs(Form.CI, "one of four is tried")
    if not begun and drop:
        begun = b"GET /"
        drop = b"x"
    many = form.pick(quick=5, ci=100, long=400)
    with connections(server, many) as links, Probe(server.place) as probe:
        for link in links:
            link.sendall(begun)
        ended = until_cut(links, most_s=limits[0] + 4 * SLACK_S, drop=drop)

    figures.record(
        "slow heads",
        tried=many,
        bad=ended.left,
        note=f"limit {limits[0]:.0f} s, last after {ended.last_s:.1f} s; {probe.seen}",
    )
    assert ended.left == 0
    assert ended.last_s < limits[0] + SLACK_S
    assert probe.seen.failed == 0
    assert probe.seen.worst_ms < STALL_MS


@pytest.mark.parametrize("drop", [b"", b"x"], ids=["silent", "dripping"])
def test_a_body_that_does_not_come_is_given_up_in_time(
    server: Server,
    form: Form,
    figures: Figures,
    limits: tuple[float, float, float],
    drop: bytes,
) -> None:
    form.needs(Form.CI, "one look at the bodies is in the corpus")
    many = form.pick(quick=0, ci=100, long=400)
    with connections(server, many) as links, Probe(server.place) as probe:
        for link in links:
            link.sendall(post(server) + b"Content-Length: 60000\r\n\r\nhalf")
        ended = until_cut(links, most_s=limits[1] + 4 * SLACK_S, drop=drop)

    statuses = {one.status for said in ended.said for one in answers(said)}
    figures.record(
        "slow bodies",
        tried=many,
        bad=ended.left,
        note=f"limit {limits[1]:.0f} s, last after {ended.last_s:.1f} s; {probe.seen}",
    )
    assert ended.left == 0
    assert statuses == {408}
    assert ended.last_s < limits[1] + SLACK_S
    assert probe.seen.worst_ms < STALL_MS


def test_a_reader_that_drips_is_cut_in_time(
    server: Server,
    form: Form,
    figures: Figures,
    limits: tuple[float, float, float],
) -> None:
    form.needs(Form.CI, "it takes some seconds to be known as slow")
    many = form.pick(quick=0, ci=6, long=6)
    before = rss_mib(server.pid)
    forget_peak(server.pid)
    with (
        connections(server, many, receive_bytes=4096) as links,
        Probe(server.place) as probe,
    ):
        for link in links:
            link.sendall(BUNDLE)
        ended = until_cut(links, most_s=3 * limits[2] + 4 * SLACK_S, sip=256)

    growth = peak_mib(server.pid) - before
    figures.record(
        "readers that drip",
        tried=many,
        bad=ended.left,
        note=f"limit {limits[2]:.0f} s, last after {ended.last_s:.1f} s; {probe.seen}; "
        f"memory {growth:+.0f} MiB",
    )
    assert ended.left == 0
    assert "stalled connections cut" in {one["event"] for one in server.log.logged()}
    assert probe.seen.worst_ms < STALL_MS


def test_those_who_drip_do_not_keep_bundles_from_others(
    tmp_path: Path, form: Form, figures: Figures
) -> None:
    form.needs(Form.CI, "some seconds go by before a slow reader is known as one")
    many = 24
    server = Server(tmp_path, "write_least_rate = 1")
    asked = 0

    def served() -> bool:
        nonlocal asked
        asked += 1
        return server.log.fetch(f"{READ}/tile/entries/000").status == 200

    with server.log, connections(server, many, receive_bytes=4096) as links:
        before = rss_mib(server.pid)
        forget_peak(server.pid)
        for link in links:
            link.sendall(BUNDLE)
        full = until(lambda: server.log.fetch(f"{READ}/tile/entries/000").status == 503)
        until_cut(links, most_s=60, sip=64, is_done=served)
        ended = until_cut(links, most_s=TICK_S * 20)
        growth = peak_mib(server.pid) - before
        events = {one["event"] for one in server.log.logged()}
        figures.record(
            "readers that hold the budget of bundles",
            tried=many,
            bad=int(not full or ended.left == many),
            note=f"{len(ended.said)} cut, others served after {asked} questions; "
            f"memory {growth:+.0f} MiB",
        )

    assert full
    assert "slow bundles cut" in events
    assert ended.left < many
    assert growth < BUNDLES_MIB + GROWTH_MIB


def test_who_resets_in_the_middle_of_an_answer_leaves_nothing_behind(
    server: Server, form: Form, figures: Figures
) -> None:
    rounds = form.pick(quick=2, ci=10, long=60)
    held = descriptors(server.pid)
    before = rss_mib(server.pid)
    with Probe(server.place) as probe:
        for _ in range(rounds):
            with connections(server, 8, receive_bytes=4096) as links:
                for link in links:
                    link.sendall(BUNDLE)
                for link in links[:4]:
                    link.recv(1)
                for link in links:
                    reset(link)
    growth = rss_mib(server.pid) - before

    figures.record(
        "resets in the middle of an answer",
        tried=8 * rounds,
        bad=len(server.errors()),
        note=f"{probe.seen}; memory {growth:+.0f} MiB",
    )
    assert until(lambda: server.log.fetch(f"{READ}/tile/entries/000").status == 200)
    assert until(lambda: descriptors(server.pid) <= held + 2)
    assert server.errors() == []
    assert probe.seen.failed == 0
    assert probe.seen.worst_ms < STALL_MS
    assert growth < BUNDLES_MIB + GROWTH_MIB


def test_a_half_open_connection_is_answered_or_closed_and_held_by_nobody(
    server: Server,
    form: Form,
    figures: Figures,
    limits: tuple[float, float, float],
) -> None:
    many = form.pick(quick=10, ci=100, long=1_000)
    held = descriptors(server.pid)
    with descriptors_for(many), connections(server, many) as links:
        for number, link in enumerate(links):
            if number % 2:
                link.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n")
            link.shutdown(socket.SHUT_WR)
        ended = until_cut(links, most_s=limits[0] + 4 * SLACK_S)

    figures.record(
        "half-open connections",
        tried=many,
        bad=ended.left,
        note=f"last closed after {ended.last_s:.1f} s",
    )
    assert ended.left == 0
    assert until(lambda: descriptors(server.pid) <= held + 2)


def test_who_asks_on_and_takes_nothing_is_cut(
    server: Server,
    form: Form,
    figures: Figures,
    limits: tuple[float, float, float],
) -> None:
    form.needs(Form.CI, "it takes some seconds to be known as slow")
    asks = form.pick(quick=0, ci=50_000, long=200_000)
    before = rss_mib(server.pid)
    forget_peak(server.pid)
    ask = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    with connected(server) as link, Probe(server.place) as probe:
        link.setblocking(False)
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sent, is_cut = 0, False
        ended = select.poll()
        ended.register(link, 0)  # wakes on a reset alone
        while not is_cut and sent < asks:
            with suppress(BlockingIOError):
                sent += link.send(ask * 100) // len(ask)
            is_cut = bool(ended.poll(1))
        is_cut = is_cut or bool(ended.poll((2 * limits[2] + 4 * SLACK_S) * 1000))
    growth = peak_mib(server.pid) - before

    figures.record(
        "pipelined requests whose answers nobody takes",
        tried=sent,
        bad=int(not is_cut),
        note=f"{probe.seen}; memory {growth:+.0f} MiB",
    )
    assert is_cut
    assert growth < GROWTH_MIB
    assert probe.seen.worst_ms < STALL_MS


def test_the_witness_cuts_heads_and_bodies_that_do_not_come(
    tmp_path: Path, form: Form, figures: Figures
) -> None:
    form.needs(Form.CI, "the limit of a witness is ten seconds")
    many = form.pick(quick=0, ci=50, long=200)
    begun = b"POST /add-checkpoint HTTP/1.1\r\nHost: w\r\n"
    starts = (b"", begun, begun + b"Content-Length: 100\r\n\r\nhalf")
    with (
        Guard(tmp_path, "max_connections = 1000") as witness,
        connections(witness, many * len(starts)) as links,
        Probe(witness.place) as probe,
    ):
        for number, link in enumerate(links):
            link.sendall(starts[number % len(starts)])
        ended = until_cut(links, most_s=10 + 4 * SLACK_S)

    figures.record(
        "witness: slow heads and bodies",
        tried=len(links),
        bad=ended.left,
        note=f"limit 10 s, last cut after {ended.last_s:.1f} s; {probe.seen}",
    )
    assert ended.left == 0
    assert ended.last_s < 10 + SLACK_S
    assert probe.seen.worst_ms < STALL_MS
