"""R13: what no honest client says, over raw sockets, to the witness."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tallystick_merkle.witnessing import MAX_REQUEST
from tests.rows.forms import Form
from tests.rows.report import Figures
from tests.system.hostile import bodies, framing
from tests.system.hostile.attack import CUT, Case, attack, case
from tests.system.hostile.houses import Guard
from tests.system.hostile.memory import forget_peak, peak_mib, rss_mib
from tests.system.hostile.probe import LEAST, Probe
from tests.system.hostile.test_corpus import GROWTH_MIB, STALL_MS

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.row("R13")]

POST = b"POST /add-checkpoint HTTP/1.1\r\nHost: w\r\nConnection: close\r\n"
PLACE = "a" * 64


@pytest.fixture(scope="module")
def witness(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Guard]:
    with Guard(tmp_path_factory.mktemp("witness"), "body_timeout_s = 1.0") as made:
        yield made


def oversized() -> Iterator[Case]:
    """Give bodies over the limit, and what is no checkpoint."""
    for length in (MAX_REQUEST + 1, 10**9, 2**63 - 1):
        head = POST + b"Content-Length: %d\r\n\r\n" % length
        yield case(f"a body of {length}", head, 413)
    chunk = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
    data = POST + framing.CHUNKED + b"\r\n" + chunk * 20
    yield case("a body in chunks over the limit", data + b"0\r\n\r\n", 413, CUT)
    contents = {
        "nothing": b"",
        "zeros": b"\0" * MAX_REQUEST,
        "line feeds": b"\n" * MAX_REQUEST,
        "a proof without an end": b"old 1\n" + b"A" * 43 + b"=\n",
        "1,000 proof lines": b"old 1\n" + (b"A" * 43 + b"=\n") * 1_000 + b"\nx\n1\n",
        "an old of a thousand digits": b"old " + b"9" * 1_000 + b"\n\nx\n1\n",
        "an old in another script": "old ٣\n\nx\n1\n".encode(),
        "an old below nought": b"old -1\n\nx\n1\n",
        "an origin of 60 kB": b"old 0\n\n"
        + b"x" * 60_000
        + b"\n1\n"
        + b"A" * 43
        + b"=\n",
        "2,000 signatures": b"old 0\n\nx\n1\n"
        + b"A" * 43
        + b"=\n\n"
        + "— x AAAAAAAA\n".encode() * 2_000,
        "no text": b"\xff\xfe" * 1_000,
    }
    for name, body in contents.items():
        data = POST + b"Content-Length: %d\r\n\r\n" % len(body) + body
        yield case(f"a body of {name}", data, 400, 403, 404)


def places() -> Iterator[Case]:
    """Give paths that lead to no checkpoint."""
    for path in (
        f"/{PLACE}/checkpoint", f"/{PLACE.upper()}/checkpoint", f"/{PLACE}/",
        f"/{PLACE}", f"/{PLACE[:63]}/checkpoint", f"/{PLACE}a/checkpoint",
        f"/{PLACE}/checkpoint/", f"/{PLACE}/../checkpoint", f"//{PLACE}/checkpoint",
        f"/{PLACE}/checkpoint%00", f"/%61{PLACE[1:]}/checkpoint/x", "/../keys",
        "/%2e%2e/keys", "/..%2fkeys", "/data.mdb", "/.git/config", "/" + "x" * 7_000,
        "/" + "０" * 64 + "/checkpoint", f"/{PLACE}/checkpoint?" + "&" * 7_000,
    ):  # fmt: skip
        data = f"GET {path} HTTP/1.1\r\nHost: w\r\nConnection: close\r\n\r\n".encode()
        yield case(f"GET {path[:80]}", data, 400, 404)


PATHS = ["/", "/livez", "/readyz", "/add-checkpoint", f"/{PLACE}/checkpoint", "/no"]

TABLES: dict[str, Callable[[], Iterator[Case]]] = {
    "framing": lambda: framing.framing(POST),
    "heads and request lines": framing.heads,
    "methods": lambda: framing.methods(PATHS),
    "encodings": lambda: bodies.encodings(POST),
    "expectations": lambda: bodies.expectations(POST),
    "bodies": oversized,
    "paths": places,
    "ranges and conditions": lambda: bodies.ranges("/"),
}


@pytest.mark.parametrize("name", TABLES)
def test_what_no_honest_client_says_is_refused_by_the_witness(
    witness: Guard, form: Form, figures: Figures, name: str
) -> None:
    cases = list(TABLES[name]())[:: form.pick(quick=12, ci=1, long=1)]
    before = rss_mib(witness.pid)
    forget_peak(witness.pid)

    with Probe(witness.place) as probe:
        wrong = attack(witness, cases)

    growth = peak_mib(witness.pid) - before
    figures.record(
        f"witness: {name}",
        tried=len(cases),
        bad=len(wrong),
        note=f"{probe.seen}; memory {growth:+.0f} MiB",
    )
    assert wrong == []
    assert witness.errors() == []
    assert probe.seen.asked >= LEAST
    assert probe.seen.failed == 0
    assert probe.seen.worst_ms < STALL_MS
    assert growth < GROWTH_MIB
