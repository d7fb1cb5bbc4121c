"""No tracked file names a package registry or somebody's machine.

The words that are looked for are put together from pieces, so that this file passes
its own test.
"""

import re

import pytest

from tests.unit.house.source_tree import read_lines, tracked_files

# Events and vectors in these folders come from other people's machines.
FOREIGN_DATA = ("tests/vectors/", "tests/data/")

REGISTRY_HOSTS = tuple(
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("yarnpkg", "com"),
        ("crates", "io"),
        ("rubygems", "org"),
        ("anaconda", "org"),
        ("proxy", "golang", "org"),
        ("pkg", "dev"),
    )
)

MACHINE_FOLDERS = ("work", "tmp", "root", "home", "Users")

# A path that starts at the root of a machine; the same word inside a URL or a longer
# path has a letter, a dot or a bracket before its first slash.
_MACHINE_PATH = re.compile(rf"(?<![\w.)}}\]~-])/(?:{'|'.join(MACHINE_FOLDERS)})/[\w.]")


def registry_host_in(line: str) -> str | None:
    """Return the first registry host that a line names."""
    return next((host for host in REGISTRY_HOSTS if host in line.lower()), None)


def machine_path_in(line: str) -> str | None:
    """Return the start of the first machine path that a line names."""
    found = _MACHINE_PATH.search(line)
    return found.group() if found else None


def test_no_tracked_file_names_a_package_registry() -> None:
    found = [
        f"{name}:{number}: {host}"
        for name in tracked_files()
        for number, line in read_lines(name)
        if (host := registry_host_in(line))
    ]

    assert found == []


def test_no_tracked_file_names_a_machine_path() -> None:
    found = [
        f"{name}:{number}: {path}"
        for name in tracked_files()
        if not name.startswith(FOREIGN_DATA)
        for number, line in read_lines(name)
        if (path := machine_path_in(line))
    ]

    assert found == []


@pytest.mark.parametrize("host", REGISTRY_HOSTS)
def test_a_planted_registry_host_is_found(host: str) -> None:
    line = f"--index-url https://{host.upper()}/simple"

    assert registry_host_in(line) == host


@pytest.mark.parametrize("folder", MACHINE_FOLDERS)
@pytest.mark.parametrize("before", ["", " ", '"', "file://", "--data=", ":"])
def test_a_planted_machine_path_is_found(folder: str, before: str) -> None:
    assert machine_path_in(f"{before}/{folder}/someone") == f"/{folder}/s"


@pytest.mark.parametrize(
    "line", ["https://log.example/home/start", "{base}/root/x", "docs/work/plan", "/"]
)
def test_a_path_inside_something_else_is_no_machine_path(line: str) -> None:
    assert machine_path_in(line) is None
