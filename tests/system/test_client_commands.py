"""The commands that talk to a log, over loopback, against an honest log and others."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tallystick_client.cli.main import main
from tallystick_client.trust_directory import DirectoryTrust
from tallystick_merkle.exchange.base import Failure, Request
from tallystick_merkle.policy import Policy, format_policy
from tallystick_merkle.receipt import parse_receipt
from tests.system.loopback import Asked, Loopback, answer
from tests.unit.client.cli.conftest import Said
from tests.unit.client.fake_log import (
    BASE,
    NO_WITNESS,
    ORIGIN,
    POLICY,
    TOKEN,
    WITNESSES,
    FakeLog,
)
from tests.unit.client.test_session import rewrite

pytestmark = pytest.mark.system


@dataclass
class Bench:
    """A log on loopback and a user with settings for it."""

    log: FakeLog
    path: Path
    capture: pytest.CaptureFixture[str]

    @property
    def config(self) -> Path:
        return self.path / "config.toml"

    @property
    def trust(self) -> DirectoryTrust:
        return DirectoryTrust(self.path / "state", ORIGIN)

    def settle(self, url: str, *, policy: Policy = POLICY, token: str = TOKEN) -> None:
        """Write the user's files."""
        (self.path / "policy").write_bytes(format_policy(policy))
        (self.path / "token").write_text(token)
        self.config.write_text(
            f'[client]\nserver = "{url}"\nlog = "fake"\npolicy = "policy"\n'
            'token_file = "token"\nstate = "state"\n'
        )

    def run(self, *arguments: object) -> Said:
        """Run a command in this process."""
        words = [str(argument) for argument in arguments]
        code = main([*words, "--config", str(self.config)])
        out, err = self.capture.readouterr()
        return Said(code, out, err)

    def start(self, *arguments: object) -> subprocess.Popen[bytes]:
        """Run a command in a process of its own."""
        words = [str(argument) for argument in arguments]
        return subprocess.Popen(
            [
                *(sys.executable, "-m", "tallystick_client.cli", *words),
                *("--config", str(self.config)),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def write(self, name: str, data: bytes) -> Path:
        """Put a file on the user's desk."""
        path = self.path / name
        path.write_bytes(data)
        return path


@pytest.fixture
def bench(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Iterator[Bench]:
    log = FakeLog()

    async def script(asked: Asked) -> AsyncIterator[bytes]:
        request = Request(asked.method, BASE + asked.path, asked.body, asked.headers)
        reply = log.answer(request)
        if not isinstance(reply, Failure):
            headers = [f"{name}: {value}" for name, value in reply.headers.items()]
            yield answer(reply.body, *headers, status=f"{reply.status} Said")

    with Loopback(script) as peer:
        bench = Bench(log, tmp_path, capfd)
        bench.settle(peer.url)
        yield bench


def test_the_lines_of_a_file_are_logged_in_order(bench: Bench) -> None:
    path = bench.write("events.ndjson", b'{"a":1}\n\n{"a":2}\r\n{"a":3}')

    said = bench.run("append", path)

    assert said.code == 0
    assert bench.log.entries[1:] == [b'{"a":1}', b'{"a":2}', b'{"a":3}']
    assert said.out.startswith("3 new: entries 1 to 3; 3 promised, not yet witnessed")


def test_an_append_is_one_object(bench: Bench) -> None:
    path = bench.write("events.txt", b"one\ntwo\n")

    document = bench.run("append", path, "--json").document

    assert document == {
        "origin": ORIGIN,
        "added": 2,
        "repeated": 0,
        "promised": 2,
        "witnessed": 0,
        "first_index": 1,
        "last_index": 2,
        "refused": [],
    }


def test_another_file_is_one_entry(bench: Bench) -> None:
    path = bench.write("invoice.pdf", b"%PDF\nmore\n")

    bench.run("append", path)

    assert bench.log.entries[1:] == [b"%PDF\nmore\n"]


def test_lines_and_whole_can_be_said(bench: Bench) -> None:
    bench.run("append", bench.write("a.txt", b"x\ny\n"), "--whole")
    bench.run("append", bench.write("b.bin", b"x\ny\n"), "--lines")

    assert bench.log.entries[1:] == [b"x\ny\n", b"x", b"y"]


def test_thousands_of_lines_are_sent_in_batches(bench: Bench) -> None:
    lines = b"".join(b"event %d\n" % number for number in range(2500))

    said = bench.run("append", bench.write("events.log", lines), "--wait", "witnessed")

    assert said.out == "2500 new: entries 1 to 2500; all witnessed\n"
    posts = [asked for asked in bench.log.seen if asked.method == "POST"]
    assert len(posts) == 3


def test_a_second_run_logs_nothing_new(bench: Bench) -> None:
    path = bench.write("events.ndjson", b"one\none\ntwo\n")

    first = bench.run("append", path, "--once")
    second = bench.run("append", path, "--once")

    assert first.out.startswith("3 new: entries 1 to 3")
    assert second.out.startswith("0 new, 3 already logged: entries 1 to 3")
    assert sorted(bench.log.entries[1:]) == [b"one", b"one", b"two"]


def test_a_file_that_has_grown_adds_only_what_is_new(bench: Bench) -> None:
    path = bench.write("events.ndjson", b"one\ntwo\n")
    bench.run("append", path, "--once")
    path.write_bytes(b"one\ntwo\nthree\n")

    document = bench.run("append", path, "--once", "--json").document

    assert (document["added"], document["repeated"]) == (1, 2)


def test_once_does_not_go_with_a_whole_file(bench: Bench) -> None:
    said = bench.run("append", bench.write("x.bin", b"x"), "--once")

    assert said.code == 2
    assert "--once works line by line" in said.err


def test_witnesses_that_do_not_come_in_time_are_told(bench: Bench) -> None:
    bench.log.is_witnessing = False
    path = bench.write("x.txt", b"x\n")

    assert bench.run("append", path, "--wait", "witnessed").code == 3
    assert bench.run("append", path).code == 0


def test_a_wait_for_something_else_is_a_usage_error(bench: Bench) -> None:
    said = bench.run("append", bench.write("x.txt", b"x"), "--wait", "godot")

    assert said.code == 2
    assert bench.log.seen == []


def test_a_refused_line_is_named_and_its_neighbours_are_logged(bench: Bench) -> None:
    path = bench.write("x.txt", b"one\nrefuse me\ntwo\n")

    said = bench.run("append", path, "--json")

    assert said.code == 2
    assert "line 2 was refused: no" in said.err
    assert said.document["refused"][0]["line"] == 2
    assert bench.log.entries[1:] == [b"one", b"two"]


def test_a_line_that_is_too_long_stops_after_those_before(bench: Bench) -> None:
    path = bench.write("x.txt", b"one\n" + b"x" * 70_000 + b"\ntwo\n")

    said = bench.run("append", path)

    assert said.code == 2
    assert "line 2" in said.err
    assert "before the error: 1 new: entry 1" in said.err
    assert bench.log.entries[1:] == [b"one"]


def test_an_append_that_fails_is_one_object_too(bench: Bench) -> None:
    path = bench.write("x.txt", b"one\n" + b"x" * 70_000)

    assert bench.run("append", path, "--json").document["error"]["exit_code"] == 2


@pytest.mark.parametrize("once", [False, True])
def test_a_wrong_token_is_a_usage_error_and_not_shown(bench: Bench, once: bool) -> None:
    bench.write("token", b"tally_live_wrong")

    said = bench.run("append", bench.write("x.txt", b"x"), *(["--once"] * once))

    assert said.code == 2
    assert "check the token file" in said.err
    assert "tally_live_wrong" not in said.err + said.out


def test_an_unknown_log_is_a_usage_error(bench: Bench) -> None:
    said = bench.run("append", bench.write("x.txt", b"x"), "--log", "other")

    assert said.code == 2
    assert "check the server's URL and the name of the log" in said.err


@pytest.mark.slow
def test_a_server_that_is_not_there_is_a_service_error(bench: Bench) -> None:
    said = bench.run("audit", "--server", "http://127.0.0.1:9")

    assert said.code == 5


@pytest.mark.parametrize("option", ["server", "log", "policy"])
def test_what_is_missing_is_named(bench: Bench, option: str) -> None:
    lines = bench.config.read_text().splitlines(keepends=True)
    bench.config.write_text("".join(x for x in lines if not x.startswith(option)))

    said = bench.run("audit")

    assert said.code == 2
    assert f"--{option}" in said.err


def test_promises_are_upgraded_and_then_verify(bench: Bench) -> None:
    entry = bench.write("x.bin", b"an event")
    bench.run("append", entry)
    waiting = bench.run("receipts", "upgrade")
    bench.log.publish()

    upgraded = bench.run("receipts", "upgrade", "--json")

    assert (waiting.code, upgraded.code) == (3, 0)
    assert upgraded.document["upgraded"] == [1]
    receipt = bench.trust.receipt_path(1)
    assert bench.run("verify", receipt, entry).code == 0


def test_a_receipt_is_proven_to_standard_output(bench: Bench) -> None:
    bench.log.grow(20)
    bench.log.publish()

    said = bench.run("prove", 7)

    assert said.code == 0
    assert parse_receipt(said.out.encode()).index == 7


def test_a_receipt_is_proven_to_a_file(bench: Bench) -> None:
    bench.log.grow(20)
    bench.log.publish()
    out = bench.path / "7.tlog-proof"

    said = bench.run("prove", 7, "--out", out)

    assert (said.code, said.out) == (0, "")
    entry = bench.write("entry", b"entry 7")
    assert bench.run("verify", out, entry).code == 0


def test_the_entry_one_holds_is_proven(bench: Bench) -> None:
    bench.log.grow(20)
    bench.log.publish()

    right = bench.run("prove", 7, "--entry", bench.write("right", b"entry 7"))
    wrong = bench.run("prove", 7, "--entry", bench.write("wrong", b"entry 8"))

    assert (right.code, wrong.code) == (0, 1)


def test_an_entry_beyond_the_log_is_not_there_yet(bench: Bench) -> None:
    assert bench.run("prove", 7).code == 3


def test_a_proof_without_witnesses_is_only_promised(bench: Bench) -> None:
    bench.log.witnesses = ()
    bench.log.publish()

    assert bench.run("prove", 0).code == 3


def test_an_audit_says_what_it_found(bench: Bench) -> None:
    bench.log.grow(300)
    bench.log.publish()

    said = bench.run("audit", "--json")

    document = said.document
    assert said.code == 0
    assert (document["size"], document["checked"]) == (301, 301)
    assert document["cosigners"] == ["w1.example", "w2.example"]


def test_a_rewritten_entry_is_named(bench: Bench) -> None:
    bench.log.grow(300)
    bench.log.publish()
    bench.log.bundles = rewrite(7, b"nothing happened")

    said = bench.run("audit", "--json")

    assert said.code == 1
    assert said.document["error"]["index"] == 7
    assert "entry 7" in said.err


def test_a_fork_names_its_evidence(bench: Bench) -> None:
    bench.run("audit")
    bench.log.entries = [b"another genesis"]
    bench.log.publish()

    said = bench.run("audit", "--json")

    files = said.document["error"]["files"]
    assert said.code == 1
    assert [Path(file).read_bytes() for file in files][1] == bench.log.served


def test_a_log_that_shrank_fails(bench: Bench) -> None:
    bench.log.grow(300)
    bench.log.publish()
    bench.run("audit")
    bench.log.entries = bench.log.entries[:100]
    bench.log.publish()

    said = bench.run("audit")

    assert said.code == 1
    assert "shrank from size 301 to 100" in said.err


def test_an_older_head_is_stale(bench: Bench) -> None:
    old = bench.log.served
    bench.log.grow(5)
    bench.log.publish()
    bench.run("audit")
    bench.log.served = old

    assert bench.run("audit").code == 4


def test_too_few_witnesses_are_not_enough_for_an_audit(bench: Bench) -> None:
    bench.log.witnesses = WITNESSES[:1]
    bench.log.publish()

    assert bench.run("audit").code == 3


def test_a_log_without_witnesses_can_be_audited(bench: Bench) -> None:
    bench.write("policy", format_policy(NO_WITNESS))

    said = bench.run("audit")

    assert said.code == 0
    assert "cosigned by nobody" in said.out


def test_quiet_says_nothing(bench: Bench) -> None:
    assert bench.run("audit", "--quiet") == Said(0, "", "")


@pytest.mark.slow
def test_a_followed_log_is_audited_until_one_stops(bench: Bench) -> None:
    process = bench.start("audit", "--follow", "--interval", "0.1", "--json")
    assert process.stdout is not None

    first = process.stdout.readline()
    bench.log.grow(5)
    bench.log.publish()
    second = process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)

    assert b'"size": 1,' in first
    assert b'"size": 6,' in second
    assert process.returncode == 0
    assert b"stopped" in err


@pytest.mark.slow
def test_a_followed_log_that_forks_ends_the_audit(bench: Bench) -> None:
    process = bench.start("audit", "--follow", "--interval", "0.1")
    assert process.stdout is not None
    process.stdout.readline()

    bench.log.entries = [b"another genesis"]
    bench.log.publish()
    _, err = process.communicate(timeout=30)

    assert process.returncode == 1
    assert b"fork of" in err


@pytest.mark.slow
@pytest.mark.parametrize("more", [[], ["--once"]])
def test_standard_input_is_logged_line_by_line(bench: Bench, more: list[str]) -> None:
    process = bench.start("append", "-", *more)

    out, _ = process.communicate(b"one\ntwo\n", timeout=30)

    assert process.returncode == 0
    assert out.startswith(b"2 new")
    assert sorted(bench.log.entries[1:]) == [b"one", b"two"]


@pytest.mark.slow
def test_ctrl_c_ends_with_130(bench: Bench) -> None:
    process = bench.start("append", "-", "--once")
    assert process.stdin is not None
    process.stdin.write(b"one\n")
    process.stdin.flush()
    while len(bench.log.entries) == 1 and process.poll() is None:
        os.sched_yield()

    process.send_signal(signal.SIGINT)
    process.stdin.close()
    process.wait(30)

    assert process.returncode == 130
    for pipe in (process.stdout, process.stderr):
        assert pipe is not None
        assert b"Traceback" not in pipe.read()
        pipe.close()


@pytest.mark.slow
def test_a_reader_that_goes_away_is_no_integrity_failure(bench: Bench) -> None:
    process = bench.start("audit")
    assert process.stdout is not None

    process.stdout.close()
    process.stdout = None
    _, err = process.communicate(timeout=30)

    assert process.returncode == 141
    assert err == b""
