"""The settings of a serving witness: flags over environment over file over defaults.

The file is TOML with one table, `[witness]`; a variable is TALLYSTICK_WITNESS__NAME.
Unknown names are refused in both.  A relative path of the file counts from the file's
folder, any other from the working directory.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tallystick_witness.errors import UsageError

MAX_FILE = 1024 * 1024
"""Longest configuration file in bytes."""

MAX_LINE = 4096
"""Longest line of it: the time to read a dotted name grows with its square."""

_PATHS = frozenset({"data", "anchor", "tls_cert", "tls_key"})

ENV_PREFIX = "TALLYSTICK_WITNESS__"
"""What the names of our environment variables begin with."""


class WitnessSettings(BaseModel):
    """Everything a witness can be told."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    # The data directory, made by `init`.
    data: Path
    # HOST:PORT to listen on; port 0 takes a free one. Anything but loopback needs TLS,
    # or a proxy that does TLS and insecure_http.
    listen: str = "127.0.0.1:8441"
    # The URL that the about page names; default: the one listened on.
    public_url: str = Field("", max_length=1000, pattern=r"^[!-~]*$")
    # File on another disk that remembers released heads. Without it, a rollback of the
    # store cannot be noticed.
    anchor: Path | None = None
    # Make the anchor: only for a witness that has cosigned and never had one.
    new_anchor: bool = False
    # Certificate chain and key, PEM.
    tls_cert: Path | None = None
    tls_key: Path | None = None
    # Listen beyond loopback without TLS. A proxy must stand in front.
    insecure_http: bool = False
    # Below this much free space on the store's disk nothing is signed, in MiB.
    min_free_mib: int = Field(64, ge=1)
    # Longest time a body may take to arrive, in seconds.
    body_timeout_s: float = Field(10.0, gt=0, le=300)
    # Open connections. For one more, the one that has been idle longest is closed, or
    # the newcomer where none is idle.
    max_connections: int = Field(512, ge=1, le=65_536)
    # Most requests waiting to be judged; the next is told to come back.
    max_waiting: int = Field(1024, ge=1, le=100_000)

    @model_validator(mode="after")
    def _check_listening(self) -> Self:
        """Refuse a listener that would be open to all without TLS."""
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("tls_cert and tls_key go together")
        address = parse_listen(self.listen)
        if not (address.is_loopback or self.tls_cert or self.insecure_http):
            raise ValueError(
                f"{self.listen} is not loopback: give tls_cert and tls_key, or "
                "insecure_http behind a proxy that does TLS"
            )
        return self


@dataclass(frozen=True, slots=True)
class Address:
    """A host, as name or IP address without brackets, and a port."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def url(self, port: int, *, scheme: str) -> str:
        """Write the base URL for the port that is really listened on."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}://{host}:{port}"


def parse_listen(text: str) -> Address:
    """Read HOST:PORT or [IPV6]:PORT; raise ValueError for anything else."""
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        colon = ""
    is_port = port.isascii() and port.isdigit() and len(port) <= 5
    if not colon or not host or not is_port or int(port) > 65535:
        raise ValueError(f"expected HOST:PORT, found {text!r}")
    return Address(host, int(port))


def load_settings(
    *, file: Path | None, environment: Mapping[str, str], flags: Mapping[str, object]
) -> WitnessSettings:
    """Join the sources; flags that are None were not given.

    Raises UsageError that names the setting and what is wrong with it.
    """
    values: dict[str, object] = {}
    if file is not None:
        values.update(_read_file(file))
    for name, value in environment.items():
        if name.startswith(ENV_PREFIX):
            values[name.removeprefix(ENV_PREFIX).lower()] = value
    values.update({name: value for name, value in flags.items() if value is not None})
    try:
        return WitnessSettings.model_validate(values)
    except ValidationError as error:
        raise UsageError(_describe(error)) from error
    except UnicodeEncodeError as error:  # a variable may hold any bytes
        raise UsageError("configuration: a value is not valid UTF-8") from error


def _read_file(file: Path) -> Mapping[str, object]:
    try:
        with file.open("rb") as source:
            data = source.read(MAX_FILE + 1)
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror}") from error
    if len(data) > MAX_FILE:
        raise UsageError(f"{file} is longer than {MAX_FILE} bytes")
    if max(map(len, data.split(b"\n"))) > MAX_LINE:
        raise UsageError(f"{file} has a line of more than {MAX_LINE} bytes")
    try:
        document = tomllib.loads(data.decode())
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{file} is not TOML: {error}") from error
    strangers = sorted(set(document) - {"witness"})
    if strangers:  # a misspelt table would be a witness without its anchor
        raise UsageError(f"{file}: unknown table or key {strangers[0]!r}")
    table = document.get("witness", {})
    if not isinstance(table, dict):
        raise UsageError(f"{file}: [witness] is not a table")
    return {
        name: file.parent / value
        if name in _PATHS and isinstance(value, str)
        else value
        for name, value in table.items()
    }


def _describe(error: ValidationError) -> str:
    """Put the first problem on one line, without the value that was given."""
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    return f"configuration: {place}: {message}" if place else message
