"""A forged history is named by the auditor and refused by the witness.

The forger here is the operator: it has the log's key and the data on disk, and starts
real servers on data that was tampered with, or on two copies that grew apart.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import lmdb
import pytest

from tallystick_merkle.errors import RefusedError
from tallystick_merkle.exchange.appending import LogAddress, append_batch
from tallystick_merkle.exchange.base import Request, Response
from tallystick_merkle.exchange.reading import TileReader
from tallystick_merkle.exchange.witness import Conflict, ask_witness
from tallystick_merkle.policy import Policy, judge, parse_policy
from tallystick_merkle.proof import plan_consistency
from tests.system.drive import drive, fetch
from tests.system.loopback import Asked, Loopback, answer
from tests.system.stack import LOG, ORIGIN, Daemon, run, run_json

pytestmark = pytest.mark.system

COUNT = 300
"""More than a bundle: what a server re-hashes at its start is the last one."""


class Forger:
    """An operator with one key and as many copies of the data as it likes."""

    def __init__(self, place: Path) -> None:
        self.place = place
        made = run_json(
            "server", "init", "--data", str(place / "true"), "--log", LOG,
            "--origin", ORIGIN,
        )  # fmt: skip
        self.vkey: str = made["vkey"]
        self.token: str = made["token"]
        self.policy_path = place / "policy"
        self.policy_path.write_text(f"log {self.vkey}\nquorum none\n", encoding="utf-8")
        self.running: list[Daemon] = []

    @property
    def policy(self) -> Policy:
        return parse_policy(self.policy_path.read_bytes())

    def serve(self, name: str, *extra: str) -> Daemon:
        daemon = Daemon(
            ["server", "serve", "--data", str(self.place / name),
             "--listen", "127.0.0.1:0", *extra],
            self.place / f"{name}.log",
        )  # fmt: skip
        self.running.append(daemon)
        return daemon

    def fill(self, daemon: Daemon, name: str, count: int = COUNT) -> int:
        """Append entries and wait until a checkpoint that holds them is served."""
        address = LogAddress(
            ORIGIN, f"{daemon.url}/v1/logs/{LOG}", f"{daemon.url}/t/{LOG}", self.token
        )
        batch = drive(
            append_batch(
                address,
                [b"%s %d" % (name.encode(), number) for number in range(count)],
                policy=self.policy,
                key=name,
            )
        )
        size = batch.index(count - 1) + 1
        while not self.is_published(daemon, size):
            pass
        return size

    def is_published(self, daemon: Daemon, size: int) -> bool:
        """Whether a checkpoint of at least `size` is served; none at first."""
        try:
            return self.served(daemon)[1] >= size
        except RefusedError as error:
            if error.status != 404:
                raise
            return False

    def served(self, daemon: Daemon) -> tuple[bytes, int]:
        """The served checkpoint and its size."""
        note = drive(TileReader(f"{daemon.url}/t/{LOG}").checkpoint())
        return note, judge(note, self.policy).opened.checkpoint.size

    def copy(self, name: str, *, of: str = "true") -> None:
        """Copy the data of a server that was stopped."""
        shutil.copytree(self.place / of, self.place / name)

    def audit(self, daemon: Daemon | Loopback) -> tuple[int, str, str]:
        """Audit with one lasting state; give the exit code and what was said."""
        done = run(
            "audit", "--server", daemon.url, "--log", LOG,
            "--policy", str(self.policy_path), "--state", str(self.place / "auditor"),
            check=False,
        )  # fmt: skip
        return done.returncode, done.stdout, done.stderr

    def evidence(self) -> list[bytes]:
        """The checkpoints that the auditor kept as evidence."""
        kept = (self.place / "auditor").rglob("evidence/**/*")
        return [path.read_bytes() for path in kept if path.is_file()]


@pytest.fixture
def forger(tmp_path: Path) -> Iterator[Forger]:
    made = Forger(tmp_path)
    yield made
    for daemon in made.running:
        if daemon.is_alive:
            daemon.kill()


def test_a_rewritten_entry_is_named_by_the_auditor(forger: Forger) -> None:
    """Entry 17 is the one after the genesis entry and sixteen more."""
    daemon = forger.serve("true")
    forger.fill(daemon, "entry")

    async def lie(asked: Asked) -> AsyncIterator[bytes]:
        reply = fetch(Request("GET", daemon.url + asked.path, limit=1 << 20))
        assert isinstance(reply, Response)
        yield answer(reply.body.replace(b"entry 16", b"Entry 16"))

    with Loopback(lie) as liar:
        code, _, said = forger.audit(liar)

    assert code == 1
    assert "entry 17" in said


def test_a_rewritten_entry_is_not_served_by_a_server_of_ours(forger: Forger) -> None:
    daemon = forger.serve("true")
    forger.fill(daemon, "entry")
    assert daemon.stop() == 0
    forger.copy("rewritten")
    rewrite_entry(forger.place / "rewritten", index=17)
    rewritten = forger.serve("rewritten", "--read-only")

    code, _, said = forger.audit(rewritten)

    assert code == 5
    assert "500" in said
    assert "entry 17" in rewritten.errors.read_text(encoding="utf-8")


def rewrite_entry(data: Path, *, index: int) -> None:
    """Change one stored entry behind the server's back."""
    (store,) = data.rglob("log.lmdb")
    with lmdb.open(str(store), max_dbs=16, lib_version=0) as env:
        entries = env.open_db(b"entries", create=False)
        with env.begin(write=True) as transaction:
            key = index.to_bytes(8, "big")
            value = transaction.get(key, db=entries)
            assert value is not None
            transaction.put(key, b"FORGED" + value[6:], db=entries)


