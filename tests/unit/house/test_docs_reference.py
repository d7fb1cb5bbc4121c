"""The references of configuration and HTTP say what the code says."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import cast

import annotated_types
import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from tallystick_client.cli.settings import Settings
from tallystick_server.config.model import LogSettings, ServerSettings
from tallystick_server.errors import RequestError
from tallystick_server.web import problems
from tallystick_server.web.app import ROUTES
from tallystick_witness.app import Face, make_app
from tallystick_witness.config import WitnessSettings
from tallystick_witness.desk import Desk
from tests.unit.house.documents import REFERENCE, sections


def spell(value: object) -> str:
    """Write a default as TOML does."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, str | Path):
        return f'`"{value}"`'
    return f"`{value}`"


def bounds(field: FieldInfo) -> str:
    """Write what a field may hold."""
    marks = {
        annotated_types.Ge: "≥ {}",
        annotated_types.Gt: "> {}",
        annotated_types.Le: "≤ {}",
    }
    found = []
    for item in field.metadata:
        for kind, text in marks.items():
            if isinstance(item, kind):
                (bound,) = vars_of(item)
                found.append(text.format(bound))
    return ", ".join(found)


def vars_of(item: object) -> tuple[object, ...]:
    return tuple(getattr(item, name) for name in type(item).__annotations__)


def rows_of(model: type[BaseModel]) -> list[tuple[str, str, str]]:
    """Name, default and bounds of every field, as the reference has to show them."""
    return [
        (
            f"`{name}`",
            "required"
            if field.is_required()
            else spell(field.get_default(call_default_factory=True)),
            bounds(field),
        )
        for name, field in model.model_fields.items()
    ]


CONFIG = (REFERENCE / "config.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("section", "model"),
    [
        ("[server]", ServerSettings),
        ("[logs.NAME]", LogSettings),
        ("[witness]", WitnessSettings),
    ],
)
def test_the_configuration_reference_is_that_of_the_model(
    section: str, model: type[BaseModel]
) -> None:
    found = re.findall(
        r"^\| (`\w+`) \| ([^|]+) \| ([^|]*) \| [^|]+ \|$",
        sections(CONFIG)[section],
        re.MULTILINE,
    )

    assert [(name, default, bound.strip()) for name, default, bound in found] == (
        rows_of(model)
    )


@pytest.mark.parametrize(
    ("section", "model"),
    [
        ("[server]", ServerSettings),
        ("[logs.NAME]", LogSettings),
    ],
)
def test_the_configuration_reference_says_what_the_model_says(
    section: str, model: type[BaseModel]
) -> None:
    body = sections(CONFIG)[section]

    for name, field in model.model_fields.items():
        said = (
            (field.description or "")
            .replace("Default: never.", "")
            .replace("Default: none.", "")
        )
        for sentence in re.split(r"(?<=\.) ", " ".join(said.split()).strip()):
            assert sentence in body, f"{name}: {sentence}"


def test_the_configuration_reference_names_every_setting_of_the_client() -> None:
    named = re.findall(r"^\| `(\w+)` \|", sections(CONFIG)["[client]"], re.MULTILINE)

    assert named == [field.name for field in fields(Settings)]


HTTP = (REFERENCE / "http.md").read_text("utf-8")


def plain(path: str) -> str:
    return re.sub(r"\{(\w+):[^}]*\}", r"{\1}", path)


def witness_routes() -> Iterable[str]:
    app = make_app(Face(cast("Desk", object()), 1.0, ""))
    for route in app.router.routes():
        if route.method != "HEAD" and route.resource is not None:
            yield f"{route.method} {plain(route.resource.canonical)}"


def test_the_http_reference_names_every_route_and_no_other() -> None:
    server = {f"{route.method} {plain(route.path)}" for route in ROUTES}
    witness = set(witness_routes())
    ours, theirs = HTTP.split("\n## The witness\n")

    assert {
        name
        for name in sections(ours)
        if name.startswith("/") is False and re.match(r"(GET|POST|DELETE) ", name)
    } == server
    assert {name for name in sections(theirs) if re.match(r"(GET|POST) ", name)} == (
        witness
    )


def problem_codes() -> set[tuple[str, str, str]]:
    """Status, code and title of every problem that the server answers with."""
    kinds: list[type[RequestError]] = [RequestError, *RequestError.__subclasses__()]
    declared = {(str(kind.status), kind.code, kind.title) for kind in kinds}
    source = Path(problems.__file__).read_text("utf-8")
    literal = re.findall(r'(\d{3}),\s*"([a-z-]+)",\s*"([\w ]+)"', source)
    assert literal
    return declared | set(literal)


def test_the_http_reference_names_every_problem_and_no_other() -> None:
    rows = re.findall(r"^\| (\d{3}) \| `([a-z-]+)` \| ([^|]+) \|", HTTP, re.MULTILINE)

    assert {(status, code, title.strip()) for status, code, title in rows} == (
        problem_codes()
    )
