"""A log of events: an auditor needs a token that may read, or a log that is public."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tallystick_merkle.policy import format_policy
from tests.system.one_log import API, READ, OneLog
from tests.system.stack import LOG, run

pytestmark = [pytest.mark.system, pytest.mark.slow]


class Auditor:
    """Somebody with a policy file, a state of his own, and perhaps a token."""

    def __init__(self, folder: Path, log: OneLog, token: str = "") -> None:
        folder.mkdir()
        self.folder = folder
        policy = folder / "policy"
        policy.write_bytes(format_policy(log.policy))
        self.place = [
            "--server", log.url, "--log", LOG, "--policy", str(policy),
        ]  # fmt: skip
        if token:
            (folder / "token").write_text(f"{token}\n", encoding="utf-8")
            self.place += ["--token-file", str(folder / "token")]

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run one of his commands."""
        state = str(self.folder / "state")
        return run("--state", state, "--json", *words, *self.place, check=False)

    def reads(self, *words: str) -> Any:  # noqa: ANN401 -- whatever the object holds
        """Run a command that must succeed; give its object."""
        done = self.run(*words)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OneLog]:
    """A log of events that is not public, with its genesis entry alone."""
    with OneLog(tmp_path_factory.mktemp("closed"), kind="events") as one:
        yield one


@pytest.fixture(scope="module")
def reader(made: OneLog) -> str:
    """A token that may read it, and nothing else."""
    return made.add_token("read")


@pytest.fixture(scope="module")
def emitter(made: OneLog) -> str:
    """A token that may do everything but read it."""
    return made.add_token("emit", "admin")


@pytest.fixture(scope="module")
def closed(made: OneLog, reader: str, emitter: str) -> OneLog:
    """The log, served, and its tokens taken up from the beginning."""
    assert reader != emitter
    made.start()
    return made


def test_an_auditor_with_a_read_token_audits_and_proves(
    tmp_path: Path, closed: OneLog, reader: str
) -> None:
    auditor = Auditor(tmp_path / "a", closed, reader)

    audited = auditor.reads("audit")
    proven = auditor.run("prove", "0")

    assert (audited["size"], audited["checked"]) == (1, 1)
    # No witness is asked, so the receipt is only promised.
    assert proven.returncode == 3, proven.stderr
    assert json.loads(proven.stdout)["index"] == 0


def test_an_auditor_without_a_token_sees_the_head_and_no_more(
    tmp_path: Path, closed: OneLog
) -> None:
    auditor = Auditor(tmp_path / "a", closed)

    head = auditor.reads("head")
    audit = auditor.run("audit")

    assert head["size"] == 1
    assert audit.returncode == 2
    assert "401" in audit.stderr
    assert "check the token file" in audit.stderr


def test_a_token_that_may_only_emit_audits_nothing(
    tmp_path: Path, closed: OneLog, emitter: str
) -> None:
    audit = Auditor(tmp_path / "a", closed, emitter).run("audit")

    assert audit.returncode == 2
    assert "401" in audit.stderr


def test_proofs_and_receipts_are_for_readers_and_private_to_them(
    closed: OneLog, reader: str
) -> None:
    header = {"Authorization": f"Bearer {reader}"}
    for path in (
        f"{READ}/tile/0/000.p/1",
        f"{READ}/tile/entries/000.p/1",
        f"{API}/proof/inclusion?index=0&size=1",
        f"{API}/proof/consistency?old=1&new=1",
        f"{API}/receipts/0",
    ):
        refused, given = closed.fetch(path), closed.fetch(path, **header)

        assert (refused.status, given.status) == (401, 200), path
        assert given.headers["cache-control"].startswith("private, ")
        assert "Authorization" in given.headers["vary"]


def test_no_raw_entry_gets_in(
    tmp_path: Path, closed: OneLog, reader: str, emitter: str
) -> None:
    entry = tmp_path / "entry"
    entry.write_bytes(b"raw")

    for number, token in enumerate((closed.token, reader, emitter)):
        sender = Auditor(tmp_path / f"a{number}", closed, token)
        done = sender.run("append", "--whole", str(entry))

        assert done.returncode == 2
        assert f"it takes POST {API}/events" in done.stderr
    assert closed.size() == 1


def test_a_public_log_of_events_is_audited_by_anybody(tmp_path: Path) -> None:
    with OneLog(tmp_path, log=("public = true",), kind="events") as one:
        one.start()

        audited = Auditor(tmp_path / "a", one).reads("audit")

    assert audited["size"] == 1
