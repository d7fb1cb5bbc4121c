"""The verifier in JavaScript agrees with the vectors, and its command says so."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tallystick_merkle.disclosure import check_disclosure, parse_disclosure
from tallystick_merkle.errors import MalformedError, ProofError
from tallystick_merkle.leaf import parse_leaf
from tests.reference import ev1_disclosure as reference
from tests.system.ev1_hostile import hostile
from tests.unit.house.source_tree import ROOT
from tests.vectors.ev1make import FOLDER
from tests.vectors.known import ev1_cases

pytestmark = pytest.mark.system

RUNNER = ROOT / "tests" / "system" / "ev1_vectors.mjs"
VERIFIER = ROOT / "docs" / "verifier" / "ev1.mjs"
KINDS = ("disclosure", "evidence", "leaf", "index-entry")
CASES = {name: one for name, one in ev1_cases().items() if one["kind"] in KINDS}
TOLD = {
    "disclosure": ("fields", "hidden", "single"),
    "evidence": ("status", "index"),
    "leaf": ("time_ms", "commitment", "index_digest"),
    "index-entry": ("epoch", "tags", "blind", "digest"),
}


def node(*words: str) -> subprocess.CompletedProcess[str]:
    """Run node, which `.ci/run` installs; without it nothing can be said.

    Where everything is to be checked, nothing said is a failure.
    """
    if shutil.which("node") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("node is not installed")
        pytest.skip("node is not installed")
    return subprocess.run(
        ["node", *words], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    """What the verifier made of every vector."""
    return run(FOLDER / f"{name}.json" for name in CASES)


def run(paths: Iterable[Path]) -> dict[str, Any]:
    """Run the verifier on some vectors."""
    done = node(str(RUNNER), *map(str, paths))
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


@pytest.fixture
def evidence(tmp_path: Path) -> Path:
    """A file of evidence that is witnessed."""
    path = tmp_path / "kept.evidence"
    path.write_bytes(bytes.fromhex(CASES["evidence-witnessed"]["data"]))
    return path


def keys(count: int = 2) -> list[str]:
    """The options that name the log and some witnesses."""
    one = CASES["evidence-witnessed"]
    words = ["--vkey", one["vkey"]]
    for vkey in one["witness_vkeys"][:count]:
        words += ["--witness-vkey", vkey]
    return words


@pytest.mark.parametrize("name", CASES)
def test_the_verifier_in_javascript_agrees_with(
    name: str, found: dict[str, Any]
) -> None:
    one = CASES[name]
    told = TOLD[one["kind"]] if one["verdict"] == "accepted" else ("reason",)

    assert found[name] == {"verdict": one["verdict"], **{key: one[key] for key in told}}


def kernel_says(data: bytes, leaf: bytes) -> str:
    """Whether the kernel takes a disclosure."""
    try:
        check_disclosure(parse_disclosure(data), parse_leaf(leaf))
    except MalformedError:
        return "malformed"
    except ProofError:
        return "refused"
    return "accepted"


def reference_says(data: bytes, leaf: bytes) -> str:
    """Whether the reference takes a disclosure."""
    try:
        reference.check(data, leaf)
    except reference.RefusedError as error:
        return "malformed" if error.reason == "malformed" else "refused"
    return "accepted"


def test_three_implementations_agree_on_what_nobody_would_write(
    tmp_path: Path,
) -> None:
    shown = [one for one in CASES.values() if one["kind"] == "disclosure"]
    good = [bytes.fromhex(one["disclosure"]) for one in shown]
    cases = {f"{at}": hostile(f"hostile {at}", good) for at in range(600)}
    for name, (data, leaf) in cases.items():
        one = {"kind": "disclosure", "disclosure": data.hex(), "leaf": leaf.hex()}
        (tmp_path / f"{name}.json").write_text(json.dumps(one), "utf-8")

    found = run(tmp_path.glob("*.json"))

    kernel = {name: kernel_says(*one) for name, one in cases.items()}
    assert {name: reference_says(*one) for name, one in cases.items()} == kernel
    assert {
        name: "malformed" if one.get("reason") == "malformed" else one["verdict"]
        for name, one in found.items()
    } == kernel
    assert set(kernel.values()) == {"accepted", "refused", "malformed"}


def test_the_command_shows_the_fields_of_witnessed_evidence(evidence: Path) -> None:
    done = node(str(VERIFIER), str(evidence), *keys())

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        'entry 5 of 8 in "example.com/testlog", 2026-11-23T12:00:00.123Z',
        '  0 "action": "user.role.updated"',
        '  1 "actor": ["user", "alice@example.com"]',
        '  2 "after/role": "admin"',
        "19 slots are hidden",
        "witnessed: the log and every witness named have signed",
    ]


@pytest.mark.parametrize(
    ("words", "verdict"), [(keys(0), "promised"), ([], "unsigned")]
)
def test_the_command_ends_with_3_where_less_is_known(
    evidence: Path, words: list[str], verdict: str
) -> None:
    done = node(str(VERIFIER), str(evidence), *words)

    assert (done.returncode, done.stderr) == (3, "")
    assert done.stdout.splitlines()[-1].startswith(f"{verdict}: ")


@pytest.mark.parametrize(
    ("name", "reason", "code"),
    [
        ("evidence-cosignature-edited", "signature", 1),
        ("evidence-leaf-of-another-event", "inclusion", 1),
        ("evidence-disclosure-of-another-event", "commitment", 1),
        ("evidence-cut-short", "malformed", 2),
    ],
)
def test_the_command_refuses_with_the_reason(
    tmp_path: Path, name: str, reason: str, code: int
) -> None:
    path = tmp_path / "bad.evidence"
    path.write_bytes(bytes.fromhex(CASES[name]["data"]))

    done = node(str(VERIFIER), str(path), *keys())

    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith(f"REFUSED, {reason}: ")


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["missing.evidence"],
        ["a.evidence", "b.evidence"],
        ["a.evidence", "--key"],
        ["a.evidence", "--vkey"],
        ["a.evidence", "--vkey", "log.example+00000000+AAAA"],
        ["a.evidence", *keys()[2:]],
        ["a.evidence", "--vkey", keys()[3]],
        ["a.evidence", *keys()[:2], "--witness-vkey", keys()[1]],
    ],
    ids=[
        "nothing",
        "no-file",
        "two-files",
        "no-such-option",
        "no-key",
        "wrong-id",
        "no-log",
        "witness-as-log",
        "log-as-witness",
    ],
)
def test_the_command_ends_with_2_when_it_is_called_wrongly(words: list[str]) -> None:
    done = node(str(VERIFIER), *words)

    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1


def test_the_command_names_a_missing_file_without_what_a_terminal_obeys() -> None:
    done = node(str(VERIFIER), "\x1b[31m\u202e.evidence")

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.rstrip("\n").isprintable()
    assert "\\u{202e}" in done.stderr


def test_the_command_writes_nothing_that_a_terminal_obeys(tmp_path: Path) -> None:
    whole = CASES["shown-texts"]
    program = (
        f"import {{ show, decode }} from {json.dumps(VERIFIER.as_uri())};"
        f"console.log(show(decode(Buffer.from('{whole['fields']}', 'hex'))))"
    )

    done = node("--input-type=module", "--eval", program)

    assert done.returncode == 0, done.stderr
    assert done.stdout.rstrip("\n").isprintable()
    assert "\\u001b[31m" in done.stdout
