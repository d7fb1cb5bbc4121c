from __future__ import annotations

from pathlib import Path

import pytest

from tallystick_client.cli.settings import (
    Settings,
    default_config,
    load_settings,
    state_directory,
)
from tallystick_client.errors import UsageError

FULL = """
[client]
server = "https://log.example"
log = "cloudtrail"
origin = "log.example/cloudtrail"
policy = "my.policy"
token_file = "/secrets/token"
state = "~/state"
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(FULL)
    return path


def test_without_a_file_nothing_is_set(tmp_path: Path) -> None:
    environment = {"XDG_CONFIG_HOME": str(tmp_path)}

    assert load_settings(environment, None) == Settings()


def test_a_file_sets_everything_and_paths_are_relative_to_it(config: Path) -> None:
    settings = load_settings({}, config)

    assert settings == Settings(
        server="https://log.example",
        log="cloudtrail",
        origin="log.example/cloudtrail",
        policy=config.parent / "my.policy",
        token_file=Path("/secrets/token"),
        state=Path.home() / "state",
    )


def test_the_usual_file_is_found(tmp_path: Path) -> None:
    environment = {"XDG_CONFIG_HOME": str(tmp_path)}
    path = default_config(environment)
    path.parent.mkdir()
    path.write_text('[client]\nlog = "x"\n')

    assert load_settings(environment, None).log == "x"


def test_the_environment_beats_the_file(config: Path) -> None:
    environment = {"TALLYSTICK_CLIENT__LOG": "other", "TALLYSTICK_SERVER__DATA": "x"}

    settings = load_settings(environment, config)

    assert (settings.log, settings.server) == ("other", "https://log.example")


def test_a_path_of_the_environment_is_relative_to_where_one_is() -> None:
    environment = {
        "TALLYSTICK_CLIENT__POLICY": "my.policy",
        "XDG_CONFIG_HOME": "/nowhere",
    }

    assert load_settings(environment, None).policy == Path.cwd() / "my.policy"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[client]\nservr = 'x'", "unknown key 'servr'"),
        ("[client]\ntoken = 'x'", "unknown key 'token'"),
        ("[clients]\nserver = 'x'", "unknown table or key 'clients'"),
        ("server = 'x'", "unknown table or key 'server'"),
        ("[client]\nserver = 5", "server is not a text"),
        ("[client]\nserver = ''", "server is not a text"),
        ("client = 5", "not a table"),
        ("[client", "is not TOML"),
    ],
)
def test_a_file_that_is_wrong_is_refused(config: Path, text: str, words: str) -> None:
    config.write_text(text)

    with pytest.raises(UsageError, match=words):
        load_settings({}, config)


def test_a_file_that_is_not_text_is_refused(config: Path) -> None:
    config.write_bytes(b"\xff\xfe")

    with pytest.raises(UsageError, match="is not TOML"):
        load_settings({}, config)


def test_a_misspelt_variable_is_refused() -> None:
    with pytest.raises(UsageError, match="unknown key 'servr'"):
        load_settings({"TALLYSTICK_CLIENT__SERVR": "x", "XDG_CONFIG_HOME": "/x"}, None)


def test_a_file_that_was_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no file"):
        load_settings({}, tmp_path / "config.toml")


def test_the_state_directory_is_that_of_the_flag_then_the_settings() -> None:
    settings = Settings(state=Path("/settings"))
    environment = {"XDG_STATE_HOME": "/xdg"}

    assert state_directory(Path("/flag"), settings, environment) == Path("/flag")
    assert state_directory(None, settings, environment) == Path("/settings")
    assert state_directory(None, Settings(), environment) == Path("/xdg/tallystick")


@pytest.mark.parametrize("text", ["a = " + "[" * 4000, "a = [\n" * 700])
def test_a_file_that_python_cannot_take_is_refused(config: Path, text: str) -> None:
    config.write_text(text)

    with pytest.raises(UsageError, match="is not TOML"):
        load_settings({}, config)


def test_the_home_of_nobody_is_refused() -> None:
    environment = {"TALLYSTICK_CLIENT__STATE": "~nobody-of-this-name/state"}

    with pytest.raises(UsageError, match="no home like in"):
        load_settings(environment, None)


def test_a_line_that_would_take_minutes_to_read_is_refused(config: Path) -> None:
    config.write_text("a." * 32_000 + "b = 1")

    with pytest.raises(UsageError, match="a line of more than 4096 bytes"):
        load_settings({}, config)
