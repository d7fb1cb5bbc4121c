"""Configuration: flags beat environment beats file, and nothing unknown slips by."""

from __future__ import annotations

from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick_server.config.load import MAX_FILE, load
from tallystick_server.config.model import LogSettings, is_loopback, split_listen
from tallystick_server.errors import UsageError

ANY = "0.0.0.0"  # noqa: S104 -- it is what must be refused


def write(folder: Path, text: str) -> Path:
    path = folder / "server.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_without_anything_the_defaults_hold() -> None:
    loaded = load(environment={})

    assert loaded.settings.server.listen == "127.0.0.1:8440"
    assert {one.origin for one in loaded.values()} == {"default"}


def test_flags_beat_the_environment_and_the_environment_beats_the_file(
    tmp_path: Path,
) -> None:
    file = write(
        tmp_path,
        '[server]\nlisten = "127.0.0.1:1"\ndata = "from-file"\nlog_level = "debug"\n',
    )

    loaded = load(
        file=file,
        environment={
            "TALLYSTICK_SERVER__LISTEN": "127.0.0.1:2",
            "TALLYSTICK_SERVER__DATA": "from-env",
        },
        flags={"server": {"listen": "127.0.0.1:3"}},
    )

    server = loaded.settings.server
    origins = {one.path: one.origin for one in loaded.values()}
    assert (server.listen, str(server.data)) == ("127.0.0.1:3", "from-env")
    assert server.log_level == "debug"
    assert origins["server.listen"] == "flag"
    assert origins["server.data"] == "env"
    assert origins["server.log_level"] == "file"
    assert origins["server.backlog"] == "default"


def test_a_relative_path_of_the_file_counts_from_its_folder(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        '[server]\ndata = "d"\ntls_cert = "tls/c"\ntls_key = "/tls/k"\n'
        '[logs.main]\npolicy = "../p"\nanchor = "a"\n',
    )

    loaded = load(file=file, environment={})

    server, log = loaded.settings.server, loaded.log("main")
    assert server.data == tmp_path / "d"
    assert (server.tls_cert, server.tls_key) == (tmp_path / "tls/c", Path("/tls/k"))
    assert (log.policy, log.anchor) == (tmp_path / "../p", tmp_path / "a")


def test_the_vaults_key_may_lie_anywhere_and_its_place_is_no_secret(
    tmp_path: Path,
) -> None:
    file = write(tmp_path, '[server]\nvault_root = "safe/root"\n')
    environment = {"TALLYSTICK_SERVER__VAULT_ROOT": "/run/root"}

    usual = load(environment={})
    placed = load(file=file, environment={})
    given = load(file=file, environment=environment)

    assert usual.settings.server.vault_root is None
    assert placed.settings.server.vault_root == tmp_path / "safe" / "root"
    shown = {one.path: (one.value, one.origin) for one in given.values()}
    assert shown["server.vault_root"] == ("/run/root", "env")


def test_a_log_of_events_is_not_public_and_takes_any_action_by_default() -> None:
    loaded = load(
        environment={
            "TALLYSTICK_LOGS__OPEN__PUBLIC": "true",
            "TALLYSTICK_LOGS__OPEN__UNKNOWN_ACTIONS": "refuse",
        }
    )

    assert (loaded.log("other").public, loaded.log("other").unknown_actions) == (
        False,
        "allow",
    )
    assert (loaded.log("open").public, loaded.log("open").unknown_actions) == (
        True,
        "refuse",
    )


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("unknown_actions", "deny"),
        ("dead_letters_max", "-1"),
        ("dead_letters_max_bytes", "-1"),
        ("dead_letters_days", "0"),
        ("public", "perhaps"),
    ],
)
def test_what_becomes_of_events_has_bounds(key: str, value: str) -> None:
    with pytest.raises(UsageError, match=f"logs.main.{key} "):
        load(environment={f"TALLYSTICK_LOGS__MAIN__{key.upper()}": value})


def test_any_other_path_counts_from_the_working_directory(tmp_path: Path) -> None:
    loaded = load(
        file=write(tmp_path, "[server]\n[logs.main]\n"),
        environment={"TALLYSTICK_LOGS__MAIN__ANCHOR": "a"},
        flags={"server": {"data": "d"}},
    )

    assert loaded.settings.server.data == Path("d")
    assert loaded.log("main").anchor == Path("a")


def test_the_process_environment_is_read_unless_another_is_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TALLYSTICK_SERVER__BACKLOG", "7")

    assert load().settings.server.backlog == 7


def test_a_log_has_a_section_of_its_own_and_defaults_without_one(
    tmp_path: Path,
) -> None:
    file = write(
        tmp_path,
        '[logs.main]\npolicy = "p"\n[logs.main.monitoring]\n"w.1" = "http://w/m/"\n',
    )

    loaded = load(
        file=file,
        environment={
            "TALLYSTICK_LOGS__MAIN__PUBLISH_INTERVAL_S": "2.5",
            "TALLYSTICK_LOGS__MY_OTHER__ANCHOR": "a",
        },
    )

    assert loaded.log("main").policy == tmp_path / "p"
    assert loaded.log("main").publish_interval_s == 2.5
    assert loaded.log("main").monitoring == {"w.1": "http://w/m"}
    assert loaded.log("my-other").anchor == Path("a")
    assert loaded.log("unheard-of") == LogSettings()


