from __future__ import annotations

import dataclasses

import pytest

from tallystick_merkle.keys import KeyType, make_signing_key
from tallystick_merkle.policy import PolicyLog
from tests.unit.client.cli.desk import Desk, Run, Said
from tests.unit.client.fake_log import NO_WITNESS, ORIGIN, POLICY


@pytest.fixture
def verify(run: Run, desk: Desk) -> Run:
    def call(*more: object) -> Said:
        return run("verify", desk.receipt, desk.entry, "--policy", desk.policy, *more)

    return call


def test_a_good_receipt_is_verified_in_silence(verify: Run) -> None:
    assert verify() == Said(0, "", "")


def test_what_was_verified_is_told_if_asked(verify: Run) -> None:
    said = verify("--verbose")

    assert said.code == 0
    assert f"entry 1 is in {ORIGIN} (witnessed)" in said.out
    assert "cosigned by w2.example at 2023-11-14 22:13:20 UTC" in said.out


def test_the_verdict_is_one_object(verify: Run) -> None:
    document = verify("--json").document

    assert (document["verdict"], document["index"], document["size"]) == (
        "witnessed",
        1,
        4,
    )
    assert document["cosigners"][0] == {"name": "w1.example", "time_s": 1_700_000_000}
    assert set(document) == {
        *("verdict", "origin", "index", "leaf_hash", "size", "root", "cosigners")
    }


def test_another_entry_is_no_part_of_the_log(verify: Run, desk: Desk) -> None:
    desk.put(entry=b"never logged")

    said = verify()

    assert said.code == 1
    assert "this is not entry 1 of the log" in said.err


def test_a_line_end_too_many_is_explained(verify: Run, desk: Desk) -> None:
    desk.put(entry=b"first\n")

    assert "try again with --line 1" in verify().err
    assert verify("--line", 1).code == 0


def test_a_line_of_a_file_is_picked(verify: Run, desk: Desk) -> None:
    desk.put(entry=b"zero\n\nfirst\r\nlast")

    assert verify("--line", 3).code == 0
    assert verify("--line", 1).code == 1


@pytest.mark.parametrize("line", [2, 9])
def test_a_line_that_holds_no_entry_is_a_usage_error(
    verify: Run, desk: Desk, line: int
) -> None:
    desk.put(entry=b"first\n\nlast")

    said = verify("--line", line)

    assert said.code == 2
    assert f"no entry at line {line}" in said.err


@pytest.mark.parametrize("witnesses", [0, 1])
def test_a_promised_receipt_is_not_enough(
    verify: Run, desk: Desk, witnesses: int
) -> None:
    desk.put(witnesses=witnesses)

    said = verify()

    assert said.code == 3
    assert "only promised" in said.err
    assert "tallystick receipts upgrade" in said.err


def test_a_promised_receipt_can_be_allowed(verify: Run, desk: Desk) -> None:
    desk.put(witnesses=0)

    assert verify("--allow-promised") == Said(0, "", "")
    assert verify("--allow-promised", "--json").document["verdict"] == "promised"


def test_a_policy_without_witnesses_gives_promises_only(
    verify: Run, desk: Desk
) -> None:
    desk.put(policy=NO_WITNESS)

    said = verify()

    assert said.code == 3
    assert "this policy asks no witness" in said.err


def test_a_promise_that_proves_another_entry_fails_even_if_allowed(
    verify: Run, desk: Desk
) -> None:
    desk.put(witnesses=0, entry=b"never logged")

    assert verify("--allow-promised").code == 1


def test_a_signature_that_does_not_verify_is_an_integrity_failure(
    verify: Run, desk: Desk
) -> None:
    data = desk.receipt.read_bytes()
    start, line = data.rsplit(b"w1.example ", 1)
    broken = line[:20] + (b"A" if line[20:21] != b"A" else b"B") + line[21:]
    desk.receipt.write_bytes(start + b"w1.example " + broken)

    said = verify()

    assert said.code == 1
    assert "w1.example does not verify" in said.err


def test_a_receipt_of_another_log_is_an_integrity_failure(
    verify: Run, desk: Desk
) -> None:
    other = make_signing_key(name="other.log", type=KeyType.ED25519, seed=b"o" * 32)
    logs = (PolicyLog(other.verifier, None),)
    desk.put(policy=dataclasses.replace(POLICY, logs=logs))

    said = verify()

    assert said.code == 1
    assert f"no listed log signed the checkpoint of '{ORIGIN}'" in said.err


@pytest.mark.parametrize(
    "data", [b"", b"rubbish", b"c2sp.org/tlog-proof@v1\nindex 01\n"]
)
def test_a_malformed_receipt_is_a_usage_error(
    verify: Run, desk: Desk, data: bytes
) -> None:
    desk.receipt.write_bytes(data)

    said = verify()

    assert said.code == 2
    assert str(desk.receipt) in said.err


def test_a_malformed_policy_is_a_usage_error(verify: Run, desk: Desk) -> None:
    desk.policy.write_text("quorum none\nquorum none\n")

    said = verify()

    assert said.code == 2
    assert "line 2" in said.err


def test_a_malformed_checkpoint_in_a_receipt_is_a_usage_error(
    verify: Run, desk: Desk
) -> None:
    head, _, _ = desk.receipt.read_bytes().partition(b"\n\n")
    desk.receipt.write_bytes(head + b"\n\nno note")

    assert verify().code == 2


@pytest.mark.parametrize("missing", ["receipt", "entry", "policy"])
def test_a_missing_file_is_named(verify: Run, desk: Desk, missing: str) -> None:
    path = getattr(desk, missing)
    path.unlink()

    said = verify()

    assert said.code == 2
    assert str(path) in said.err


@pytest.mark.parametrize("size", [0, 65_536])
def test_what_cannot_be_an_entry_is_a_usage_error(
    verify: Run, desk: Desk, size: int
) -> None:
    desk.entry.write_bytes(b"x" * size)

    assert verify().code == 2


def test_an_error_is_one_line_and_one_object(verify: Run, desk: Desk) -> None:
    desk.put(entry=b"never logged")

    said = verify("--json")

    error = said.document["error"]
    assert (error["exit_code"], error["kind"]) == (1, "ProofError")
    assert said.err == f"tallystick: {error['message']}\n"
