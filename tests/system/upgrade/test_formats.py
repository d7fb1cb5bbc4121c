"""R17: data of another format are refused by everybody, and left as they were.

Everything starts from golden data in which one version number was changed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import lmdb
import pytest

from tallystick_merkle import canonical
from tallystick_server.storage.base import FORMAT as SERVER_FORMAT
from tallystick_witness.store.base import FORMAT as WITNESS_FORMAT
from tallystick_witness.store.records import META_KEY, seal
from tests.golden.data import VERSIONS
from tests.golden.deployment import LOG, ORIGIN, policy_text
from tests.rows.forms import Form
from tests.rows.report import Figures
from tests.system.stack import run

pytestmark = [pytest.mark.system]

_FORMAT = re.compile(r'"format": [0-9]+')
_ANCHOR = re.compile(rb"anchor/[0-9]+")
_MADE_ANEW = ("lock.mdb", "writer.lock", "witness.lock", "log.lock", "lock")


def server_store(place: Path, version: int) -> None:
    """Say that the log's store is of a version."""
    with (
        lmdb.open(str(place / "server/logs" / LOG / "log.lmdb"), max_dbs=16) as env,
        env.begin(write=True) as write,
    ):
        write.put(b"format", b"%d" % version, db=env.open_db(b"meta", txn=write))


def witness_store(place: Path, version: int) -> None:
    """Say that the first witness's store is of a version."""
    with (
        lmdb.open(str(place / "w1/store"), max_dbs=3) as env,
        env.begin(write=True) as write,
    ):
        meta = env.open_db(b"meta", txn=write)
        value = write.get(META_KEY, db=meta)
        assert value is not None
        body = canonical.decode(bytes(value)[16:])
        write.put(META_KEY, seal(META_KEY, body | {"format": version}), db=meta)


def tokens(place: Path, version: int) -> None:
    """Say that the token file is of a version."""
    path = place / "server/logs" / LOG / "tokens.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": version}))


def witness_anchor(place: Path, version: int) -> None:
    """Say that the witness's anchor is of a version."""
    path = place / "anchors/w1"
    path.write_bytes(_ANCHOR.sub(b"anchor/%d" % version, path.read_bytes(), count=1))


def marker(place: Path, version: int) -> None:
    """Restore a backup elsewhere, and say that its marker is of a version."""
    if not (place / "restored").exists():
        backup(place, 1)
        run("server", "restore", "--from", f"{place}/backup",
            "--data", f"{place}/restored")  # fmt: skip
    path = place / "restored/logs" / LOG / "restored.json"
    path.write_text(_FORMAT.sub(f'"format": {version}', path.read_text(), count=1))


def client_state(place: Path, version: int) -> None:
    """Say that the client's memory of the log is of a version."""
    folder = place / "state" / sha256(ORIGIN.encode()).hexdigest()
    (folder / "format").write_text(f"{version}\n")


def backup(place: Path, version: int) -> None:
    """Make a backup, and say that it is of a version."""
    if not (place / "backup").exists():
        run("server", "backup", "--data", f"{place}/server", "--to", f"{place}/backup")
    path = place / "backup/manifest.json"
    path.write_text(_FORMAT.sub(f'"format": {version}', path.read_text(), count=1))


SERVE = ["server", "serve", "--config", "{place}/server.toml"]
FSCK = ["server", "fsck", "--data", "{place}/server", "--log", LOG]
TOKENS = ["server", "token", "list", "--data", "{place}/server", "--log", LOG]
WITNESS = ["witness", "serve", "--data", "{place}/w1", "--listen", "127.0.0.1:0",
           "--anchor", "{place}/anchors/w1"]  # fmt: skip
LOGS = ["witness", "list", "--data", "{place}/w1"]
RESTORE = ["server", "restore", "--from", "{place}/backup", "--data", "{place}/new"]
PROMOTE = ["server", "promote", "--data", "{place}/restored", "--log", LOG,
           "--key", "{place}/server/keys/golden.skey"]  # fmt: skip
CLIENT = ["--state", "{place}/state", "receipts", "list", "--policy", "{place}/policy"]


@dataclass(frozen=True, slots=True)
class Case:
    """A version number that was changed, and a command that reads it."""

    name: str
    change: Callable[[Path, int], None]
    known: int
    command: list[str]
    versions: tuple[int, ...]


CASES = [
    Case("store, serve", server_store, SERVER_FORMAT, SERVE, (1, 3)),
    Case("store, fsck", server_store, SERVER_FORMAT, FSCK, (1, 3)),
    Case("tokens, serve", tokens, 1, SERVE, (2,)),
    Case("tokens, list", tokens, 1, TOKENS, (0, 2)),
    Case("witness, serve", witness_store, WITNESS_FORMAT, WITNESS, (0, 2)),
    Case("witness, list", witness_store, WITNESS_FORMAT, LOGS, (0, 2)),
    Case("witness anchor", witness_anchor, 1, WITNESS, (0, 2)),
    Case("backup", backup, 1, RESTORE, (2,)),
    Case("restored log", marker, 1, PROMOTE, (2,)),
    Case("client state", client_state, 1, CLIENT, (0, 2)),
]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    VERSIONS[-1].unpack(tmp_path)
    (tmp_path / "policy").write_text(
        policy_text(["http://127.0.0.1:9"] * 2), encoding="utf-8"
    )
    (tmp_path / "server.toml").write_text(
        f'[server]\ndata = "server"\nlisten = "127.0.0.1:0"\n[logs.{LOG}]\n'
        'policy = "policy"\nanchor = "anchors/log"\n',
        encoding="utf-8",
    )
    return tmp_path


def contents(place: Path) -> dict[str, str]:
    """Hash every file that holds data."""
    return {
        str(path.relative_to(place)): sha256(path.read_bytes()).hexdigest()
        for path in place.rglob("*")
        if path.is_file() and path.name not in _MADE_ANEW
    }


@pytest.mark.row("R17")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_another_format_is_refused_and_nothing_is_changed(
    case: Case, place: Path, form: Form, figures: Figures
) -> None:
    refused = []
    for version in form.pick(
        quick=case.versions[-1:], ci=case.versions, long=case.versions
    ):
        case.change(place, version)
        before = contents(place)
        words = [word.format(place=place) for word in case.command]

        done = run(*words, check=False)

        said = [line for line in done.stderr.splitlines() if "format" in line]
        is_one_line = len(said) == 1 and all(
            str(number) in said[0].replace(str(place), "")
            for number in (version, case.known)
        )
        refused.append(
            done.returncode == 2
            and is_one_line
            and "Traceback" not in done.stderr
            and contents(place) == before
        )
        assert refused[-1], (version, done.returncode, done.stdout, done.stderr)

    figures.record(
        "other formats refused",
        tried=len(refused),
        bad=refused.count(False),
        note="each with the code of wrong usage, both versions named, no file changed",
    )
