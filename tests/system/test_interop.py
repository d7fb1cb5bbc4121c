"""Receipts of a real server and real witnesses, judged by somebody else's verifier."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tallystick_merkle.exchange.appending import append_entry
from tallystick_merkle.receipt import Status, format_receipt, parse_receipt
from tests.system.drive import drive
from tests.system.stack import ORIGIN, Stack

pytestmark = pytest.mark.system

ENTRY = b'{"eventName":"PutObject"}'


@dataclass(frozen=True)
class Evidence:
    """A witnessed receipt on disk, and who has to have signed it."""

    receipt: Path
    entry: Path
    vkey: str
    witnesses: list[str]


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Evidence]:
    place = tmp_path_factory.mktemp("interop")
    with Stack(place) as stack:
        stack.start()
        for number in range(5):
            drive(
                append_entry(
                    stack.address,
                    b"x%d" % number,
                    policy=stack.policy,
                    key=f"k{number}",
                )
            )
        answer = drive(
            append_entry(
                stack.address, ENTRY, policy=stack.policy, key="kept", wait="witnessed"
            )
        )
        assert answer.status is Status.WITNESSED
        receipt, entry = place / "kept.tlog-proof", place / "kept.json"
        receipt.write_bytes(format_receipt(answer.receipt))
        entry.write_bytes(ENTRY)
        yield Evidence(receipt, entry, stack.vkey, stack.witness_vkeys)


def proofbundle(
    evidence: Evidence,
    *,
    entry: Path | None = None,
    receipt: Path | None = None,
    origin: str = ORIGIN,
    witnesses: list[str] | None = None,
) -> tuple[int, dict[str, Any]]:
    """Run the independent verifier at threshold 2; give its exit code and its words."""
    command = [
        str(Path(sys.executable).with_name("proofbundle")), "verify-proof",
        str(receipt or evidence.receipt),
        "--payload-file", str(entry or evidence.entry),
        "--log-vkey", evidence.vkey, "--expected-origin", origin,
        "--threshold", "2", "--json",
    ]  # fmt: skip
    for vkey in evidence.witnesses if witnesses is None else witnesses:
        command += ["--witness-vkey", vkey]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, json.loads(done.stdout)


def test_proofbundle_accepts_a_witnessed_receipt_with_both_kinds_of_cosignature(
    evidence: Evidence,
) -> None:
    code, said = proofbundle(evidence)

    assert code == 0
    assert said["ok"] is True, said


def test_proofbundle_refuses_another_entry(evidence: Evidence, tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    other.write_bytes(ENTRY + b" ")

    code, said = proofbundle(evidence, entry=other)

    assert code == 1
    assert (said["inclusion_ok"], said["witnesses_ok"]) == (False, True), said


def test_proofbundle_refuses_another_origin(evidence: Evidence) -> None:
    code, said = proofbundle(evidence, origin="tests.example/other")

    assert code == 1
    assert said["ok"] is False, said


@pytest.mark.parametrize("missing", [0, 1])
def test_proofbundle_refuses_a_receipt_without_one_witness(
    evidence: Evidence, tmp_path: Path, missing: int
) -> None:
    receipt = parse_receipt(evidence.receipt.read_bytes())
    lines = receipt.checkpoint.splitlines(keepends=True)
    name = f"w{missing + 1}.example/w".encode()
    kept = b"".join(line for line in lines if b"\xe2\x80\x94 " + name not in line)
    cut = tmp_path / "cut.tlog-proof"
    cut.write_bytes(evidence.receipt.read_bytes().replace(receipt.checkpoint, kept))

    code, said = proofbundle(evidence, receipt=cut)

    assert code == 1
    assert (said["inclusion_ok"], said["witnesses_ok"]) == (True, False), said
