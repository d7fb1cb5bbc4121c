"""The vault set back, exchanged, lost, without its root key: under a log of events."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tallystick_merkle.exchange.base import NO_RETRY, Request, Response
from tallystick_merkle.exchange.reading import TileReader
from tallystick_merkle.tile import bundles_of
from tests.system.crash.events_run import Case, Client, event_of, new_case
from tests.system.drive import drive, fetch
from tests.system.stack import LOG, run

pytestmark = [pytest.mark.system, pytest.mark.slow]


@contextmanager
def served(case: Case, *more: str) -> Iterator[Client]:
    """Serve until the block ends; nothing that a client is told may be wrong."""
    with case.serve(*more) as server:
        client = Client(case, server)
        assert client.url is not None, server.said()
        yield client
        assert server.stop() == 0, server.said()
    assert (client.failures, case.wrong) == ([], [])


@pytest.fixture
def case(tmp_path: Path) -> Case:
    """A log with an event, and its vault."""
    made = new_case(tmp_path / "place")
    send(made, 1)
    return made


def send(case: Case, number: int) -> None:
    with served(case) as client:
        client.send(event_of(number))


def read_all(case: Case) -> None:
    """Every event that was ever acked is there, and says what was sent."""
    with served(case) as client:
        for event in case.tried.values():
            client.send(event)
            client.read(event)


def vault(case: Case, command: str, *words: object) -> subprocess.CompletedProcess[str]:
    more = [str(word) for word in words]
    return run(*case.words("vault", command), *more, check=False)


def start(case: Case, *more: str) -> tuple[int, str]:
    """Start a server that must refuse; give its exit code and what it says."""
    done = run(*case.words("serve"), *more, check=False)
    lines = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    assert len(lines) == 1, done.stderr
    return done.returncode, lines[0]


def test_a_vault_that_was_set_back_refuses_the_start_until_it_is_brought_forward(
    case: Case, tmp_path: Path
) -> None:
    place = case.place / "data" / "vault"
    shutil.copytree(place, tmp_path / "older")
    send(case, 2)
    place.rename(tmp_path / "newer")
    shutil.copytree(tmp_path / "older", place)

    code, line = start(case)

    assert code == 1
    assert f"the log {LOG} needs vault state" in line
    assert "it was set back; restore a newer backup of the vault" in line
    assert start(case, "--read-only")[0] == 1
    assert "it was set back" in vault(case, "status").stdout
    shutil.rmtree(place)
    (tmp_path / "newer").rename(place)
    read_all(case)


def test_a_backup_comes_back_if_the_log_needs_no_more(
    case: Case, tmp_path: Path
) -> None:
    vault(case, "backup", "--to", tmp_path / "older").check_returncode()
    with served(case) as client:
        client.send(event_of(2))
        vault(case, "backup", "--to", tmp_path / "newer").check_returncode()
    shutil.rmtree(case.place / "data" / "vault")

    refused = vault(case, "restore", "--from", tmp_path / "older")

    assert refused.returncode == 1
    assert "it was set back; restore a newer backup" in refused.stderr
    assert start(case)[0] == 2
    vault(case, "restore", "--from", tmp_path / "newer").check_returncode()
    read_all(case)


def test_the_vault_of_another_server_refuses_the_start(
    case: Case, tmp_path: Path
) -> None:
    other = new_case(tmp_path / "other")
    for name in ("data/vault", "other/root"):
        (case.place / name).rename(tmp_path / Path(name).name)
        (other.place / name).rename(case.place / name)

    code, line = start(case)

    assert code == 1
    assert f"the log {LOG} needs vault" in line
    assert "this is vault" in line


def test_the_drill_of_a_lost_root_key(case: Case) -> None:
    root = case.place / "other" / "root"
    key = root.read_bytes()
    root.unlink()

    code, line = start(case)

    assert code == 2
    assert "without it no event can be read" in line
    with served(case, "--read-only") as client:
        reader = TileReader(client.log.read_url, retry=NO_RETRY, token=case.token)
        proven(case, reader)
        answer = ask(client, event_of(1).event_id)
        assert answer.status == 503
        assert "the vault of this log is not open" in json.loads(answer.body)["detail"]
    root.write_bytes(key)
    root.chmod(0o600)
    read_all(case)


def proven(case: Case, reader: TileReader) -> None:
    """Without any key the log shows its leaves, and they are those that were acked."""
    size = parse_checkpoint_size(drive(reader.checkpoint()))
    bundles = drive(reader.entries(bundles_of(0, size, size)))
    entries = [entry for bundle in bundles for entry in bundle]
    for index, leaf in case.acked.values():
        assert entries[index] == leaf


def parse_checkpoint_size(note: bytes) -> int:
    return int(note.split(b"\n")[1])


def ask(client: Client, event_id: str) -> Response:
    url = f"{client.log.api_url}/events/{event_id}"
    headers = {"Authorization": f"Bearer {client.log.token}"}
    reply = fetch(Request("GET", url, headers=headers))
    assert isinstance(reply, Response)
    return reply


def test_a_rotation_leaves_every_event_readable(case: Case, tmp_path: Path) -> None:
    vault(case, "rotate", "--backup", tmp_path / "copy").check_returncode()
    send(case, 2)

    read_all(case)

    shutil.rmtree(case.place / "data" / "vault")
    assert vault(case, "restore", "--from", tmp_path / "copy").returncode == 1


def test_while_the_server_runs_the_vault_is_not_rotated(case: Case) -> None:
    with served(case) as client:
        refused = vault(case, "rotate", "--no-backup")
        client.read(event_of(1))

    assert refused.returncode == 2
    assert "stop the server first" in refused.stderr
