from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest
import typer

from tallystick_client.cli.lazy import load, names
from tallystick_client.errors import MissingExtraError

GROUP = "tallystick.commands"


def test_the_other_houses_are_known_by_name() -> None:
    assert names() == ("server", "witness")


def test_a_missing_library_says_what_to_install() -> None:
    entry = EntryPoint("server", "library_that_is_not_there.cli:app", GROUP)

    with pytest.raises(MissingExtraError) as caught:
        load(entry)

    assert "tallystick server needs: pip install 'tallystick[server]'" in str(
        caught.value
    )


def test_what_is_no_group_of_commands_is_refused() -> None:
    with pytest.raises(MissingExtraError, match="not a group of commands"):
        load(EntryPoint("server", "tallystick_merkle.hashing:HASH_SIZE", GROUP))


def test_a_group_of_commands_is_loaded() -> None:
    entry = EntryPoint("key", "tallystick_client.cli.keys:app", GROUP)

    assert isinstance(load(entry), typer.Typer)
