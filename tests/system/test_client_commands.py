"""The commands that read a log, over loopback, against honest logs and others."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tallystick_merkle.policy import format_policy
from tallystick_merkle.receipt import parse_receipt
from tests.system.bench import Bench, opened_bench
from tests.unit.client.cli.desk import Said
from tests.unit.client.fake_log import (
    NO_WITNESS,
    WITNESSES,
    rewrite,
)

pytestmark = pytest.mark.system


@pytest.fixture
def bench(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Iterator[Bench]:
    with opened_bench(tmp_path, capfd) as bench:
        yield bench


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


def test_the_head_is_shown_with_its_cosigners(bench: Bench) -> None:
    bench.log.grow(5)
    bench.log.publish()

    shown = bench.run("head")
    document = bench.run("head", "--json").document

    assert shown.code == 0
    assert "head of size 6, root" in shown.out
    assert "cosigned by w1.example at 20" in shown.out
    assert "the policy's quorum is met" in shown.out
    assert (document["size"], document["served_size"]) == (6, 6)
    assert document["quorum_met"] is True
    assert [one["name"] for one in document["cosigners"]] == [
        *("w1.example", "w2.example")
    ]
    assert bench.trust.believed() == bench.log.served


def test_a_head_below_its_quorum_is_shown_and_not_believed(bench: Bench) -> None:
    bench.log.witnesses = WITNESSES[:1]
    bench.log.publish()

    shown = bench.run("head")
    document = bench.run("head", "--json").document

    assert shown.code == 3
    assert "the policy's quorum is not met" in shown.out
    assert document["quorum_met"] is False
    assert bench.trust.believed() is None


def test_a_head_that_nobody_has_to_cosign_says_so(bench: Bench) -> None:
    bench.write("policy", format_policy(NO_WITNESS))

    shown = bench.run("head")

    assert shown.code == 0
    assert "the policy asks no witness" in shown.out


def test_the_believed_head_is_shown_where_an_older_one_is_served(bench: Bench) -> None:
    old = bench.log.served
    bench.log.grow(5)
    bench.log.publish()
    bench.run("head")
    bench.log.served = old

    said = bench.run("head", "--json")

    assert said.code == 4
    assert (said.document["size"], said.document["served_size"]) == (6, 1)
    assert "tallystick: the log serves a head of size 1" in said.err


def test_a_head_of_a_fork_names_its_evidence(bench: Bench) -> None:
    bench.run("head")
    bench.log.entries = [b"another genesis"]
    bench.log.publish()

    said = bench.run("head", "--json")

    assert said.code == 1
    assert len(said.document["error"]["files"]) == 2


def test_an_audit_from_the_start_finds_what_was_rewritten_later(bench: Bench) -> None:
    bench.log.grow(20)
    bench.log.publish()
    bench.run("audit")
    bench.log.bundles = rewrite(7, b"nothing happened")

    assert bench.run("audit").code == 0
    assert bench.run("audit", "--from-start").code == 1


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
def test_a_log_that_is_followed_from_its_start_is_hashed_once(bench: Bench) -> None:
    bench.log.grow(20)
    bench.log.publish()
    bench.run("audit")
    words = ("--follow", "--from-start", "--interval", "0.1", "--json")
    process = bench.start("audit", *words)
    assert process.stdout is not None

    first = process.stdout.readline()
    bench.log.grow(5)
    bench.log.publish()
    second = process.stdout.readline()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)

    assert b'"checked": 21,' in first
    assert b'"checked": 5,' in second


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
def test_a_reader_that_goes_away_is_no_integrity_failure(bench: Bench) -> None:
    process = bench.start("audit")
    assert process.stdout is not None

    process.stdout.close()
    process.stdout = None
    _, err = process.communicate(timeout=30)

    assert process.returncode == 141
    assert err == b""
