"""R17: golden data are served by today's processes: log, witnesses, client commands."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.golden.data import VERSIONS, Golden
from tests.golden.deployment import LOG, WITNESSES, policy_text
from tests.golden.story import PROMISED_INDEX, SIZE, WITNESSED_INDEXES
from tests.rows.forms import Form
from tests.rows.report import Figures
from tests.system.stack import Daemon, run_json

pytestmark = [pytest.mark.system]


class Served:
    """A deployment whose processes run, and the commands of its client."""

    def __init__(self, place: Path, token: str, running: ExitStack) -> None:
        self.place = place
        witnesses = [self._witness(name, running) for name in WITNESSES]
        urls = [witness.url for witness in witnesses]
        self._write("policy", policy_text(urls))
        self._write("token", token)
        self._write(
            "server.toml",
            f'[server]\ndata = "server"\nlisten = "127.0.0.1:0"\n[logs.{LOG}]\n'
            'policy = "policy"\nanchor = "anchors/log"\npublish_interval_s = 0.2\n',
        )
        words = ["server", "serve", "--config", str(place / "server.toml")]
        self.server = Daemon(words, place / "server.log")
        running.callback(self.server.kill)
        self._write(
            "client.toml",
            f'[client]\nserver = "{self.server.url}"\nlog = "{LOG}"\n'
            'policy = "policy"\ntoken_file = "token"\nstate = "state"\n',
        )

    def client(self, *words: str) -> dict[str, Any]:
        """Run a command of the client with --json; it must end with 0."""
        return run_json("--config", str(self.place / "client.toml"), *words)

    def _witness(self, name: str, running: ExitStack) -> Daemon:
        words = ["witness", "serve", "--data", str(self.place / name),
                 "--listen", "127.0.0.1:0"]  # fmt: skip
        if name == "w1":
            words += ["--anchor", str(self.place / "anchors/w1")]
        daemon = Daemon(words, self.place / f"{name}.log")
        running.callback(daemon.kill)
        return daemon

    def _write(self, name: str, text: str) -> None:
        (self.place / name).write_text(text, encoding="utf-8")


@pytest.fixture(params=VERSIONS, ids=lambda golden: golden.version)
def golden(request: pytest.FixtureRequest, form: Form) -> Golden:
    form.needs(Form.CI, "it starts three daemons and seven commands")
    found: Golden = request.param
    return found


@pytest.fixture
def served(golden: Golden, tmp_path: Path) -> Iterator[Served]:
    with ExitStack() as running:
        yield Served(golden.unpack(tmp_path), golden.expected["token"], running)


@pytest.mark.row("R17")
def test_golden_data_are_served_and_continued(
    golden: Golden, served: Served, figures: Figures
) -> None:
    """The client believed a head of the old version; all it is told must extend it."""
    entry = served.place / "entry"
    entry.write_bytes(b"an entry of today")

    added = served.client("append", str(entry), "--wait", "witnessed")
    head = served.client("head")
    upgraded = served.client("receipts", "upgrade", "--wait", "30")
    kept = served.client("receipts", "list")
    continued = served.client("audit")
    anew = served.client("audit", "--from-start")
    checked = run_json(
        "server", "fsck", "--data", str(served.place / "server"), "--log", LOG
    )

    status = {one["index"]: one["status"] for one in kept["receipts"]}
    expected = dict.fromkeys([*WITNESSED_INDEXES, PROMISED_INDEX, SIZE], "witnessed")
    figures.record(
        f"golden data of {golden.version}: served by processes",
        tried=7,
        bad=int(status != expected),
        note="append, head, upgrade, list, audit on and anew, fsck",
    )
    assert (added["first_index"], added["witnessed"]) == (SIZE, 1)
    assert head["size"] == SIZE + 1
    assert upgraded["upgraded"] == [PROMISED_INDEX]
    assert status == expected
    assert continued["size"] == anew["size"] == SIZE + 1
    assert checked["logs"][0]["size"] == SIZE + 1 if "logs" in checked else True
