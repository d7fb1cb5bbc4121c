"""R13: more connections than there is room for, handshakes without end, no descriptors.

A well-behaved client is answered all the while: whoever is idle longest makes room for
it, and a process without descriptors says so once and goes on.
"""

from __future__ import annotations

import resource
import select
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.rows.forms import Form
from tests.rows.report import Figures
from tests.system.hostile.houses import Guard, Server, descriptors_for, place_of
from tests.system.hostile.memory import (
    cpu_s,
    descriptors,
    forget_peak,
    peak_mib,
    rss_mib,
)
from tests.system.hostile.probe import ASK, Probe
from tests.system.hostile.slowly import connections, until_cut
from tests.system.hostile.test_corpus import GROWTH_MIB, STALL_MS
from tests.system.one_log import OneLog
from tests.system.patience import until
from tests.system.test_server_life import certificate

pytestmark = [
    pytest.mark.system,
    pytest.mark.slow,
    pytest.mark.row("R13"),
    pytest.mark.timeout(300),
]

SPARE = 160
"""Descriptors that a process may have beside its connections."""


@contextmanager
def house(kind: str, folder: Path, most: int) -> Iterator[Server | Guard]:
    """Serve a log or a witness with room for `most` connections."""
    line = f"max_connections = {most}"
    if kind == "witness":
        with Guard(folder, line) as witness:
            yield witness
    else:
        server = Server(folder, line)
        with server.log:
            yield server


def events(target: Server | Guard) -> list[dict[str, Any]]:
    """What a house has logged."""
    return target.log.logged() if isinstance(target, Server) else target.logged()


@pytest.mark.parametrize("kind", ["server", "witness"])
@pytest.mark.parametrize("room", ["for all", "for few"])
def test_idle_connections_keep_nobody_out(
    tmp_path: Path, form: Form, figures: Figures, kind: str, room: str
) -> None:
    if (kind, room) != ("server", "for few"):
        form.needs(Form.CI, "one of four is tried")
    wanted = form.pick(quick=200, ci=1_000, long=5_000)
    most = wanted + 50 if room == "for all" else form.pick(quick=50, ci=256, long=1024)
    with house(kind, tmp_path, most) as target:
        before = rss_mib(target.pid)
        forget_peak(target.pid)
        with (
            descriptors_for(wanted) as many,
            Probe(target.place) as probe,
            connections(target, many),
        ):
            is_full = until(lambda: is_held(target, min(many, most) - 1))
            held = descriptors(target.pid)
            new = ask_anew(target.place, 20)
            is_told = room == "for all" or until(lambda: is_told_of(target))
        growth = peak_mib(target.pid) - before

    pushed = probe.seen.failed
    figures.record(
        f"{kind}: idle connections, room {room}",
        tried=many,
        bad=new + pushed,
        note=f"{held} descriptors; {probe.seen}, {pushed} pushed out; "
        f"memory {growth:+.0f} MiB",
    )
    assert new == 0
    assert pushed == 0
    assert held <= most + SPARE
    assert is_full
    assert is_told
    assert probe.seen.worst_ms < STALL_MS
    assert growth < GROWTH_MIB


def test_idle_connections_are_closed_in_time(
    tmp_path: Path, form: Form, figures: Figures
) -> None:
    form.needs(Form.CI, "the limit of a first head is ten seconds")
    wanted = form.pick(quick=0, ci=500, long=5_000)
    server = Server(tmp_path, f"max_connections = {wanted + 50}")
    with (
        server.log,
        descriptors_for(wanted) as many,
        Probe(server.place) as probe,
        connections(server, many) as links,
    ):
        ended = until_cut(links, most_s=40)

    figures.record(
        "idle connections closed by default",
        tried=many,
        bad=ended.left,
        note=f"limit 10 s, last after {ended.last_s:.1f} s; {probe.seen}",
    )
    assert ended.left == 0
    assert probe.seen.worst_ms < STALL_MS


