"""Bad starts of a witness: each is refused, with one line and its exit code (R8)."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.rows.forms import Form
from tests.rows.report import Figures
from tests.system.stack import run_json
from tests.system.witness_home import Home, submit

pytestmark = [pytest.mark.system, pytest.mark.slow]


def older_copy(home: Home) -> None:
    """Put back a copy from before the last cosignature."""
    backup = home.folder / "backup"
    shutil.copytree(home.data, backup)
    cosign(home, 5, 8)
    shutil.rmtree(home.data)
    shutil.copytree(backup, home.data)


def empty(home: Home) -> None:
    (home.data / "store" / "data.mdb").write_bytes(b"")


def missing(home: Home) -> None:
    (home.data / "store" / "data.mdb").unlink()


def other_keys(home: Home) -> None:
    """Bring the keys of another witness of that name."""
    other = home.folder / "other"
    run_json("witness", "init", "--data", str(other), "--name", "w.example/1")
    shutil.rmtree(home.data / "keys")
    shutil.copytree(other / "keys", home.data / "keys")


def lost_anchor(home: Home) -> None:
    home.anchor.unlink()


def other_anchor(home: Home) -> None:
    """Have the anchor remember another root at the size that is stored."""
    line = home.anchor.read_bytes().splitlines()[-1]
    words = line.split(b" ")
    changed = b" ".join([words[0], b"6", words[2]])
    home.anchor.write_bytes(home.anchor.read_bytes() + changed + b"\n")


CASES: list[tuple[str, Callable[[Home], None], int, str]] = [
    ("an older copy", older_copy, 1, "rolled back: size 8"),
    ("the anchor ahead", other_anchor, 1, "rolled back: size 6"),
    ("data.mdb empty", empty, 2, "data.mdb"),
    ("data.mdb missing", missing, 2, "there is no witness store"),
    ("other keys", other_keys, 2, ""),
    ("the anchor lost", lost_anchor, 2, "--new-anchor"),
]


def cosign(home: Home, old: int, new: int) -> None:
    daemon = home.serve("--anchor", str(home.anchor))
    status, said = submit(daemon, home.log.request(old, new))
    assert status == 200, said
    assert daemon.stop() == 0


def fault(home: Home, code: int, line: str) -> str:
    """Start on a bad state; say what was wrong with how it was refused."""
    refused, said = home.refused("--anchor", str(home.anchor))
    return "" if (refused, line in said) == (code, True) else f"{refused}: {said}"


@pytest.mark.row("R8")
def test_every_bad_start_of_a_witness_is_refused(
    tmp_path: Path, form: Form, figures: Figures
) -> None:
    bad = {}
    cases = CASES[: form.pick(quick=1, ci=len(CASES), long=len(CASES))]
    for number, (name, prepare, code, line) in enumerate(cases):
        place = tmp_path / str(number)
        place.mkdir()
        home = Home(place)
        cosign(home, 0, 5)
        prepare(home)
        if said := fault(home, code, line):
            bad[name] = said

    figures.record("bad starts of a witness, refused", tried=len(cases), bad=len(bad))
    assert bad == {}
