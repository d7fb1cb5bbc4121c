from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tallystick_merkle.schema import parse_schema
from tests.unit.client.cli.desk import Desk, Run
from tests.unit.merkle.schemas import document

TEXT = {"type": "string"}


def put(desk: Desk, name: str, version: int, /, **named: Any) -> Path:  # noqa: ANN401 -- JSON
    """Lay out a schema whose details have named members, and no others."""
    below = {"type": "object", "properties": named, "additionalProperties": False}
    path = desk.path / name
    path.write_text(json.dumps(document(version, properties={"details": below})))
    return path


def marked(**mark: object) -> dict[str, Any]:
    return {**TEXT, "x-tallystick": mark}


def test_a_schema_is_checked_and_its_marks_are_told(run: Run, desk: Desk) -> None:
    path = put(
        desk,
        "schema.json",
        1,
        ip=marked(subject="target/0", sensitive=True),
        ticket=marked(indexed=True),
    )

    said = run("schema", "check", path)

    assert said.code == 0
    assert said.out.splitlines() == [
        "user.role.updated version 1: a schema of user.role.updated",
        "  details/ip belongs to target/0",
        "  details/ip is sensitive",
        "  details/ticket can be searched for",
    ]


def test_a_checked_schema_is_one_object(run: Run, desk: Desk) -> None:
    path = put(desk, "schema.json", 1, ip=marked(subject="actor"))

    assert run("schema", "check", path, "--json").document == {
        "id": "user.role.updated",
        "version": 1,
        "action": "user.role.updated",
        "digest": parse_schema(path.read_bytes()).digest.hex(),
        "subjects": {"details/ip": "actor"},
        "sensitive": [],
        "indexed": [],
    }


@pytest.mark.parametrize("command", [["check"], ["diff"], ["register"]])
def test_what_is_no_schema_is_refused_with_its_place(
    run: Run, desk: Desk, command: list[str]
) -> None:
    path = put(desk, "schema.json", 1, ip={"type": "text"})
    more = [path] if command == ["diff"] else []

    said = run("schema", *command, path, *more)

    assert said.code == 2
    assert said.err.startswith(f"tallystick: {path}: malformed schema (/properties/")


def test_a_next_version_may_follow(run: Run, desk: Desk) -> None:
    old = put(desk, "1.json", 1, ip=TEXT)
    new = put(desk, "2.json", 2, ip=TEXT, ticket=TEXT)

    said = run("schema", "diff", old, new)

    assert said.code == 0
    assert said.out == (
        "user.role.updated version 2 may follow user.role.updated version 1\n"
    )


def test_each_place_that_is_narrower_is_named(run: Run, desk: Desk) -> None:
    old = put(desk, "1.json", 1, ip=marked(sensitive=True))
    new = put(desk, "2.json", 3, ip={"enum": ["a"]})

    said = run("schema", "diff", old, new)

    assert said.code == 1
    assert said.out.splitlines()[1:] == [
        "  /x-tallystick/version: expected version 2",
        "  /properties/details/properties/ip/enum: is new",
        "  /properties/details/properties/ip: it was sensitive",
    ]


def test_a_comparison_is_one_object(run: Run, desk: Desk) -> None:
    path = put(desk, "1.json", 1)

    said = run("schema", "diff", path, path, "--json")

    assert said.code == 1
    assert said.document == {
        "id": "user.role.updated",
        "old_version": 1,
        "new_version": 1,
        "is_compatible": False,
        "differences": [
            {"pointer": "/x-tallystick/version", "why": "expected version 2"}
        ],
    }


def test_names_cannot_speak_to_the_terminal(run: Run, desk: Desk) -> None:
    path = desk.path / "schema.json"
    path.write_text(json.dumps(document(2, required=["\x9b31m"])))

    said = run("schema", "diff", put(desk, "1.json", 1), path)

    assert "\\u009b31m was not required" in said.out


@pytest.mark.parametrize(
    "words",
    [["list"], ["show", "a.b", "1"]],
    ids=["list", "show"],
)
def test_a_log_has_to_be_named(run: Run, words: list[str]) -> None:
    said = run("schema", *words)

    assert said.code == 2
    assert "no server: name one with --server URL" in said.err


def test_an_id_that_is_none_is_not_asked_for(run: Run) -> None:
    said = run("schema", "show", "../tokens", "1")

    assert said.code == 2
    assert "is not the id of a schema" in said.err
