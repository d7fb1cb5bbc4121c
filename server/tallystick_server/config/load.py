"""Find the configuration: flags beat environment beats file beats default.

    flags         given by the command line, as nested names
    environment   TALLYSTICK_SECTION__KEY, TALLYSTICK_LOGS__NAME__KEY; a log's hyphens
                  may be written as underscores there, and lists or tables as JSON
    file          one TOML file

A relative path of the file counts from the file's folder, any other from the working
directory.  Unknown keys are refused with their path, wherever they come from.  Beside
the values stands the origin of each, for `config check`.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from pydantic import Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from tallystick_server.config.model import (
    LogName,
    LogSettings,
    Section,
    ServerSettings,
)
from tallystick_server.errors import UsageError

PREFIX = "TALLYSTICK_"
"""What every variable of the environment begins with."""

MAX_FILE = 1024 * 1024
"""Longest configuration file in bytes."""

MAX_LINE = 4096
"""Longest line of it: the time to read a dotted name grows with its square."""

_OTHER_HOUSES = frozenset({"client", "witness"})
_SECRET_WORDS = ("token", "secret", "password", "passphrase")
_MASK = "********"

Tree = dict[str, Any]


class Settings(BaseSettings):
    """The whole configuration of a server."""

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        nested_model_default_partial_update=True,
    )

    server: ServerSettings = ServerSettings()
    logs: dict[LogName, LogSettings] = Field(default_factory=dict)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take what `load` has merged, and nothing else behind its back."""
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)


@dataclass(frozen=True, slots=True)
class Value:
    """One effective value: its dotted path, itself (secrets masked), its origin."""

    path: str
    value: object
    origin: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration and, by dotted path, where its values came from."""

    settings: Settings
    origins: Mapping[str, str]

    def log(self, name: str) -> LogSettings:
        """Give the settings of a log, defaults where it has no section."""
        return self.settings.logs.get(name) or LogSettings()

    def values(self) -> list[Value]:
        """List every effective value with its origin, for `config check`."""
        dumped = self.settings.model_dump(mode="json")
        return [
            Value(path, _mask(path, value), self.origins.get(path, "default"))
            for path, value in _leaves(dumped, "")
        ]


def load(
    *,
    file: Path | None = None,
    flags: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Loaded:
    """Load the configuration; raise UsageError naming the key that is wrong."""
    env = os.environ if environment is None else environment
    layers = (
        ("file", {} if file is None else _place_paths(_read_file(file), file.parent)),
        ("env", _read_environment(env)),
        ("flag", InitSettingsSource(Settings, dict(flags or {}))()),
    )
    merged: Tree = {}
    origins: dict[str, str] = {}
    try:
        for origin, layer in layers:
            _merge(merged, layer)
            origins |= {path: origin for path, _ in _leaves(layer, "")}
        settings = Settings(**merged)
    except ValidationError as error:
        raise UsageError(_explain(error, origins)) from error
    except RecursionError as error:
        raise UsageError("configuration: tables are nested too deep") from error
    return Loaded(settings, origins)


def _read_file(path: Path) -> Tree:
    """Read the TOML file."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE + 1)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    if len(data) > MAX_FILE:
        raise UsageError(f"{path} is longer than {MAX_FILE} bytes")
    if max(map(len, data.split(b"\n"))) > MAX_LINE:
        raise UsageError(f"{path} has a line of more than {MAX_LINE} bytes")
    try:
        return tomllib.loads(data.decode())
    except (ValueError, RecursionError) as error:  # a number may have too many digits
        raise UsageError(f"{path} is not TOML: {error}") from error


def _place_paths(tree: Tree, folder: Path) -> Tree:
    """Let the relative paths of a file count from its folder.

    What is no table, or no text, is left as it is for the model to refuse.
    """
    placed = dict(tree)
    if isinstance(server := tree.get("server"), dict):
        placed["server"] = _place_in(ServerSettings, server, folder)
    if isinstance(logs := tree.get("logs"), dict):
        placed["logs"] = {
            name: _place_in(LogSettings, log, folder) if isinstance(log, dict) else log
            for name, log in logs.items()
        }
    return placed


def _place_in(model: type[Section], table: Tree, folder: Path) -> Tree:
    """Place the paths of one section."""
    paths = {
        name
        for name, field in model.model_fields.items()
        if Path in (field.annotation, *get_args(field.annotation))
    }
    return {
        name: str(folder / value) if name in paths and isinstance(value, str) else value
        for name, value in table.items()
    }


def _read_environment(environment: Mapping[str, str]) -> Tree:
    """Read the variables that are ours; one of an unknown section is refused."""
    ours: dict[str, str | None] = {}
    for name, value in environment.items():
        section, nested, _ = name.removeprefix(PREFIX).lower().partition("__")
        if not name.startswith(PREFIX) or not nested or section in _OTHER_HOUSES:
            continue
        if section not in Settings.model_fields:
            raise UsageError(f"{name}: there is no section {section!r}")
        ours[name.lower()] = value
    try:
        found = _Environment(ours)()
    except SettingsError as error:
        raise UsageError(f"environment: {error}") from error
    if isinstance(logs := found.get("logs"), dict):
        found["logs"] = {key.replace("_", "-"): value for key, value in logs.items()}
    return found


class _Environment(EnvSettingsSource):
    """The library's reader over variables that were handed in."""

    def __init__(self, variables: Mapping[str, str | None]) -> None:
        self._variables = variables
        super().__init__(Settings)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return self._variables


def _merge(into: Tree, layer: Tree) -> None:
    """Lay one nested table over another."""
    for key, value in layer.items():
        below = into.get(key)
        if isinstance(value, dict) and isinstance(below, dict):
            _merge(below, value)
        elif isinstance(value, dict):
            into[key] = {}
            _merge(into[key], value)
        else:
            into[key] = value


def _leaves(tree: Tree, prefix: str) -> Iterator[tuple[str, object]]:
    """Walk a nested table: dotted paths and what stands there."""
    for key, value in tree.items():
        path = f"{prefix}{key}"
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{path}.")
        elif not isinstance(value, dict) or prefix:
            yield path, value


def _mask(path: str, value: object) -> object:
    """Hide what could be a secret: no field is one today, an address may hold one."""
    name = path.rpartition(".")[2]
    return _MASK if any(word in name for word in _SECRET_WORDS) else value


def _explain(error: ValidationError, origins: Mapping[str, str]) -> str:
    """Say in one line which keys are wrong, and where they were given."""
    parts = []
    for problem in error.errors(include_url=False, include_input=False):
        path = ".".join(str(step) for step in problem["loc"] if step != "[key]")
        origin = origins.get(path)
        place = f" (from {origin})" if origin else ""
        what = "unknown key" if problem["type"] == "extra_forbidden" else problem["msg"]
        parts.append(f"{path}{place}: {what.removeprefix('Value error, ')}")
    return "configuration: " + "; ".join(parts)
