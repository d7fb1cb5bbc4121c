"""The demo with real processes: it tells the whole story, and leaves nobody behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tallystick_client.cli.main import main
from tallystick_client.demo.children import ChildError, Family

pytestmark = [pytest.mark.system, pytest.mark.slow]

LISTENERS = 3


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@pytest.fixture
def port() -> int:
    """The first of three neighbouring ports that are free."""
    # Below 32,768, where the ports of outgoing connections begin.
    start = 10_000 + os.getpid() % 12_000
    return next(
        port
        for port in range(start, start + 10_000, LISTENERS)
        if all(map(is_free, range(port, port + LISTENERS)))
    )


class Demo:
    """A demo in a directory of its own."""

    def __init__(self, path: Path, port: int) -> None:
        self.path = path
        self.port = port
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self, *more: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "tallystick_client.cli", "demo", "--json"),
                *("--dir", str(self.path), "--port", str(self.port), *more),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.processes.append(process)
        return process

    def run(self, *more: str) -> dict[str, Any]:
        process = self.start("--exit", *more)
        out, err = process.communicate(timeout=110)
        assert process.returncode == 0, err.decode()
        document: dict[str, Any] = json.loads(out)
        return document

    def wait_gone(self) -> None:
        """Wait until nobody listens any more."""
        ports = range(self.port, self.port + LISTENERS)
        while not all(map(is_free, ports)):
            os.sched_yield()


@pytest.fixture
def demo(tmp_path: Path, port: int) -> Iterator[Demo]:
    demo = Demo(tmp_path / "demo", port)
    yield demo
    for process in demo.processes:
        process.kill()
        process.communicate()


def test_the_whole_story_is_told_and_goes_on(
    demo: Demo, capfd: pytest.CaptureFixture[str]
) -> None:
    first = demo.run()
    second = demo.run()
    demo.wait_gone()

    assert (first["added"], first["repeated"], first["verified"]) == (103, 0, 103)
    assert (second["added"], second["repeated"], second["verified"]) == (0, 103, 103)
    assert first["size"] == second["size"] == 104
    assert first["root"] == second["root"]
    assert len(first["cosigners"]) == 2
    assert verify(demo, line=1) == 0
    assert verify(demo, line=2) == 1
    events, again = first["events"], second["events"]
    assert (events["added"], events["repeated"], events["size"]) == (103, 0, 104)
    assert (again["added"], again["repeated"], again["root"]) == (
        0,
        103,
        events["root"],
    )
    assert events["verdict"] == "witnessed"
    assert events["shown"]["details/requestParameters/key"] == "ring.txt"
    assert verify_evidence(demo) == 0
    assert verify_evidence(demo, old=b"ring.txt", new=b"king.txt") == 1
    capfd.readouterr()


def verify(demo: Demo, *, line: int) -> int:
    """Verify a line with the receipt of line 1."""
    return main(
        [
            *("verify", str(demo.path / "receipt-of-line-1.tlog-proof")),
            *(str(demo.path / "cloudtrail-103.ndjson"), "--line", str(line)),
            *("--policy", str(demo.path / "cloudtrail.policy")),
        ]
    )


def verify_evidence(demo: Demo, old: bytes = b"", new: bytes = b"") -> int:
    """Verify the evidence of one event, with some of its bytes exchanged."""
    data = (demo.path / "one-record.evidence").read_bytes()
    assert old in data
    place = demo.path / "changed.evidence"
    place.write_bytes(data.replace(old, new) if old else data)
    return main(["verify", str(place), "--policy", str(demo.path / "audit.policy")])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_stays_until_it_is_stopped(demo: Demo, number: signal.Signals) -> None:
    process = demo.start()
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["verified"] == 103
    assert not is_free(demo.port)

    process.send_signal(number)

    assert process.wait(60) == 0
    demo.wait_gone()


def test_nobody_is_left_when_the_demo_is_killed(demo: Demo) -> None:
    process = demo.start()
    assert process.stdout is not None
    process.stdout.readline()

    process.kill()
    process.wait(60)

    demo.wait_gone()


def test_a_port_in_use_is_named(demo: Demo) -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", demo.port + 1))
        taken.listen()
        process = demo.start("--exit")
        out, err = process.communicate(timeout=60)

    assert process.returncode == 2
    assert f"port {demo.port + 1} of 127.0.0.1 is taken" in err.decode()
    assert json.loads(out)["error"]["exit_code"] == 2


def test_another_port_than_that_of_the_setup_is_refused(demo: Demo) -> None:
    demo.run()
    demo.port += 500

    process = demo.start("--exit")
    _, err = process.communicate(timeout=60)

    assert process.returncode == 2
    assert b"start over with --reset" in err


def test_a_process_that_ends_shows_its_last_lines(tmp_path: Path) -> None:
    family = Family(tmp_path / "logs")

    with pytest.raises(ChildError, match="ended with code 2") as caught:
        family.start("witness", ["witness", "serve", "--data", str(tmp_path / "none")])

    family.stop()
    assert caught.value.last_lines
    assert "Traceback" not in caught.value.last_lines
