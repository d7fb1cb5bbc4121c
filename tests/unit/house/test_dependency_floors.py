"""Every dependency is at least as new as the oldest version we can trust.

No advisory database is asked: it would need the network, and an answer that changes
overnight makes a test that fails for nobody's fault. The table below is kept by hand;
docs/adr/0001-packaging.md tells what each floor keeps out.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping
from importlib import metadata

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.unit.house.source_tree import ROOT

FLOORS = {
    "aiohttp": "3.14.1",
    "cbor2": "6.1.4",
    "cryptography": "48",
    "jsonschema-rs": "0.60",
    "lmdb": "2.3.0",
    "msgspec": "0.22",
    "pydantic": "2.12",
    "urllib3": "2.6",
}

_PIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*==[0-9][0-9A-Za-z.]*")


def declared() -> list[Requirement]:
    """Return every requirement of pyproject.toml, of all extras and of the build."""
    document = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    project = document["project"]
    texts = [*document["build-system"]["requires"], *project["dependencies"]]
    for extra in project["optional-dependencies"].values():
        texts.extend(extra)
    requirements = [Requirement(text) for text in texts]
    return [one for one in requirements if one.name != project["name"]]


def pins() -> dict[str, str]:
    """Return the versions of constraints.txt by canonical name."""
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    pairs = (line.split("==") for line in constraint_lines(text))
    return {canonicalize_name(name): version for name, version in pairs}


def constraint_lines(text: str) -> list[str]:
    """Return the lines of a constraints file that are not comments."""
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def malformed(lines: Iterable[str]) -> list[str]:
    """Return the lines that are anything but name==version."""
    return [line for line in lines if not _PIN.fullmatch(line)]


def below_floor(versions: Mapping[str, str]) -> list[str]:
    """Return the packages that are missing or older than their floor."""
    return [
        f"{name} is {versions.get(name)}, floor {floor}"
        for name, floor in FLOORS.items()
        if name not in versions or Version(versions[name]) < Version(floor)
    ]


def loosely_declared(requirements: Iterable[Requirement]) -> list[str]:
    """Return the requirements that would let in a version below its floor."""
    return [
        str(one)
        for one in requirements
        if one.name in FLOORS and _lowest(one) < Version(FLOORS[one.name])
    ]


def _lowest(requirement: Requirement) -> Version:
    floors = [Version(s.version) for s in requirement.specifier if s.operator == ">="]
    return max(floors, default=Version("0"))


def closure(requirements: Iterable[Requirement]) -> set[str]:
    """Return the canonical names of all that the requirements install here."""
    waiting = [(one.name, extra) for one in requirements for extra in ("", *one.extras)]
    seen: set[tuple[str, str]] = set()
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        for text in metadata.requires(name) or []:
            needed = Requirement(text)
            if needed.marker is None or needed.marker.evaluate({"extra": extra}):
                waiting += [(needed.name, more) for more in ("", *needed.extras)]
    return {canonicalize_name(name) for name, _ in seen}


def test_installed_versions_meet_the_floors() -> None:
    installed = {name: metadata.version(name) for name in FLOORS}

    assert below_floor(installed) == []


def test_pinned_versions_meet_the_floors() -> None:
    assert below_floor(pins()) == []


def test_pyproject_lets_in_no_version_below_its_floor() -> None:
    requirements = declared()

    assert {one.name for one in requirements} >= set(FLOORS)
    assert loosely_declared(requirements) == []


def test_every_pin_satisfies_pyproject() -> None:
    pinned = pins()

    assert [
        str(one)
        for one in declared()
        if not one.specifier.contains(pinned[canonicalize_name(one.name)])
    ] == []


def test_constraints_pin_all_that_an_install_pulls_in() -> None:
    assert closure(declared()) - set(pins()) == set()


def test_constraints_pin_nothing_else() -> None:
    assert set(pins()) - closure(declared()) == set()


def test_constraints_are_exact_versions_without_addresses() -> None:
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")

    assert malformed(constraint_lines(text)) == []


@pytest.mark.parametrize("name", sorted(FLOORS))
def test_a_planted_old_version_is_found(name: str) -> None:
    versions = {**FLOORS, name: "0.9"}

    assert below_floor(versions) == [f"{name} is 0.9, floor {FLOORS[name]}"]


def test_a_planted_missing_package_is_found() -> None:
    versions = {name: floor for name, floor in FLOORS.items() if name != "lmdb"}

    assert below_floor(versions) == ["lmdb is None, floor 2.3.0"]


@pytest.mark.parametrize("text", ["lmdb", "lmdb>=2.2.9", "lmdb<4", "lmdb!=2.1.0"])
def test_a_planted_loose_requirement_is_found(text: str) -> None:
    assert loosely_declared([Requirement(text)]) == [text]


@pytest.mark.parametrize(
    "line",
    [
        "lmdb",
        "lmdb>=3.0.0",
        "lmdb==3.0.0 --hash=sha256:00",
        "lmdb @ https://mirror.example/lmdb.whl",
        "--index-url https://mirror.example/simple",
        "-e .",
    ],
)
def test_a_planted_constraint_that_is_no_pin_is_found(line: str) -> None:
    assert malformed(["rich==15.0.0", line]) == [line]
