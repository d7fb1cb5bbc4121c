"""The mappings that come with Tallystick."""

from __future__ import annotations

from importlib.resources import files

from tallystick_client.mapping.engine import RecordMapping
from tallystick_client.mapping.reading import load_mapping

SHIPPED = ("cloudtrail", "kubernetes", "windows", "cloudevents", "ocsf")
"""Their names."""


def shipped(name: str) -> RecordMapping:
    """Load a mapping that comes with Tallystick; `name` is one of SHIPPED."""
    return load_mapping(shipped_file(name), file=f"{name}.toml")


def shipped_file(name: str) -> bytes:
    """Give its file, to look at or to begin one's own with."""
    assert name in SHIPPED
    place = files("tallystick_client.mapping").joinpath("data", f"{name}.toml")
    return place.read_bytes()
