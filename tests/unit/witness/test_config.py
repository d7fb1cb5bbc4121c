"""Settings: flags over environment over file, and nothing unknown."""

from pathlib import Path
from typing import get_args

import pytest

from tallystick_witness.config import (
    Address,
    WitnessSettings,
    load_settings,
    parse_listen,
)
from tallystick_witness.errors import UsageError

Table = dict[str, object]
DATA: Table = {"data": "d"}


def load(
    flags: Table | None = None,
    env: dict[str, str] | None = None,
    file: Path | None = None,
) -> Table:
    settings = load_settings(
        file=file, environment=env or {}, flags={**DATA, **(flags or {})}
    )
    return settings.model_dump()


def write(folder: Path, text: str) -> Path:
    file = folder / "witness.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_defaults_listen_on_loopback() -> None:
    assert load()["listen"] == "127.0.0.1:8441"


def test_flags_beat_environment_beats_file(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        "[witness]\nmax_waiting = 1\nmin_free_mib = 1\nbody_timeout_s = 1.0\n",
    )
    env = {
        "TALLYSTICK_WITNESS__MAX_WAITING": "2",
        "TALLYSTICK_WITNESS__MIN_FREE_MIB": "2",
        "OTHER": "x",
    }

    settings = load({"max_waiting": 3, "listen": None}, env, file)

    found = [
        settings[name] for name in ("body_timeout_s", "min_free_mib", "max_waiting")
    ]
    assert found == [1.0, 2, 3]


def test_a_relative_path_of_the_file_counts_from_its_folder(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        "[witness]\ndata = 'd'\nanchor = '../a'\ntls_cert = '/c'\ntls_key = 'k'\n",
    )

    settings = load_settings(file=file, environment={}, flags={})

    assert (settings.data, settings.anchor) == (tmp_path / "d", tmp_path / "../a")
    assert (settings.tls_cert, settings.tls_key) == (Path("/c"), tmp_path / "k")


def test_any_other_path_counts_from_the_working_directory(tmp_path: Path) -> None:
    settings = load(
        {"data": Path("d")},
        {"TALLYSTICK_WITNESS__ANCHOR": "a"},
        write(tmp_path, "[witness]\nanchor = 'b'\n"),
    )

    assert (settings["data"], settings["anchor"]) == (Path("d"), Path("a"))


def test_every_path_is_one_that_counts_from_the_folder(tmp_path: Path) -> None:
    names = [
        name
        for name, field in WitnessSettings.model_fields.items()
        if Path in (field.annotation, *get_args(field.annotation))
    ]
    file = write(tmp_path, "[witness]\n" + "".join(f"{name} = 'x'\n" for name in names))

    settings = load_settings(file=file, environment={}, flags={}).model_dump()

    assert [settings[name] for name in names] == [tmp_path / "x"] * len(names)


@pytest.mark.parametrize(
    "text",
    [
        "not toml",
        "[witness]\nanchor = 1",
        "witness = 1",
        "[witness]\nunknown = 1",
        "[witness]\nmax_waiting = 0",
        "[witness]\nlisten = 'nowhere'",
        "[witness]\ntls_cert = 'c.pem'",
        "[witness]\npublic_url = 'with space'",
        "[witnes]\nanchor = 'a'",
        "anchor = 'a'\n[witness]\n",
    ],
)
def test_a_wrong_file_is_refused_in_one_line(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError) as caught:
        load(file=write(tmp_path, text))

    assert "\n" not in str(caught.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read"):
        load(file=tmp_path / "nothing")


def test_an_unknown_variable_is_refused() -> None:
    with pytest.raises(UsageError, match="lisen"):
        load(env={"TALLYSTICK_WITNESS__LISEN": "x"})


def test_data_is_required() -> None:
    with pytest.raises(UsageError, match="data"):
        load_settings(file=None, environment={}, flags={})


@pytest.mark.parametrize("listen", ["0.0.0.0:1", "[::]:1", "192.0.2.1:1", "host:1"])
def test_listening_to_others_needs_tls(listen: str) -> None:
    with pytest.raises(UsageError, match="not loopback"):
        load({"listen": listen})

    load({"listen": listen, "insecure_http": True})
    load({"listen": listen, "tls_cert": "c", "tls_key": "k"})


@pytest.mark.parametrize(
    "listen", ["127.0.0.1:0", "127.8.8.8:1", "[::1]:1", "localhost:1"]
)
def test_loopback_needs_none(listen: str) -> None:
    assert load({"listen": listen})["listen"] == listen


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:8441", Address("127.0.0.1", 8441)),
        ("[::1]:0", Address("::1", 0)),
        ("host.example:65535", Address("host.example", 65535)),
    ],
)
def test_an_address_is_read(text: str, address: Address) -> None:
    assert parse_listen(text) == address


@pytest.mark.parametrize(
    "text", ["", ":1", "host", "host:", "host:x", "host:65536", "::1:1", "h:²", "h:-1"]
)
def test_nonsense_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match="HOST:PORT"):
        parse_listen(text)


def test_urls_bracket_ipv6() -> None:
    assert Address("::1", 0).url(7, scheme="http") == "http://[::1]:7"
    assert Address("h", 0).url(7, scheme="https") == "https://h:7"


@pytest.mark.parametrize("text", ["a = " + "[" * 4000, "a = [\n" * 700])
def test_a_file_that_python_cannot_take_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError, match="is not TOML"):
        load(file=write(tmp_path, text))


def test_a_variable_that_is_no_text_is_refused() -> None:
    with pytest.raises(UsageError, match="not valid UTF-8"):
        load(env={"TALLYSTICK_WITNESS__LISTEN": "12\udcb7.0.0.1:0"})


def test_a_line_that_would_take_minutes_to_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="a line of more than 4096 bytes"):
        load(file=write(tmp_path, "a." * 32_000 + "b = 1"))


def test_a_file_that_is_too_long_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is longer than"):
        load(file=write(tmp_path, "#\n" * 600_000))
