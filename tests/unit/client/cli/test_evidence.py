"""Evidence in a file: what it shows, and whom it convinces."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tallystick_client.blocking import Tallystick
from tallystick_client.cli.events import plain_name
from tallystick_merkle.keys import KeyType, make_signing_key
from tallystick_merkle.policy import Policy, PolicyLog, format_policy
from tests.unit.client.cli.desk import Run, Said
from tests.unit.client.fake_events import EventsLog, event_json
from tests.unit.client.fake_log import LOG, NO_WITNESS, POLICY, FakeTransport


def put(
    path: Path,
    *fields: str,
    policy: bytes = format_policy(POLICY),
    **members: Any,  # noqa: ANN401 -- any
) -> Path:
    """Put evidence and a policy on the desk."""
    with Tallystick(LOG, POLICY, transport=FakeTransport(EventsLog())) as client:
        event = event_json(**{"after": {"role": "auditor\x1b[2J"}, **members})
        client.emit(event)
        proof = client.disclose(str(event["event_id"]), *fields)
    (path / "policy").write_bytes(policy)
    (path / "one.evidence").write_bytes(proof.data)
    return path / "one.evidence"


def verify(run: Run, path: Path, *more: object) -> Said:
    return run("verify", path, *more, "--policy", path.parent / "policy")


def test_good_evidence_is_verified_in_silence(run: Run, tmp_path: Path) -> None:
    assert verify(run, put(tmp_path, "action")) == Said(0, "", "")


def test_what_it_shows_is_told_with_nothing_for_the_terminal_to_obey(
    run: Run, tmp_path: Path
) -> None:
    said = verify(run, put(tmp_path, "occurred_at", "after"), "--verbose")

    assert "\x1b" not in said.out
    assert 'after/role   "auditor\\u001b[2J"' in said.out
    assert "occurred_at  1700000000000 (2023-11-14T22:13:20.000Z)" in said.out
    assert "hidden  tenant, action" in said.out


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("a b", '"a b"'),
        ("x\u200by", '"x\\u200by"'),
        ("x\u202ey", '"x\\u202ey"'),
        ("x\U000e0041y", '"x\\udb40\\udc41y"'),
        ("x\x1b[2J", '"x\\u001b[2J"'),
        ('q"', '"q\\""'),
        ("back\\slash", '"back\\\\slash"'),
        ("\u0430ction", '"\u0430ction"'),
        ("one, two", '"one, two"'),
        ("", '""'),
        ("details/userAgent-1_0~1x", "details/userAgent-1_0~1x"),
    ],
    ids=[
        *("space", "zero width", "bidi", "tag", "escape", "quote", "backslash"),
        *("another script", "comma", "empty", "plain"),
    ],
)
def test_a_name_that_could_pass_for_something_else_is_quoted(
    name: str, told: str
) -> None:
    assert plain_name(name) == told


def test_a_shown_name_cannot_imitate_a_value(run: Run, tmp_path: Path) -> None:
    details = {"a  1": "v"}

    shown = verify(run, put(tmp_path, "details", details=details), "--verbose")
    hidden = verify(run, put(tmp_path, "actor", details=details), "--verbose")

    assert 'shown   "details/a  1"  "v"\n' in shown.out
    assert ', "details/a  1"; and fields that are not' in hidden.out


def test_evidence_of_a_log_that_the_policy_does_not_name_is_an_integrity_failure(
    run: Run, tmp_path: Path
) -> None:
    key = make_signing_key(name="log.example/b", type=KeyType.ED25519, seed=b"b" * 32)
    stranger = Policy((PolicyLog(key.verifier, None),), (), (), "none")

    said = verify(run, put(tmp_path, "action", policy=format_policy(stranger)))

    assert said.code == 1
    assert "no known key signed the checkpoint" in said.err


def test_all_fields_can_be_shown(run: Run, tmp_path: Path) -> None:
    body = event_json()
    names = [name for name in body if name not in {"producer", "details"}]
    core = ("tenant", "schema", "producer", "region", "corrects", "details")
    path = put(tmp_path, *names, *core)

    document = verify(run, path, "--json").document

    assert (document["hidden"], document["names_all"]) == ([], True)
    assert "hidden  nothing" in verify(run, path, "--verbose").out
    assert document["event"]["details"] == body["details"]


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (b"user.role.updated", b"user.role.deleted", 1),
        (b"after/role", b"after/rule", 1),
        (b"disclosure", b"disclosurf", 2),
    ],
    ids=["edited value", "edited name", "another format"],
)
def test_a_changed_file_convinces_nobody(
    old: bytes, new: bytes, code: int, run: Run, tmp_path: Path
) -> None:
    path = put(tmp_path, "action", "after/role")
    data = path.read_bytes()
    assert old in data
    path.write_bytes(data.replace(old, new))

    assert verify(run, path).code == code


def test_a_policy_without_witnesses_does_not_make_it_more_than_a_promise(
    run: Run, tmp_path: Path
) -> None:
    path = put(tmp_path, "action", policy=format_policy(NO_WITNESS))

    assert verify(run, path).code == 3
    assert verify(run, path, "--allow-promised").code == 0


def test_evidence_is_checked_alone(run: Run, tmp_path: Path) -> None:
    path = put(tmp_path, "action")

    said = verify(run, path, path)

    assert said.code == 2
    assert "evidence is checked alone" in said.err


def test_a_receipt_needs_its_entry(run: Run, tmp_path: Path) -> None:
    path = put(tmp_path, "action").rename(tmp_path / "one.tlog-proof")

    said = verify(run, path)

    assert said.code == 2
    assert "name the entry that the receipt is for" in said.err


def test_a_file_that_is_not_there_is_named(run: Run, tmp_path: Path) -> None:
    put(tmp_path, "action").unlink()

    assert verify(run, tmp_path / "one.evidence").code == 2
