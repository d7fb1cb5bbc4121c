"""Core values have their shapes, and targets fit together."""

from typing import Any

import pytest

from tallystick_merkle.disclosedcore import check_core
from tallystick_merkle.errors import ProofError

USER = ["user", "bob"]
TARGETS = {"targets": [["user", 2], ["file", 0], ["user", 1]]}


@pytest.mark.parametrize(
    "groups",
    [
        [None, None],
        [{}, {}],
        [{"targets": []}, None],
        [TARGETS, None, None],
        [TARGETS, {"actor": ["user", "a"], "targets/1": "f"}, {"target": USER}],
        [{"schema": None, "region": None, "corrects": None}, None],
        [{"schema": ["user.role", 3], "outcome": ["denied", "403"]}, None],
        [None, {"details/a": {}, "details/b": [{"c": 1}], "after/x/y/z": {"w": 1}}],
        [None, {"details/a": -(2**63), "details/b": 2**64 - 1}],
    ],
    ids=["hidden", "empty", "none", "list", "all", "null", "values", "maps", "least"],
)
def test_what_fits_together_is_taken(groups: list[Any]) -> None:
    check_core(groups)


@pytest.mark.parametrize(
    ("groups", "why"),
    [
        ([None, {"targets/0": "f"}], "shown without targets"),
        ([None, None, {"target": USER}], "shown without targets"),
        ([TARGETS, {"targets/0": "f"}, None], "where targets has a thing"),
        ([TARGETS, None, {"targets/1": "f"}], "where targets has a thing"),
        ([TARGETS, None, None, None], "does not name every group"),
        ([TARGETS, None], "a group that there is not"),
        ([TARGETS, {"actor": ["service", "a"]}, None], "another type for group 1"),
        ([TARGETS, None, {"target": ["file", "bob"]}], "another type for group 2"),
        (
            [{"targets": [["user", 1]]}, None, {"target": USER}],
            "group 2 is no target's",
        ),
        ([TARGETS, {"targets/1": None}, None], "is no id"),
        ([TARGETS, {"targets/1": "a\u200b"}, None], "is no id"),
        ([None, {"actor": ["user", "a\u200b"]}], "'actor' has a value out of shape"),
        ([None, {"details": {"a": 1}}], "'details' has a value out of shape"),
        ([None, {"after/x/y": {"z": 1}}], "'after/x/y' has a value out of shape"),
        ([None, {"after/x": b""}], "'after/x' has a value out of shape"),
        ([None, {"after/x": -(2**63) - 1}], "'after/x' has a value out of shape"),
    ],
)
def test_what_does_not_fit_is_refused(groups: list[Any], why: str) -> None:
    with pytest.raises(ProofError, match=why):
        check_core(groups)


def test_an_error_shows_little_of_a_long_name() -> None:
    with pytest.raises(ProofError) as caught:
        check_core([TARGETS, {f"targets/{'1' * 5000}": "f"}, None])

    assert len(str(caught.value)) < 200
