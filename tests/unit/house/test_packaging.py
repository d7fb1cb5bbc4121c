"""The wheel carries four typed packages, one command, and what that one loads."""

import os
import tomllib
import zipfile
from pathlib import Path

import aiohttp.http_parser
import lmdb
import pytest
from hatchling.builders.wheel import WheelBuilder

from tests.unit.house.source_tree import HOUSES, ROOT

PACKAGES = tuple(f"tallystick_{house}" for house in HOUSES)

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

DIST_INFO = f"tallystick-{PYPROJECT['project']['version']}.dist-info"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel once; no network and no other process is needed."""
    target = tmp_path_factory.mktemp("wheel")
    built = list(WheelBuilder(str(ROOT)).build(directory=str(target)))
    return Path(built[0])


def strangers(names: list[str]) -> list[str]:
    """Return the members of a wheel that lie outside our packages and its metadata."""
    tops = {*PACKAGES, DIST_INFO}
    return [name for name in names if name.split("/")[0] not in tops]


def test_the_wheel_holds_the_four_packages_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()

    assert {name.split("/")[0] for name in names} >= set(PACKAGES)
    assert strangers(names) == []


def test_a_planted_stranger_in_the_wheel_is_found() -> None:
    names = ["tallystick_merkle/tile.py", "tests/conftest.py"]

    assert strangers(names) == ["tests/conftest.py"]


@pytest.mark.parametrize("package", PACKAGES)
def test_each_package_says_that_it_is_typed(wheel: Path, package: str) -> None:
    with zipfile.ZipFile(wheel) as archive:
        assert archive.getinfo(f"{package}/py.typed").file_size == 0


def test_the_wheel_carries_the_licence(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        text = archive.read(f"{DIST_INFO}/licenses/LICENSE")

    assert text == (ROOT / "LICENSE").read_bytes()


def test_the_wheel_names_its_commands(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        text = archive.read(f"{DIST_INFO}/entry_points.txt").decode()

    assert [line for line in text.splitlines() if line] == [
        "[console_scripts]",
        "tallystick = tallystick_client.cli.main:main",
        "[tallystick.commands]",
        "selftest = tallystick_server.cli.selftest:app",
        "server = tallystick_server.cli:app",
        "witness = tallystick_witness.cli:app",
    ]


def test_every_tool_looks_into_the_same_four_folders() -> None:
    tool = PYPROJECT["tool"]
    folders = set(HOUSES)

    assert set(tool["pytest"]["ini_options"]["pythonpath"]) == folders | {"."}
    assert set(tool["ruff"]["src"]) == folders
    assert set(tool["pyright"]["extraPaths"]) == folders
    assert {path.rpartition("/")[2] for path in tool["mypy"]["mypy_path"]} >= folders
    assert set(tool["importlinter"]["root_packages"]) == set(PACKAGES)


def test_http_is_parsed_by_the_compiled_parser() -> None:
    compiled = aiohttp.http_parser.HttpRequestParser
    written_in_python = aiohttp.http_parser.HttpRequestParserPy

    assert "AIOHTTP_NO_EXTENSIONS" not in os.environ
    assert compiled is not written_in_python


def test_lmdb_runs_on_its_own_patched_engine() -> None:
    *_, patched = lmdb.version(subpatch=True)

    assert patched == 1
