from __future__ import annotations

import dataclasses

import pytest

from tallystick_client.cli.policies import describe, warn_about
from tallystick_merkle.policy import Policy, PolicyGroup, format_policy
from tests.unit.client.cli.desk import Desk, Run
from tests.unit.client.fake_log import NO_WITNESS, ONE_WITNESS, ORIGIN, POLICY


def grouped(*groups: PolicyGroup) -> Policy:
    return dataclasses.replace(POLICY, groups=groups, quorum=groups[-1].name)


def test_a_policy_is_read_aloud(run: Run, desk: Desk) -> None:
    said = run("policy", "check", desk.policy)

    assert said.code == 0
    assert f"  {ORIGIN} (Ed25519)\n" in said.out
    assert "and all of w1.example, w2.example cosigned it." in said.out
    assert "  w2.example (ML-DSA-44, post-quantum)" in said.out


def test_a_policy_is_one_object(run: Run, desk: Desk) -> None:
    document = run("policy", "check", desk.policy, "--json").document

    assert document["quorum"] == "both"
    assert document["needs_witnesses"] is True
    assert document["groups"] == [
        {"name": "both", "threshold": 2, "members": ["w1.example", "w2.example"]}
    ]
    assert document["warnings"] == []


def test_a_policy_that_asks_nobody_is_warned_about(run: Run, desk: Desk) -> None:
    desk.policy.write_bytes(format_policy(NO_WITNESS))

    said = run("policy", "check", desk.policy)

    assert said.code == 0
    assert "warning: the quorum is none" in said.err
    assert "nobody else has to sign" in said.out


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        (ONE_WITNESS, "w1.example cosigned it"),
        (
            grouped(PolicyGroup("some", 1, ("w1.example", "w2.example"))),
            "at least 1 of w1.example, w2.example cosigned it",
        ),
        (
            grouped(PolicyGroup("lone", 1, ("w1.example",))),
            "the one of w1.example cosigned it",
        ),
        (
            grouped(
                PolicyGroup("inner", 1, ("w1.example",)),
                PolicyGroup("outer", 1, ("inner", "w2.example")),
            ),
            "at least 1 of (the one of w1.example cosigned it), w2.example",
        ),
    ],
)
def test_a_quorum_is_said_in_words(policy: Policy, words: str) -> None:
    assert words in describe(policy)


def test_witnesses_without_a_part_are_named() -> None:
    policy = grouped(PolicyGroup("lone", 1, ("w1.example",)))

    assert warn_about(policy) == ["the quorum does not need w2.example"]


def test_a_policy_without_a_log_is_warned_about() -> None:
    assert "no log is listed" in warn_about(dataclasses.replace(POLICY, logs=()))[0]
