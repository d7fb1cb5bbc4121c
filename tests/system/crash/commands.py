"""Commands that change a data directory, and what must hold when one was cut short.

Each is run as installed, hit at a call, and looked at afterwards by commands alone:
what it said was done is done, what was there before is there still, and doing it again
works or says plainly what to remove first.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tallystick_merkle.keys import KeyType, format_vkey, make_signing_key
from tests.system.crash.calls import Call, Point
from tests.system.crash.ends import judge_end
from tests.system.crash.process import Traced
from tests.system.stack import LOG, ORIGIN, run

OTHER = make_signing_key(name="other.example/log", type=KeyType.ED25519, seed=bytes(32))
"""A log that a witness is told to follow, or to leave."""

_REMOVE = re.compile(r"remove the keys and run init again")


@dataclass(frozen=True)
class Command:
    """A command: what stands there before it, its words, and what must hold after it.

    `check` is given the place, whether it said that it was done, and what it printed.
    """

    name: str
    prepare: Callable[[Path], None]
    words: Callable[[Path], list[str]]
    check: Callable[[Path, bool, str], list[str]]

    def list_calls(self, place: Path) -> list[Call]:
        """Run it untouched; give its calls."""
        self.prepare(place)
        with Traced(self.words(place), place=place, listing=True) as process:
            printed = process.finish()
            assert process.process.returncode == 0, process.said()
            calls = process.calls()
        assert self.check(place, True, printed) == []
        return calls

    def hit(self, place: Path, point: Point) -> list[str] | None:
        """Run it hit; give what is wrong, None if the point was not reached."""
        self.prepare(place)
        with Traced(self.words(place), place=place, point=point) as process:
            printed = process.finish()
            code = process.process.returncode
            wrong = judge_end(process)
            if not process.was_hit() and not wrong:
                return None
        return wrong + self.check(place, code == 0, printed)


def _make_server(place: Path) -> None:
    """A log that is there already, with the token of its init."""
    place.mkdir()
    run(*_init_server(place))


def _make_witness(place: Path) -> None:
    """A witness that is there already, and follows no log."""
    place.mkdir()
    run(*_init_witness(place))


def _make_follower(place: Path) -> None:
    """A witness that follows a log."""
    _make_witness(place)
    run(*_add_log(place))


def _init_server(place: Path) -> list[str]:
    data = str(place / "data")
    words = ["server", "init", "--data", data, "--log", LOG, "--origin", ORIGIN]
    return [*words, "--json"]


def _init_witness(place: Path) -> list[str]:
    words = ["witness", "init", "--data", str(place / "data"), "--name", "w.example/1"]
    return [*words, "--type", "both", "--json"]


def _add_log(place: Path) -> list[str]:
    vkey = format_vkey(OTHER.verifier)
    return ["witness", "add-log", "--data", str(place / "data"), "--vkey", vkey]


def _remove_log(place: Path) -> list[str]:
    words = ["witness", "remove-log", "--data", str(place / "data")]
    return [*words, "--origin", OTHER.name]


def _of_log(place: Path, *words: str) -> list[str]:
    return ["server", *words, "--data", str(place / "data"), "--log", LOG, "--json"]


def _check_server_init(place: Path, done: bool, printed: str) -> list[str]:
    """There is no log, or a good one; init again makes it, or says that it is there."""
    before = run(*_of_log(place, "fsck"), check=False)
    if before.returncode not in ((0,) if done else (0, 2)):
        return [f"fsck says {before.returncode}: {before.stderr}"]
    again = run(*_init_server(place), check=False)
    if again.returncode != (2 if before.returncode == 0 else 0):
        return [f"init again ends with {again.returncode}: {again.stderr}"]
    wrong = []
    if again.returncode == 2 and "never overwritten" not in again.stderr:
        wrong.append(f"init again does not say why: {again.stderr}")
    if run(*_of_log(place, "fsck"), check=False).returncode:
        wrong.append("what init made the second time is not sound")
    if done and not json.loads(printed)["token"]:
        wrong.append("init gave no token")
    return wrong + _check_token_add(place, False, "")


def _check_witness_init(place: Path, done: bool, printed: str) -> list[str]:
    """As for a server; what is half made must be removed, and it says what."""
    before = run(*_list_witness(place), check=False)
    if before.returncode not in ((0,) if done else (0, 2)):
        return [f"list says {before.returncode}: {before.stderr}"]
    if before.returncode == 2 and "not initialised" not in before.stderr:
        return [f"list does not say that there is none: {before.stderr}"]
    again = run(*_init_witness(place), check=False)
    if before.returncode == 2 and _REMOVE.search(again.stderr):
        shutil.rmtree(place / "data" / "keys")
        again = run(*_init_witness(place), check=False)
    if again.returncode != (2 if before.returncode == 0 else 0):
        return [f"init again ends with {again.returncode}: {again.stderr}"]
    listed = json.loads(run(*_list_witness(place)).stdout)
    if done and json.loads(printed)["vkeys"] != listed["vkeys"]:
        return ["init printed other keys than it made"]
    return []


def _check_token_add(place: Path, done: bool, printed: str) -> list[str]:
    """No token is lost, one that was printed is there, and another can be added."""
    ids = _tokens(place)
    wrong = [f"{ids} tokens"] if len(ids) > 2 else []
    if done and json.loads(printed)["id"] not in ids:
        wrong.append(f"the token that was printed is not among {ids}")
    run(*_of_log(place, "token", "add"))
    if not ids < (now := _tokens(place)) or len(now) != len(ids) + 1:
        wrong.append(f"had {ids}, then {now}")
    return wrong


def _check_revoke(place: Path, done: bool, printed: str) -> list[str]:
    """A token that was said to be revoked is revoked; it can be done again."""
    (token,) = json.loads(run(*_of_log(place, "token", "list")).stdout)["tokens"]
    wrong = ["it is not revoked"] if done and token["revoked"] is None else []
    run(*_revoke(place))
    return wrong


def _check_follow(place: Path, done: bool, printed: str) -> list[str]:
    """A log that was said to be followed is followed; it can be done again."""
    logs, vkeys = _followed(place)
    wrong = ["it is not followed"] if done and logs != {OTHER.name: "active"} else []
    run(*_add_log(place))
    if _followed(place) != ({OTHER.name: "active"}, vkeys):
        wrong.append("it cannot be followed later")
    return wrong


def _check_remove(place: Path, done: bool, printed: str) -> list[str]:
    """A log that was said to be left is left, and known for ever."""
    logs, _ = _followed(place)
    wrong = [] if OTHER.name in logs else ["the log was forgotten"]
    if done and logs == {OTHER.name: "active"}:
        wrong.append("it is not left")
    run(*_remove_log(place))
    if _followed(place)[0] == logs and not done and logs[OTHER.name] == "active":
        wrong.append("it cannot be left later")
    return wrong


def _tokens(place: Path) -> set[str]:
    listed = json.loads(run(*_of_log(place, "token", "list")).stdout)
    return {token["id"] for token in listed["tokens"]}


def _revoke(place: Path) -> list[str]:
    (token,) = _tokens(place)
    data = str(place / "data")
    return ["server", "token", "revoke", token, "--data", data, "--log", LOG]


def _list_witness(place: Path) -> list[str]:
    return ["witness", "list", "--data", str(place / "data"), "--json"]


def _followed(place: Path) -> tuple[dict[str, str], list[str]]:
    listed = json.loads(run(*_list_witness(place)).stdout)
    return {log["origin"]: log["state"] for log in listed["logs"]}, listed["vkeys"]


COMMANDS = (
    Command("server init", Path.mkdir, _init_server, _check_server_init),
    Command("witness init", Path.mkdir, _init_witness, _check_witness_init),
    Command(
        "server token add",
        _make_server,
        lambda place: _of_log(place, "token", "add"),
        _check_token_add,
    ),
    Command("server token revoke", _make_server, _revoke, _check_revoke),
    Command("witness add-log", _make_witness, _add_log, _check_follow),
    Command("witness remove-log", _make_follower, _remove_log, _check_remove),
)
"""Every command that is hit. The first two make a data directory."""
