"""Evidence is kept whole, once for each strange head."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tallystick_server.errors import StoreError
from tallystick_server.log.evidence import Evidence, FileEvidence, MemoryEvidence

OURS = "example.com/log\n5\nours\n\n— ours\n".encode()
THEIRS = "example.com/log\n9\ntheirs\n\n— theirs\n".encode()
COSIGNED = THEIRS + "— and a witness\n".encode()
THIRD = THEIRS.replace(b"9", b"8")


def kept_in(directory: Path) -> list[dict[str, str]]:
    return [json.loads(path.read_bytes()) for path in sorted(directory.iterdir())]


def test_both_notes_and_the_reason_are_kept(tmp_path: Path) -> None:
    place = FileEvidence(tmp_path / "evidence").keep(
        reason="ahead", ours=OURS, theirs=THEIRS
    )

    assert json.loads(Path(place).read_bytes()) == {
        "reason": "ahead",
        "ours": OURS.decode(),
        "theirs": THEIRS.decode(),
    }
    assert [path.name for path in (tmp_path / "evidence").iterdir()] == [
        Path(place).name
    ]


def test_the_same_head_is_kept_once_whoever_cosigned_it(tmp_path: Path) -> None:
    evidence = FileEvidence(tmp_path / "evidence")

    for theirs in (THEIRS, COSIGNED, THIRD):
        evidence.keep(reason="ahead", ours=OURS, theirs=theirs)

    assert sorted(found["theirs"] for found in kept_in(tmp_path / "evidence")) == [
        THIRD.decode(),
        THEIRS.decode(),
    ]


def test_memory_keeps_the_same(tmp_path: Path) -> None:
    evidence = MemoryEvidence()
    twins: list[Evidence] = [evidence, FileEvidence(tmp_path)]

    for theirs in (THEIRS, COSIGNED, THIRD):
        names = {
            Path(twin.keep(reason="ahead", ours=OURS, theirs=theirs)).name
            for twin in twins
        }
        assert len(names) == 1

    assert [theirs for _, _, theirs in evidence.kept] == [THEIRS, THIRD]


def test_bytes_that_are_no_text_are_kept_as_far_as_they_are(tmp_path: Path) -> None:
    FileEvidence(tmp_path).keep(reason="odd", ours=b"\xff", theirs=b"\xfe")

    assert kept_in(tmp_path)[0]["ours"] == "\ufffd"


def test_evidence_that_cannot_be_written_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "evidence").write_bytes(b"a file is in the way")

    with pytest.raises(StoreError, match="cannot keep evidence"):
        FileEvidence(tmp_path / "evidence").keep(
            reason="ahead", ours=OURS, theirs=THEIRS
        )
