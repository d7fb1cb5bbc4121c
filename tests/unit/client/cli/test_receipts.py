from __future__ import annotations

from pathlib import Path

from tallystick_client.trust_directory import DirectoryTrust
from tallystick_merkle.exchange.trusting import Held
from tallystick_merkle.hashing import leaf_hash
from tallystick_merkle.receipt import Receipt
from tests.unit.client.cli.desk import ENTRIES, Desk, Run
from tests.unit.client.fake_log import ORIGIN, WITNESSES, Tree, sign


def held(index: int) -> Held:
    note = sign(Tree(ENTRIES), WITNESSES)
    return Held(Receipt(index, (), note), leaf_hash(b"x"))


def test_receipts_are_listed_with_their_files(
    run: Run, desk: Desk, tmp_path: Path
) -> None:
    trust = DirectoryTrust(tmp_path / "mine", ORIGIN)
    trust.keep_witnessed([held(2)])
    trust.keep_promised([held(1)])

    said = run(
        *("receipts", "list", "--policy", desk.policy),
        *("--state", tmp_path / "mine", "--json"),
    )

    rows = said.document["receipts"]
    assert [(row["index"], row["size"], row["status"]) for row in rows] == [
        (1, 4, "promised"),
        (2, 4, "witnessed"),
    ]
    assert rows[1]["file"] == str(trust.receipt_path(2))


def test_no_receipts_are_said_to_be_none(run: Run, desk: Desk) -> None:
    said = run("receipts", "list", "--policy", desk.policy)

    assert said.code == 0
    assert f"no receipt of {ORIGIN}" in said.out


def test_a_damaged_receipt_is_named(run: Run, desk: Desk, tmp_path: Path) -> None:
    trust = DirectoryTrust(tmp_path / "mine", ORIGIN)
    trust.keep_witnessed([held(2)])
    trust.receipt_path(2).write_text("rubbish")

    said = run(
        "receipts", "list", "--policy", desk.policy, "--state", tmp_path / "mine"
    )

    assert said.code == 2
    assert str(trust.receipt_path(2)) in said.err
