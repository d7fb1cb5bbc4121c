from __future__ import annotations

from pathlib import Path

import pytest

from tallystick_client.cli.outcome import exit_code_of, message_of, report
from tallystick_client.errors import (
    BeyondHeadError,
    ForkError,
    MissingExtraError,
    OutputClosedError,
    PromisedError,
    ServiceError,
    ShrunkenLogError,
    StaleHeadError,
    StateError,
    UsageError,
)
from tallystick_merkle.errors import (
    ExchangeError,
    InvalidSignatureError,
    KeyMismatchError,
    MalformedError,
    OriginError,
    PolicyNotMetError,
    ProofError,
    RefusedError,
    TreeMismatchError,
    UnreachableError,
    UnverifiedNoteError,
)

FORK = ForkError("fork", first=b"1", second=b"2", files=(Path("a"), Path("b")))


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ProofError("x"), 1),
        (InvalidSignatureError("x"), 1),
        (UnverifiedNoteError("x"), 1),
        (FORK, 1),
        (TreeMismatchError("x", index=7), 1),
        (ShrunkenLogError("x"), 1),
        (OriginError(expected="a", found="b"), 1),
        (UsageError("x"), 2),
        (StateError("x"), 2),
        (MissingExtraError("x"), 2),
        (KeyMismatchError("x"), 2),
        (RefusedError(400, "x"), 2),
        (RefusedError(401, "x"), 2),
        (RefusedError(403, "x"), 2),
        (RefusedError(404, "x"), 2),
        (RefusedError(409, "x"), 2),
        (PromisedError("x"), 3),
        (PolicyNotMetError("x"), 3),
        (BeyondHeadError(index=5, size=2), 3),
        (StaleHeadError(served=1, believed=2), 4),
        (UnreachableError("x"), 5),
        (ExchangeError("x"), 5),
        (RefusedError(429, "x"), 5),
        (RefusedError(503, "x"), 5),
        (RefusedError(507, "x"), 5),
        (MalformedError("answer", "x"), 5),
        (ServiceError("x"), 5),
        (OutputClosedError("x"), 141),
    ],
)
def test_every_error_has_its_exit_code(error: Exception, code: int) -> None:
    assert exit_code_of(error) == code


def test_a_bug_is_no_integrity_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert report(ZeroDivisionError("oops"), is_json=False) == 70
    assert "ZeroDivisionError: oops" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("status", "code", "advice"),
    [
        (401, "unauthorized", "token file"),
        (404, "not-found", "name of the log"),
        (409, "idempotency-key-reused", "idempotency key"),
    ],
)
def test_a_refusal_says_what_to_check(status: int, code: str, advice: str) -> None:
    error = RefusedError(status, "no", code=f"https://tallystick.dev/problems/{code}")

    assert advice in message_of(error)


def test_another_conflict_speaks_for_itself() -> None:
    assert message_of(RefusedError(409, "no", code="x/schema-taken")).endswith(": no")


def test_a_message_is_one_line() -> None:
    assert message_of(UsageError("one\ntwo")) == "one two"


def test_a_fork_names_its_files_to_programs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    report(FORK, is_json=True)

    assert '"files": ["a", "b"]' in capsys.readouterr().out


def test_a_rewritten_entry_is_named_to_programs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    report(TreeMismatchError("x", index=7), is_json=True)

    assert '"index": 7' in capsys.readouterr().out
