"""The commands of the vault, and its owner, and what must hold when one was cut short.

Each key that there was, or that was given to anybody, is there with the same secrets;
a backup that has its name is whole; and doing it again works, or says what to remove.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tallystick_server.errors import ServerError
from tallystick_server.vault.opening import open_vault
from tests.system.crash.calls import Call, Point
from tests.system.crash.commands import Command
from tests.system.crash.ends import judge_end
from tests.system.crash.process import Traced
from tests.system.stack import LOG, ORIGIN, run
from tests.system.vault_program import root_of, told_of

KEYS = 40
TURNS = 6


def made_line(place: Path) -> set[str]:
    """Read what `prepare` was told of the keys that it made."""
    return set((place / "told").read_text("utf-8").splitlines())


def wrong_keys(place: Path, told: set[str]) -> list[str]:
    """Own the vault, open every row, and look for all that was told of."""
    data = place / "data"
    try:
        vault = open_vault(data / "vault", root_of(data))
    except ServerError as error:
        return [f"the vault does not open: {error}"]
    try:
        state = vault.check_rows(lambda _done, _all: None)
        found = vault.find([line.split(" ")[0].encode() for line in told])
        count = vault.count
    except ServerError as error:
        return [f"the vault is damaged: {error}"]
    finally:
        vault.close()
    lost = told - {told_of(name, key) for name, key in found.items()}
    wrong = [f"lost or changed: {sorted(lost)}"] if lost else []
    if not len(told) <= state.rows == count:
        wrong.append(f"{len(told)} were told of, {state.rows} are there of {count}")
    return wrong


def _init(place: Path) -> list[str]:
    words = ["server", "init", "--data", str(place / "data"), "--log", LOG]
    return [*words, "--origin", ORIGIN, "--kind", "events", "--json"]


def _vault(place: Path, *words: str) -> list[str]:
    return ["server", "vault", *words, "--data", str(place / "data"), "--json"]


def _prepare(place: Path) -> None:
    """A log of events, and a vault with some keys."""
    place.mkdir()
    run(*_init(place))
    vault = open_vault(place / "data" / "vault", root_of(place / "data"))
    made = vault.ensure([b"person-%d" % number for number in range(KEYS)])
    vault.close()
    lines = [told_of(name, key) for name, key in made.items()]
    (place / "told").write_text("\n".join(lines), "utf-8")


def _prepare_copy(place: Path) -> None:
    """The same, but the vault is in a backup alone."""
    _prepare(place)
    run(*_vault(place, "backup", "--to", str(place / "copy")))
    shutil.rmtree(place / "data" / "vault")


def _check_init(place: Path, done: bool, printed: str) -> list[str]:
    """Where there is a log, there was a vault before; init again makes both."""
    fsck = ["server", "fsck", "--data", str(place / "data"), "--log", LOG]
    is_there = run(*fsck, check=False).returncode == 0
    wrong = wrong_keys(place, set()) if is_there or done else []
    again = run(*_init(place), check=False)
    if again.returncode != (2 if is_there else 0):
        wrong.append(f"init again ends with {again.returncode}: {again.stderr}")
    if run(*fsck, check=False).returncode:
        wrong.append("what init made the second time is not sound")
    if done and not json.loads(printed)["vault_root_file"]:
        wrong.append("init did not say where the root key is")
    return wrong + wrong_keys(place, set())


def _check_rotate(place: Path, done: bool, printed: str) -> list[str]:
    """The old generation or the new one, whole; it can be rotated again."""
    told = made_line(place)
    wrong = wrong_keys(place, told)
    kept = sorted(item.name for item in (place / "data" / "vault").glob("*g*"))
    if kept not in (["g1"], ["g2"]) or (done and kept != ["g2"]):
        wrong.append(f"after the next start there is {kept}")
    wrong += _check_copy(place, told, must_be=done)
    run(*_vault(place, "rotate", "--backup", str(place / "again")))
    return wrong + wrong_keys(place, told)


def _check_backup(place: Path, done: bool, printed: str) -> list[str]:
    """The vault is as it was; a copy with its name is whole; another can be made."""
    told = made_line(place)
    wrong = wrong_keys(place, told) + _check_copy(place, told, must_be=done)
    run(*_vault(place, "backup", "--to", str(place / "again")))
    return wrong


def _check_restore(place: Path, done: bool, printed: str) -> list[str]:
    """No vault, or all of it; it can be brought back later."""
    told = made_line(place)
    wrong = []
    if (place / "data" / "vault").exists():
        wrong += wrong_keys(place, told)
        shutil.rmtree(place / "data" / "vault")
    elif done:
        wrong.append("it said that the vault is back, and it is not")
    run(*_vault(place, "restore", "--from", str(place / "copy")))
    return wrong + wrong_keys(place, told)


def _check_copy(place: Path, told: set[str], *, must_be: bool) -> list[str]:
    """A backup that has its name can be brought back elsewhere, with all keys."""
    copy, other = place / "copy", place / "other"
    if not copy.exists():
        return ["it said that there is a backup"] if must_be else []
    shutil.copytree(place / "data" / "keys", other / "data" / "keys")
    run(*_vault(other, "restore", "--from", str(copy)))
    return wrong_keys(other, told)


VAULT_COMMANDS = (
    Command("server init --kind events", Path.mkdir, _init, _check_init),
    Command(
        "server vault rotate",
        _prepare,
        lambda place: _vault(place, "rotate", "--backup", str(place / "copy")),
        _check_rotate,
    ),
    Command(
        "server vault backup",
        _prepare,
        lambda place: _vault(place, "backup", "--to", str(place / "copy")),
        _check_backup,
    ),
    Command(
        "server vault restore",
        _prepare_copy,
        lambda place: _vault(place, "restore", "--from", str(place / "copy")),
        _check_restore,
    ),
)
"""Every command of the vault that is hit."""


PROGRAM = (sys.executable, "-m", "tests.system.vault_program")


@dataclass(frozen=True)
class Owner:
    """The program that owns a vault and makes keys, listed or hit."""

    program: Sequence[str] = PROGRAM

    def list_calls(self, place: Path) -> list[Call]:
        """Run it untouched; give its calls on the vault."""
        _prepare(place)
        with Traced(
            self._words(place), place=place, listing=True, program=self.program
        ) as process:
            told = process.finish()
            assert process.process.returncode == 0, process.said()
            calls = process.calls()
        assert wrong_keys(place, made_line(place) | set(told.splitlines())) == []
        return [call for call in calls if not call.path or call.path.startswith("data")]

    def hit(self, place: Path, point: Point) -> list[str] | None:
        """Run it hit; give what is wrong, None if the point was not reached."""
        _prepare(place)
        with Traced(
            self._words(place), place=place, point=point, program=self.program
        ) as process:
            told = process.finish()
            # How a planted bug ends does not count, what it leaves does.
            wrong = judge_end(process) if self.program == PROGRAM else []
            if not process.was_hit() and not wrong:
                return None
        whole = told[: told.rfind("\n") + 1].splitlines()
        return wrong + wrong_keys(place, made_line(place) | set(whole))

    def _words(self, place: Path) -> list[str]:
        return [str(place / "data"), str(TURNS), "1"]
