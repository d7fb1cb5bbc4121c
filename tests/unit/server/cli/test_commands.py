"""The operator's commands: their answers, their one line of error, their exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner, Result

from tallystick_merkle.keys import (
    KeyType,
    format_vkey,
    make_signing_key,
    parse_vkey,
)
from tallystick_server.cli import app
from tallystick_server.cli.boundary import Commands, bounded
from tallystick_server.errors import (
    ClockError,
    IntegrityError,
    LockedError,
    StoreError,
    UsageError,
)
from tests.unit.server.cli.running import ORIGIN, answer, call, init


def test_init_answers_with_all_that_is_needed_next(tmp_path: Path) -> None:
    made = init(tmp_path)

    assert list(made) == [
        "log",
        "kind",
        "origin",
        "vkey",
        "next_vkey",
        "recovery_vkey",
        "recovery_key_file",
        "read_path",
        "api_path",
        "token",
        "scopes",
        "vault_root_file",
    ]
    assert (made["kind"], made["scopes"]) == ("raw", ["append"])
    assert parse_vkey(made["vkey"]).name == made["origin"] == ORIGIN
    assert len({made["vkey"], made["next_vkey"], made["recovery_vkey"]}) == 3
    assert Path(made["recovery_key_file"]).is_file()
    assert (made["read_path"], made["api_path"]) == ("/t/main", "/v1/logs/main")
    assert made["token"].startswith("tally_main_")


def test_init_takes_a_recovery_key_that_was_made_elsewhere(tmp_path: Path) -> None:
    key = make_signing_key(name="safe", type=KeyType.ED25519, seed=b"s" * 32)

    made = init(tmp_path, "--recovery-vkey", format_vkey(key.verifier))

    assert made["recovery_vkey"] == format_vkey(key.verifier)
    assert made["recovery_key_file"] is None


def test_init_for_people_shows_the_token_and_the_next_step(tmp_path: Path) -> None:
    result = call("init", "--data", tmp_path, "--log", "main", "--origin", ORIGIN)

    assert result.exit_code == 0
    assert "tally_main_" in result.stdout
    assert f"tallystick server serve --data {tmp_path}" in result.stdout
    assert "offline" in result.stdout


@pytest.mark.parametrize(
    ("log", "origin", "more"),
    [
        ("Main", ORIGIN, ()),
        ("../x", ORIGIN, ()),
        ("main", "has space", ()),
        ("main", "has+plus", ()),
        ("main", ORIGIN, ("--recovery-vkey", "nonsense")),
    ],
)
def test_init_refuses_what_cannot_be_a_log(
    tmp_path: Path, log: str, origin: str, more: tuple[str, ...]
) -> None:
    result = call(
        "init", "--data", tmp_path / "d", "--log", log, "--origin", origin, *more
    )

    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("tallystick server: ")


def test_a_log_is_made_once(tmp_path: Path) -> None:
    first = init(tmp_path)
    result = call("init", "--data", tmp_path, "--log", "main", "--origin", ORIGIN)

    assert result.exit_code == 2
    assert "exists" in result.stderr
    assert init(tmp_path / "other")["vkey"] != first["vkey"]


def test_the_data_directory_may_be_configured(tmp_path: Path) -> None:
    config = tmp_path / "server.toml"
    config.write_text(f'[server]\ndata = "{tmp_path / "d"}"\n')

    made = answer("init", "--config", config, "--log", "main", "--origin", ORIGIN)

    assert made["recovery_key_file"].startswith(str(tmp_path / "d"))


def test_a_token_is_added_listed_and_revoked(tmp_path: Path) -> None:
    init(tmp_path)
    places = ("--data", tmp_path, "--log", "main")

    added = answer("token", "add", *places, "--principal", "billing", "--days", "30")
    before = answer("token", "list", *places)["tokens"]
    answer("token", "revoke", *places, added["id"])
    after = answer("token", "list", *places)["tokens"]
    shown = call("token", "list", *places).stdout

    assert [row["principal"] for row in before] == ["init", "billing"]
    assert before[1]["expires"] == added["expires"] is not None
    assert before[1]["revoked"] is None
    assert after[1]["revoked"] is not None
    assert "secret" not in json.dumps(after)
    assert added["token"] not in json.dumps(after) + shown
    assert f"{added['id']}  billing" in shown


def test_the_text_of_a_token_alone_is_on_stdout(tmp_path: Path) -> None:
    init(tmp_path)

    result = call("token", "add", "--data", tmp_path, "--log", "main")

    assert result.stdout.startswith("tally_main_")
    assert result.stdout.count("\n") == 1


@pytest.mark.parametrize(
    "words",
    [
        ("token", "list", "--log", "none"),
        ("token", "add", "--log", "none"),
        ("token", "revoke", "--log", "none", "id"),
        ("token", "add", "--log", "main", "--principal", "Not Plain"),
        ("token", "revoke", "--log", "main", "none"),
        ("fsck", "--log", "none"),
        ("serve", "--listen", "nowhere"),
        ("serve", "--tls-cert", "c"),
        ("serve", "--log-level", "loud"),
    ],
)
def test_wrong_usage_is_one_line_and_code_2(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    init(tmp_path)

    result = call(*words, "--data", tmp_path)

    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--new-anchor", "mian"), "--new-anchor mian: there is no such log"),
        (("--sign-unproven", "mian"), "--sign-unproven mian: there is no such log"),
        (("--new-anchor", "main"), "--new-anchor main: this log has no anchor"),
        (
            ("--read-only", "--sign-unproven", "main"),
            "a read-only server signs nothing",
        ),
    ],
)
def test_a_permission_that_can_have_no_effect_is_refused(
    tmp_path: Path, words: tuple[str, ...], told: str
) -> None:
    init(tmp_path)

    result = call("serve", "--data", tmp_path, *words)

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.count("\n") == 1
    assert told in result.stderr


def test_fsck_of_nothing_is_code_2(tmp_path: Path) -> None:
    assert call("fsck", "--data", tmp_path).exit_code == 2


def test_fsck_reports_every_log(tmp_path: Path) -> None:
    init(tmp_path)
    answer("init", "--data", tmp_path, "--log", "two", "--origin", "log.example/2")

    report = answer("fsck", "--data", tmp_path)
    shown = call("fsck", "--data", tmp_path)

    assert report["sound"]
    assert [(one["log"], one["size"]) for one in report["logs"]] == [
        ("main", 1),
        ("two", 1),
    ]
    assert "main: sound: 1 entries" in shown.stdout


def test_fsck_finds_damage(tmp_path: Path) -> None:
    init(tmp_path)
    store = tmp_path / "logs" / "main" / "log.lmdb" / "data.mdb"
    store.write_bytes(store.read_bytes().replace(b"dkindcraw", b"dkindcrAw"))

    shown = call("fsck", "--data", tmp_path)
    report = call("fsck", "--data", tmp_path, "--json")

    assert (shown.exit_code, report.exit_code) == (1, 1)
    assert "main: DAMAGED" in shown.stdout
    assert not json.loads(report.stdout)["sound"]


def test_config_check_shows_values_and_origins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TALLYSTICK_SERVER__BACKLOG", "7")
    config = tmp_path / "server.toml"
    config.write_text("[server]\nread_only = true\n[logs.main]\n")

    values = {
        one["key"]: (one["value"], one["origin"])
        for one in answer("config", "check", "--config", config)["values"]
    }
    shown = call("config", "check", "--config", config).stdout.splitlines()

    assert values["server.read_only"] == (True, "file")
    assert values["server.backlog"] == (7, "env")
    assert values["logs.main.policy"] == (None, "default")
    assert "server.read_only = true  # file" in shown
    assert "logs.main.policy = unset  # default" in shown
    assert 'server.listen = "127.0.0.1:8440"  # default' in shown


def test_config_check_refuses_an_unknown_key(tmp_path: Path) -> None:
    config = tmp_path / "server.toml"
    config.write_text("[server]\ntypo = 1\n")

    result = call("config", "check", "--config", config)

    assert result.exit_code == 2
    assert "server.typo" in result.stderr


def failing(error: Exception, *words: str) -> Result:
    """Run a command that fails."""
    commands = typer.Typer(cls=Commands)

    @commands.callback()
    def only() -> None:
        """A group."""

    @commands.command()
    @bounded
    def command(is_json: Annotated[bool, typer.Option("--json")] = False) -> None:
        raise error

    return CliRunner().invoke(commands, ["command", *words])


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("u"), 2),
        (LockedError("l"), 2),
        (IntegrityError("i"), 1),
        (ClockError("c"), 4),
        (StoreError("s"), 5),
        (OSError(5, "Input/output error", "disk"), 5),
        (ModuleNotFoundError("no", name="lmdb"), 2),
    ],
)
def test_each_error_has_its_exit_code(error: Exception, code: int) -> None:
    result = failing(error)

    assert (result.exit_code, result.stdout) == (code, "")
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("tallystick server: ")


def test_an_error_is_an_object_for_programs() -> None:
    result = failing(IntegrityError("set back"), "--json")

    assert result.stderr == "tallystick server: set back\n"
    assert json.loads(result.stdout) == {
        "error": {"exit_code": 1, "kind": "IntegrityError", "message": "set back"}
    }


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["frobnicate"], "No such command 'frobnicate'. Try 'x --help'."),
        (["fsck", "--nope"], "No such option: --nope. Try 'x fsck --help'."),
        (["token", "list"], "Missing option '--log'. Try 'x token list --help'."),
    ],
)
def test_wrong_words_are_one_line_that_names_the_help(
    words: list[str], line: str
) -> None:
    plain = CliRunner().invoke(app, words, prog_name="x")
    program = CliRunner().invoke(app, [*words, "--json"], prog_name="x")

    assert (plain.exit_code, plain.stdout) == (2, "")
    assert plain.stderr == f"tallystick server: {line}\n"
    assert json.loads(program.stdout)["error"]["exit_code"] == 2


def test_without_a_command_the_help_is_shown() -> None:
    result = call()

    assert result.exit_code == 2
    assert "Usage: " in result.stdout
    assert result.stderr == ""


def test_a_missing_library_says_what_to_install() -> None:
    result = failing(ModuleNotFoundError("no", name="uvloop"))

    assert "pip install 'tallystick[server]'" in result.stderr


@pytest.mark.parametrize(
    "error", [ValueError("a bug"), ModuleNotFoundError("x", name="tallystick_server.x")]
)
def test_a_bug_keeps_its_traceback(error: Exception) -> None:
    assert failing(error).exception is error


def test_an_error_line_holds_nothing_that_a_terminal_would_obey() -> None:
    result = failing(UsageError("a\x1b[2J\nb"))

    assert result.stderr == "tallystick server: a?[2J?b\n"