def test_a_table_may_be_given_as_json_in_the_environment() -> None:
    loaded = load(environment={"TALLYSTICK_LOGS__A__MONITORING": '{"w": "http://w"}'})

    assert loaded.log("a").monitoring == {"w": "http://w"}


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("[server]\ntypo = 1", "server.typo"),
        ("[logs.main]\ntypo = 1", "logs.main.typo"),
        ("[servers]\nlisten = 1", "servers"),
        ("listen = 1", "listen"),
        ("[logs]\nmain = 1", "logs.main"),
        ("logs = 1", "logs"),
        ("server = 1", "server"),
        ("[server]\ndata = 1", "server.data"),
        ("[logs.Main]", "logs.Main"),
        ('[logs."a/../b"]', "logs.a/../b"),
        ("[server]\nbacklog = 0", "server.backlog"),
        ("[server]\nbody_timeout_s = inf", "server.body_timeout_s"),
        ("[server]\nbody_timeout_s = nan", "server.body_timeout_s"),
        ('[server]\nlog_level = "loud"', "server.log_level"),
        ('[server]\ntls_cert = "c"', "tls_cert and tls_key"),
        ('[logs.a.monitoring]\nw = "ftp://w"', "logs.a.monitoring.w"),
        ('[logs.a.monitoring]\nw = "http://u:p@w/"', "logs.a.monitoring.w"),
        ('[logs.a.monitoring]\nw = "http://["', "logs.a.monitoring.w"),
    ],
)
def test_a_wrong_key_or_value_is_refused_with_its_path(
    tmp_path: Path, text: str, path: str
) -> None:
    with pytest.raises(UsageError) as caught:
        load(file=write(tmp_path, text), environment={})

    assert path in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("TALLYSTICK_SERVER__TYPO", "1", "server.typo (from env)"),
        ("TALLYSTICK_SERVR__LISTEN", "1", "'servr'"),
        ("TALLYSTICK_LOGS__A__TYPO", "1", "logs.a.typo (from env)"),
        ("TALLYSTICK_SERVER__BACKLOG", "many", "server.backlog (from env)"),
        ("TALLYSTICK_LOGS__A__MONITORING", "{", "environment"),
    ],
)
def test_a_wrong_variable_is_refused_with_its_path(
    name: str, value: str, said: str
) -> None:
    with pytest.raises(UsageError) as caught:
        load(environment={name: value})

    assert said in str(caught.value)


@pytest.mark.parametrize(
    "name", ["TALLYSTICK_WITNESS__DATA", "TALLYSTICK_TOKEN", "PATH", "SERVER__DATA"]
)
def test_variables_of_others_are_left_alone(name: str) -> None:
    assert load(environment={name: "x"}).origins == {}


def test_a_value_never_stands_in_the_message(tmp_path: Path) -> None:
    file = write(tmp_path, '[server]\nbacklog = "s3cret"')

    with pytest.raises(UsageError) as caught:
        load(file=file, environment={})

    assert "s3cret" not in str(caught.value)


def test_what_sounds_like_a_secret_is_masked(tmp_path: Path) -> None:
    file = write(tmp_path, '[logs.a.monitoring]\nw_token = "http://w/secret"')

    values = {one.path: one.value for one in load(file=file, environment={}).values()}

    assert values["logs.a.monitoring.w_token"] == "********"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"[server", "is not TOML"),
        (b"\xff", "is not TOML"),
        (b"#" * (MAX_FILE + 1), "is longer than"),
    ],
)
def test_a_file_that_is_no_configuration_is_one_line(
    tmp_path: Path, content: bytes, said: str
) -> None:
    path = tmp_path / "server.toml"
    path.write_bytes(content)

    with pytest.raises(UsageError, match=said):
        load(file=path, environment={})


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read"):
        load(file=tmp_path / "none", environment={})


@pytest.mark.parametrize("host", [ANY, "192.0.2.1", "[::]", "log.example"])
def test_others_are_not_served_plain_http_by_default(host: str) -> None:
    flags: dict[str, Any] = {"server": {"listen": f"{host}:80"}}

    with pytest.raises(UsageError, match="insecure_http"):
        load(flags=flags, environment={})
    flags["server"]["insecure_http"] = True

    assert load(flags=flags, environment={}).settings.server.insecure_http


def test_tls_makes_any_address_good() -> None:
    server = {"listen": "0.0.0.0:443", "tls_cert": "c", "tls_key": "k"}

    loaded = load(flags={"server": server}, environment={})

    assert loaded.settings.server.tls_key == Path("k")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:0", ("127.0.0.1", 0)),
        ("localhost:65535", ("localhost", 65535)),
        ("[::1]:8440", ("::1", 8440)),
    ],
)
def test_an_address_is_split(text: str, expected: tuple[str, int]) -> None:
    assert split_listen(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "8440", ":8440", "::1:8440", "a:65536", "a:-1", "a:1:2", "a b:1", "a:٣"],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="HOST:PORT"):
        split_listen(text)


@given(st.ip_addresses(), st.integers(0, 65_535))
def test_every_address_is_split_into_what_it_was_made_of(
    host: IPv4Address | IPv6Address, port: int
) -> None:
    spelt = f"[{host}]" if host.version == 6 else str(host)

    assert split_listen(f"{spelt}:{port}") == (str(host), port)


@given(st.text(max_size=40))
def test_splitting_raises_nothing_but_our_own_refusal(text: str) -> None:
    with suppress(ValueError):
        _, port = split_listen(text)
        assert 0 <= port <= 65_535


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_loopback_is_known(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", [ANY, "::", "10.0.0.1", "localhost.example"])
def test_anything_else_is_not_loopback(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a = " + "[" * 4000, "is not TOML"),
        ("a." * 2000 + "b = 1", "nested too deep"),
    ],
    ids=["brackets", "dots"],
)
def test_a_file_that_python_cannot_take_is_refused(
    tmp_path: Path, text: str, words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        load(file=write(tmp_path, text), environment={})


def test_a_line_that_would_take_minutes_to_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="a line of more than 4096 bytes"):
        load(file=write(tmp_path, "a." * 32_000 + "b = 1"), environment={})
