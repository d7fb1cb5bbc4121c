"""The golden data of every version, unpacked where a test wants them."""

from __future__ import annotations

import json
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True, slots=True)
class Golden:
    """What one version has written."""

    version: str

    @property
    def folder(self) -> Path:
        """Where it is kept."""
        return HERE / self.version

    @property
    def expected(self) -> dict[str, Any]:
        """What is to be found in it."""
        found: dict[str, Any] = json.loads((self.folder / "expected.json").read_text())
        return found

    @property
    def outputs(self) -> dict[str, bytes]:
        """The public bytes, by name."""
        folder = self.folder / "outputs"
        return {path.name: path.read_bytes() for path in folder.iterdir()}

    def unpack(self, place: Path) -> Path:
        """Unpack the deployment; files keep their modes."""
        with tarfile.open(self.folder / "data.tar.xz", mode="r:xz") as packed:
            packed.extractall(place, filter="data")
        return place


VERSIONS = [Golden(path.parent.name) for path in sorted(HERE.glob("*/data.tar.xz"))]
"""Every version there is."""
