from __future__ import annotations

import json
import stat
import tomllib
from pathlib import Path

import pytest

from tallystick_client.cli.settings import load_settings
from tallystick_client.demo.place import (
    EVENTS_NAME,
    EVENTS_ORIGIN,
    LOG_NAME,
    ORIGIN,
    Place,
    Ports,
    Setup,
    format_demo_policy,
    sample_records,
)
from tallystick_client.errors import UsageError
from tallystick_merkle.keys import KeyType, VerifierKey, make_signing_key
from tallystick_merkle.policy import parse_policy


def key_of(name: str, kind: KeyType) -> VerifierKey:
    return make_signing_key(name=name, type=kind, seed=b"s" * 32).verifier


SETUP = Setup(
    key_of(ORIGIN, KeyType.ED25519),
    key_of(EVENTS_ORIGIN, KeyType.ED25519),
    (key_of("w1", KeyType.COSIGNATURE), key_of("w2", KeyType.MLDSA44)),
    9000,
)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "demo")


def test_the_sample_is_103_records() -> None:
    lines = sample_records().splitlines()

    assert len(lines) == 103
    assert all("eventName" in json.loads(line) for line in lines)


def test_the_sample_carries_its_licence() -> None:
    licence = (
        Path(__file__).parents[4]
        / "client/tallystick_client/samples/LICENSE.cloudtrail"
    )

    assert "Copyright (c) 2021 Open Threat Research Forge" in licence.read_text()


def test_the_policy_asks_both_witnesses() -> None:
    policy = parse_policy(format_demo_policy(SETUP, SETUP.log))

    assert policy.log_keys(ORIGIN) == (SETUP.log,)
    assert [entry.url for entry in policy.witnesses] == [
        "http://127.0.0.1:9001",
        "http://127.0.0.1:9002",
    ]
    assert policy.is_met_by(SETUP.witnesses)
    assert not policy.is_met_by(SETUP.witnesses[:1])
    assert not policy.is_met_by(SETUP.witnesses[1:])


def test_a_new_place_has_no_setup_and_is_marked(place: Place) -> None:
    assert place.open(reset=False) is None
    assert (place.path / ".tallystick-demo").is_file()


def test_a_whole_setup_is_found_again(place: Place) -> None:
    place.open(reset=False)
    place.write(SETUP, token="tally_live_x", events_token="tally_live_y")

    assert place.open(reset=False) == SETUP
    assert place.token.read_text() == "tally_live_x\n"
    assert place.events_token.read_text() == "tally_live_y\n"
    for file in (place.token, place.events_token):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_the_settings_written_are_settings_of_the_client(place: Place) -> None:
    place.open(reset=False)
    place.write(SETUP, token="tally_live_x", events_token="tally_live_y")

    settings = load_settings({}, place.client_config)

    assert (settings.server, settings.log) == ("http://127.0.0.1:9000", LOG_NAME)
    assert settings.policy == place.policy
    assert settings.token_file == place.token
    assert settings.state == place.state


def test_the_log_of_events_has_settings_of_its_own(place: Place) -> None:
    place.open(reset=False)
    place.write(SETUP, token="tally_live_x", events_token="tally_live_y")

    settings = load_settings({}, place.events_config)

    assert (settings.server, settings.log) == ("http://127.0.0.1:9000", EVENTS_NAME)
    assert settings.policy == place.events_policy
    assert settings.token_file == place.events_token
    policy = parse_policy(place.events_policy.read_bytes())
    assert policy.log_keys(EVENTS_ORIGIN) == (SETUP.events,)


def test_the_servers_configuration_names_the_policies(place: Place) -> None:
    place.open(reset=False)
    place.write(SETUP, token="tally_live_x", events_token="tally_live_y")

    assert tomllib.loads(place.server_config.read_text()) == {
        "logs": {
            LOG_NAME: {"policy": str(place.policy.resolve())},
            EVENTS_NAME: {"policy": str(place.events_policy.resolve())},
        }
    }


def test_a_reset_deletes_what_the_demo_made(place: Place) -> None:
    place.open(reset=False)
    place.write(SETUP, token="tally_live_x", events_token="tally_live_y")
    (place.path / "server" / "keys").mkdir(parents=True)

    assert place.open(reset=True) is None
    assert [entry.name for entry in place.path.iterdir()] == [".tallystick-demo"]


def test_a_setup_that_was_cut_short_is_made_again(place: Place) -> None:
    place.open(reset=False)
    (place.path / "server").mkdir()

    assert place.open(reset=False) is None
    assert not (place.path / "server").exists()


@pytest.mark.parametrize("reset", [False, True])
def test_what_the_demo_did_not_make_is_never_touched(place: Place, reset: bool) -> None:
    place.path.mkdir()
    (place.path / "thesis.tex").write_text("years of work")

    with pytest.raises(UsageError, match="left alone"):
        place.open(reset=reset)

    assert [entry.name for entry in place.path.iterdir()] == ["thesis.tex"]


def test_a_link_is_not_followed(place: Place, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    place.path.symlink_to(tmp_path / "real")

    with pytest.raises(UsageError, match="not a directory"):
        place.open(reset=True)


def test_links_inside_are_removed_and_not_followed(
    place: Place, tmp_path: Path
) -> None:
    place.open(reset=False)
    (tmp_path / "precious").mkdir()
    (place.path / "link").symlink_to(tmp_path / "precious")

    place.open(reset=True)

    assert (tmp_path / "precious").is_dir()


def test_an_empty_directory_may_be_used(place: Place) -> None:
    place.path.mkdir()

    assert place.open(reset=False) is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"log": "x", "witnesses": []}'])
def test_a_damaged_setup_asks_for_a_reset(place: Place, text: str) -> None:
    place.open(reset=False)
    (place.path / "setup.json").write_text(text)

    with pytest.raises(UsageError, match="--reset"):
        place.open(reset=False)
    assert place.open(reset=True) is None


def test_ports_follow_each_other() -> None:
    ports = Ports(9000)

    assert (ports.server, ports.witness(1), ports.witness(2)) == (9000, 9001, 9002)
    assert ports.url(ports.server) == "http://127.0.0.1:9000"


@pytest.mark.parametrize("text", ["[" * 5000, '"first_port": 1e999'])
def test_a_setup_that_python_cannot_take_asks_for_a_reset(
    place: Place, text: str
) -> None:
    place.open(reset=False)
    place.write(SETUP, token="t", events_token="u")
    path = place.path / "setup.json"
    path.write_text(path.read_text().replace('"first_port": 9000', text))

    with pytest.raises(UsageError, match="--reset"):
        place.open(reset=False)
