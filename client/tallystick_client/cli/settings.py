"""What need not be typed again: flags beat the environment, that beats the file.

    # $XDG_CONFIG_HOME/tallystick/config.toml, or --config FILE
    [client]
    server = "https://log.example"       # base URL of the log server
    log = "cloudtrail"                   # name of the log on it
    origin = "log.example/cloudtrail"    # only if the policy lists several logs
    policy = "cloudtrail.policy"         # paths are relative to this file
    token_file = "/run/secrets/tallystick-token"
    state = "/var/lib/tallystick"

Each key is also an environment variable, TALLYSTICK_CLIENT__SERVER and so on.  Unknown
keys are refused: a misspelt one must not be ignored.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from tallystick_client.errors import UsageError
from tallystick_client.files import read_given
from tallystick_client.trust_directory import default_state

MAX_CONFIG = 1024 * 1024
"""Longest configuration file in bytes."""

MAX_LINE = 4096
"""Longest line of it: the time to read a dotted name grows with its square."""

PREFIX = "TALLYSTICK_CLIENT__"
"""How the environment variables begin."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of the client; None where nothing was said."""

    server: str | None = None
    log: str | None = None
    origin: str | None = None
    policy: Path | None = None
    token_file: Path | None = None
    state: Path | None = None


_PATHS = ("policy", "token_file", "state")
_NAMES = tuple(field.name for field in fields(Settings))


def load_settings(environment: Mapping[str, str], config: Path | None) -> Settings:
    """Read the file (the usual one may be missing), then the environment over it."""
    path = config if config is not None else default_config(environment)
    settings = Settings()
    if config is not None or path.is_file():
        data = read_given(path, limit=MAX_CONFIG, what="configuration")
        settings = _read_file(data, path)
    found = {
        name.removeprefix(PREFIX).lower(): value
        for name, value in environment.items()
        if name.startswith(PREFIX)
    }
    return _merge(settings, found, "the environment", Path.cwd())


def default_config(environment: Mapping[str, str]) -> Path:
    """Give the usual place: $XDG_CONFIG_HOME/tallystick/config.toml."""
    base = environment.get("XDG_CONFIG_HOME", "")
    root = Path(base) if base.startswith("/") else Path.home() / ".config"
    return root / "tallystick" / "config.toml"


def state_directory(
    flag: Path | None, settings: Settings, environment: Mapping[str, str]
) -> Path:
    """Give the state directory to use."""
    return flag or settings.state or default_state(environment)


def _read_file(data: bytes, path: Path) -> Settings:
    if max(map(len, data.split(b"\n"))) > MAX_LINE:
        raise UsageError(f"{path} has a line of more than {MAX_LINE} bytes")
    try:
        content = tomllib.loads(data.decode())
    except (ValueError, RecursionError) as error:  # a number may have too many digits
        raise UsageError(f"{path} is not TOML: {error}") from error
    strangers = sorted(set(content) - {"client"})
    if strangers:
        raise UsageError(f"{path}: unknown table or key {strangers[0]!r}")
    table = content.get("client", {})
    if not isinstance(table, dict):
        raise UsageError(f"{path}: [client] is not a table")
    return _merge(Settings(), table, str(path), path.parent)


def _merge(
    settings: Settings, found: Mapping[str, object], where: str, base: Path
) -> Settings:
    """Put values over settings; raise UsageError for unknown names and no texts."""
    texts: dict[str, str] = {}
    paths: dict[str, Path] = {}
    for name, value in found.items():
        if name not in _NAMES:
            known = ", ".join(_NAMES)
            raise UsageError(f"{where}: unknown key {name!r}, expected {known}")
        if not isinstance(value, str) or not value:
            raise UsageError(f"{where}: {name} is not a text")
        if name in _PATHS:
            paths[name] = base / _expand(value, f"{where}: {name}")
        else:
            texts[name] = value
    return Settings(
        server=texts.get("server", settings.server),
        log=texts.get("log", settings.log),
        origin=texts.get("origin", settings.origin),
        policy=paths.get("policy", settings.policy),
        token_file=paths.get("token_file", settings.token_file),
        state=paths.get("state", settings.state),
    )


def _expand(value: str, where: str) -> Path:
    """Read a path, `~` for a home included; raise UsageError for nobody's home."""
    try:
        return Path(value).expanduser()
    except RuntimeError as error:
        raise UsageError(f"{where}: there is no home like in {value!r}") from error