def test_a_truncated_log_is_named_by_the_auditor(forger: Forger) -> None:
    daemon = forger.serve("true")
    forger.fill(daemon, "early")
    assert daemon.stop() == 0
    forger.copy("truncated")
    daemon = forger.serve("true")
    size = forger.fill(daemon, "late")
    assert forger.audit(daemon)[0] == 0

    code, _, said = forger.audit(forger.serve("truncated"))

    assert code == 1
    assert str(size) in said


def forked(forger: Forger) -> tuple[Daemon, Daemon]:
    """Two servers of one key that grew apart to the same size."""
    daemon = forger.serve("true")
    forger.fill(daemon, "common")
    assert daemon.stop() == 0
    forger.copy("other")
    one, two = forger.serve("true"), forger.serve("other")
    assert forger.fill(one, "one") == forger.fill(two, "two")
    return one, two


def test_a_fork_at_the_same_size_is_kept_as_evidence(forger: Forger) -> None:
    one, two = forked(forger)
    assert forger.audit(one)[0] == 0

    code, _, said = forger.audit(two)

    assert code == 1
    assert "fork" in said
    kept = forger.evidence()
    assert forger.served(one)[0] in kept
    assert forger.served(two)[0] in kept


def test_a_fork_that_grew_on_is_kept_as_evidence_too(forger: Forger) -> None:
    one, two = forked(forger)
    assert forger.audit(one)[0] == 0
    forger.fill(two, "more")

    code, _, said = forger.audit(two)

    assert code == 1
    assert "fork" in said
    assert forger.served(two)[0] in forger.evidence()


def test_a_fork_is_refused_by_the_witness_and_kept_there(forger: Forger) -> None:
    one, two = forked(forger)
    place = str(forger.place / "w")
    run("witness", "init", "--data", place, "--name", "w.example/w")
    run("witness", "add-log", "--data", place, "--vkey", forger.vkey)
    witness = Daemon(
        ["witness", "serve", "--data", place, "--listen", "127.0.0.1:0"],
        forger.place / "w.log",
    )
    forger.running.append(witness)
    submit(forger, witness, one)

    with pytest.raises(RefusedError) as same_size:
        submit(forger, witness, two)
    forger.fill(two, "more")
    with pytest.raises(RefusedError) as grown:
        submit(forger, witness, two)

    assert same_size.value.status == 422
    assert grown.value.status == 422
    kept = run("witness", "evidence", "--data", place, "--json").stdout
    assert len(json.loads(kept)["evidence"]) == 2


def submit(forger: Forger, witness: Daemon, server: Daemon) -> None:
    """Have the witness cosign what a server serves, with that server's own proof."""
    note, size = forger.served(server)
    reader = TileReader(f"{server.url}/t/{LOG}")

    def prove(old: int) -> tuple[bytes, ...]:
        return drive(reader.proof(plan_consistency(old=old, new=size), size))

    answer = drive(
        ask_witness(witness.url, checkpoint=note, size=size, old=0, prove=prove)
    )
    assert not isinstance(answer, Conflict)
