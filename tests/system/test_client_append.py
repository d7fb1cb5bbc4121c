"""`tallystick append` over loopback."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tallystick_merkle.policy import format_policy
from tests.system.bench import Bench, opened_bench
from tests.unit.client.fake_log import (
    NO_WITNESS,
    ORIGIN,
)

pytestmark = pytest.mark.system


@pytest.fixture
def bench(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Iterator[Bench]:
    with opened_bench(tmp_path, capfd) as bench:
        yield bench


def test_the_lines_of_a_file_are_logged_in_order(bench: Bench) -> None:
    path = bench.write("events.ndjson", b'{"a":1}\n\n{"a":2}\r\n{"a":3}')

    said = bench.run("append", path)

    assert said.code == 0
    assert bench.log.entries[1:] == [b'{"a":1}', b'{"a":2}', b'{"a":3}']
    assert said.out.startswith("3 new: entries 1 to 3; 3 promised, not yet witnessed")


def test_without_witnesses_no_upgrade_is_proposed(bench: Bench) -> None:
    bench.write("policy", format_policy(NO_WITNESS))

    said = bench.run("append", bench.write("x.txt", b"one\n"))
    later = bench.run("receipts", "upgrade")

    assert said.out == "1 new: entry 1; 1 promised: the policy asks no witness\n"
    assert later.code == 3
    assert "1 stay promised: the policy asks no witness" in later.out


def test_without_witnesses_there_is_nobody_to_wait_for(bench: Bench) -> None:
    bench.write("policy", format_policy(NO_WITNESS))

    said = bench.run("append", bench.write("x.txt", b"one\n"), "--wait", "witnessed")

    assert said.code == 2
    assert "the policy asks no witness" in said.err
    assert bench.log.seen == []


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
