"""Logs of two kinds are made, and tokens that may do this or that with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tallystick_merkle.genesis import KINDS
from tallystick_server.cli import making, tokens
from tallystick_server.log.create import read_kind
from tallystick_server.log.tokens import SCOPES
from tests.unit.server.cli.running import ORIGIN, answer, call, init


def test_init_makes_a_log_of_events_whose_token_may_do_all_there_is(
    tmp_path: Path,
) -> None:
    made = init(tmp_path, "--kind", "events")

    assert (made["kind"], made["scopes"]) == (
        "events",
        ["emit", "read", "audit", "admin"],
    )
    assert read_kind(tmp_path, "main") == "events"
    (stored,) = answer("token", "list", "--data", tmp_path, "--log", "main")["tokens"]
    assert stored["scopes"] == made["scopes"]


def test_init_of_a_log_of_events_says_how_to_make_a_token_that_may_do_less(
    tmp_path: Path,
) -> None:
    places = ("--data", tmp_path, "--log", "main")

    result = call("init", *places, "--origin", ORIGIN, "--kind", "events")

    assert result.exit_code == 0
    assert "It may emit, read and administer." in result.stdout
    assert f"token add --data {tmp_path} --log main --scope emit" in result.stdout


def test_a_kind_that_there_is_not_is_refused(tmp_path: Path) -> None:
    result = call(
        "init", "--data", tmp_path, "--log", "m", "--origin", ORIGIN, "--kind", "sealed"
    )

    assert result.exit_code == 2
    assert "--kind" in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("kind", "asked", "given"),
    [
        ("raw", (), ["append"]),
        ("raw", ("append",), ["append"]),
        ("events", (), ["emit"]),
        ("events", ("read",), ["read"]),
        ("events", ("read", "emit", "read"), ["emit", "read"]),
        ("events", ("admin", "read", "emit"), ["emit", "read", "admin"]),
    ],
)
def test_a_token_may_do_what_was_asked_for_and_nothing_else(
    tmp_path: Path, kind: str, asked: tuple[str, ...], given: list[str]
) -> None:
    init(tmp_path, "--kind", kind)
    places = ("--data", tmp_path, "--log", "main")

    words = [word for scope in asked for word in ("--scope", scope)]
    added = answer("token", "add", *places, *words)
    listed = answer("token", "list", *places)["tokens"][1]

    assert added["scopes"] == listed["scopes"] == given
    assert f"{added['id']}  {'+'.join(given)}  created" in (
        call("token", "list", *places).stdout
    )


@pytest.mark.parametrize(
    ("kind", "scope", "known"),
    [
        ("raw", "emit", "raw and knows append"),
        ("raw", "read", "raw and knows append"),
        ("events", "append", "events and knows emit, read, audit, admin"),
        ("events", "write", "--scope"),
    ],
)
def test_a_scope_that_means_nothing_for_a_log_is_refused(
    tmp_path: Path, kind: str, scope: str, known: str
) -> None:
    init(tmp_path, "--kind", kind)
    places = ("--data", tmp_path, "--log", "main")

    result = call("token", "add", *places, "--scope", scope)

    assert result.exit_code == 2
    assert known in result.stderr
    assert len(answer("token", "list", *places)["tokens"]) == 1


def test_the_servers_own_name_is_no_producers(tmp_path: Path) -> None:
    init(tmp_path, "--kind", "events")
    places = ("--data", tmp_path, "--log", "main", "--principal", "tallystick")

    result = call("token", "add", *places)

    assert result.exit_code == 2
    assert "principal 'tallystick'" in result.stderr


def test_every_kind_and_every_scope_can_be_named() -> None:
    assert [kind.value for kind in making.Kind] == list(KINDS)
    assert [scope.value for scope in tokens.Scope] == list(SCOPES)
