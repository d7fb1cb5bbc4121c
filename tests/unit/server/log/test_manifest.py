"""A manifest has one spelling and leads nowhere but to the files of a log."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick_merkle.errors import MalformedError
from tallystick_server.errors import IntegrityError, NotInitialisedError, UsageError
from tallystick_server.log.files import Digest
from tallystick_server.log.manifest import (
    FILE_NAME,
    Manifest,
    SavedFile,
    SavedLog,
    format_manifest,
    parse_manifest,
    read_manifest,
)
from tests.fakes.logs import log_key

FILES = (
    SavedFile("evidence/head-0123456789abcdef.json", Digest(3, b"e" * 32)),
    SavedFile("log.lmdb/data.mdb", Digest(4096, b"d" * 32)),
    SavedFile("vkeys", Digest(200, b"v" * 32)),
)
LOG = SavedLog("audit", log_key().verifier, 9, b"r" * 32, "head\n", None, FILES)
SAMPLE = Manifest(1_700_000_000_123, (LOG,))


def body() -> Any:  # noqa: ANN401 -- whatever the JSON holds
    return json.loads(format_manifest(SAMPLE))


def spell(value: object) -> bytes:
    return f"{json.dumps(value, indent=1)}\n".encode()


def test_a_manifest_is_read_as_it_was_written(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(format_manifest(SAMPLE))

    assert read_manifest(tmp_path) == SAMPLE
    assert LOG.bytes == 4299


def test_a_directory_without_a_manifest_is_no_backup(tmp_path: Path) -> None:
    with pytest.raises(NotInitialisedError, match="no whole backup"):
        read_manifest(tmp_path)


def test_a_manifest_that_is_a_pipe_or_a_link_is_refused_and_not_waited_for(
    tmp_path: Path,
) -> None:
    pipe, link = tmp_path / "pipe", tmp_path / "link"
    for folder in (pipe, link):
        folder.mkdir()
    os.mkfifo(pipe / FILE_NAME)
    (link / FILE_NAME).symlink_to(tmp_path / "elsewhere")

    with pytest.raises(UsageError, match="cannot read"):
        read_manifest(pipe)
    with pytest.raises(UsageError, match="cannot read"):
        read_manifest(link)


def test_a_newer_format_is_not_guessed_at() -> None:
    with pytest.raises(UsageError, match="format 2"):
        parse_manifest(spell(body() | {"format": 2}))


@pytest.mark.parametrize(
    "path",
    [
        "logs/audit/../../keys/audit.skey",
        "logs/other/vkeys",
        "/etc/passwd",
        "logs/audit/restored.json",
        "logs/audit/tokens.json",
        "logs/audit/evidence/../vkeys",
        "logs/audit/evidence/head-0123456789abcdef.json\n",
        "",
    ],
)
def test_a_file_that_is_not_of_a_backup_is_refused(path: str) -> None:
    value = body()
    value["logs"][0]["files"][0]["path"] = path

    with pytest.raises(ValueError, match="a file that is not of a backup"):
        parse_manifest(spell(value))


@pytest.mark.parametrize(
    "change",
    [
        {"log": "../x"},
        {"log": 1},
        {"origin": "other"},
        {"vkey": "no key"},
        {"size": 0},
        {"size": True},
        {"root": "00"},
        {"head": None},
        {"published": 1},
        {"files": {}},
        {"files": []},
        {"more": 1},
    ],
)
def test_a_log_that_is_not_one_is_damage(
    change: dict[str, object], tmp_path: Path
) -> None:
    value = body()
    value["logs"][0] |= change
    (tmp_path / FILE_NAME).write_bytes(spell(value))

    with pytest.raises(IntegrityError, match="is damaged"):
        read_manifest(tmp_path)


def test_the_same_log_or_file_twice_is_damage() -> None:
    twice, doubled = body(), body()
    twice["logs"] *= 2
    doubled["logs"][0]["files"] *= 2

    for value in (twice, doubled):
        with pytest.raises(ValueError, match="twice"):
            parse_manifest(spell(value))


@given(st.data())
def test_a_damaged_manifest_is_refused_or_the_one_spelling(
    draws: st.DataObject,
) -> None:
    data = bytearray(format_manifest(SAMPLE))
    at = draws.draw(st.integers(0, len(data) - 1))
    data[at] = draws.draw(st.integers(0, 255))
    try:
        found = parse_manifest(bytes(data))
    except (UsageError, ValueError, KeyError, TypeError, MalformedError):
        return
    assert format_manifest(found) == bytes(data)