def test_handshakes_that_never_end_keep_nobody_out(
    tmp_path: Path, form: Form, figures: Figures
) -> None:
    many, most = form.pick(quick=100, ci=400, long=2_000), 64
    cert, key = certificate(tmp_path)
    tls = ssl.create_default_context(cafile=str(cert))
    with OneLog(tmp_path, f"max_connections = {most}") as log, ExitStack() as stack:
        daemon = log.start("--tls-cert", str(cert), "--tls-key", str(key))
        place, pid = place_of(daemon), daemon.process.pid
        stack.enter_context(descriptors_for(many))
        refused = 0
        for number in range(many):
            link = stack.enter_context(socket.create_connection(place, timeout=30))
            link.sendall(b"\x16\x03\x01\x02\x00" if number % 2 else b"")
            if number % 10 == 0:
                refused += not greet(place, tls)
        held = descriptors(pid)

    figures.record(
        "TLS handshakes that never end",
        tried=many,
        bad=refused,
        note=f"{held} descriptors, room for {most} connections",
    )
    assert refused == 0
    assert held <= most + SPARE


@pytest.mark.parametrize("kind", ["server", "witness"])
def test_a_process_without_descriptors_says_so_once_and_goes_on(
    tmp_path: Path, form: Form, figures: Figures, kind: str
) -> None:
    form.needs(Form.CI, "the process is left without descriptors for some seconds")
    rounds = form.pick(quick=0, ci=2, long=5)
    with house(kind, tmp_path, 500) as target:
        _, hard = resource.prlimit(target.pid, resource.RLIMIT_NOFILE)
        spent = 0.0
        for _ in range(rounds):
            free = descriptors(target.pid) + 20
            resource.prlimit(target.pid, resource.RLIMIT_NOFILE, (free, hard))
            before = cpu_s(target.pid)
            with connections(target, 60):
                assert until(lambda: shortages(target) > 0)
                select.select([], [], [], 2.0)
                spent = max(spent, cpu_s(target.pid) - before)
            resource.prlimit(target.pid, resource.RLIMIT_NOFILE, (hard, hard))
            assert until(lambda: ask_anew(target.place, 1) == 0)
        told = shortages(target)
        failed = ask_anew(target.place, 10)

    figures.record(
        f"{kind}: no descriptor left",
        tried=rounds,
        bad=failed,
        note=f"told {told} times, {spent:.2f} s of processor in two seconds of it",
    )
    assert failed == 0
    assert told <= rounds
    assert spent < 1.0


def is_held(target: Server | Guard, many: int) -> bool:
    """Whether a house holds so many descriptors."""
    return ask_anew(target.place, 1) == 0 and descriptors(target.pid) >= many


def is_told_of(target: Server | Guard) -> bool:
    """Whether a house has said that it closed idle connections."""
    ask_anew(target.place, 1)
    return any(one["event"] == "idle connections closed" for one in events(target))


def shortages(target: Server | Guard) -> int:
    """How often a house has said that it cannot accept."""
    return sum(one["event"] == "cannot accept" for one in events(target))


def ask_anew(place: tuple[str, int], times: int) -> int:
    """Ask on new connections; give how many were not answered."""
    failed = 0
    for _ in range(times):
        try:
            with socket.create_connection(place, timeout=30) as link:
                link.sendall(ASK)
                failed += not link.recv(4096).startswith(b"HTTP/1.1 200 ")
        except OSError:
            failed += 1
    return failed


def greet(place: tuple[str, int], tls: ssl.SSLContext) -> bool:
    """Ask over TLS; say whether it was answered."""
    with (
        socket.create_connection(place, timeout=30) as link,
        tls.wrap_socket(link, server_hostname="localhost") as safe,
    ):
        safe.sendall(ASK)
        return safe.recv(4096).startswith(b"HTTP/1.1 200 ")
