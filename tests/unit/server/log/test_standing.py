"""Whether what is published is witnessed by the policy of today."""

from __future__ import annotations

from tallystick_server.log.standing import is_witnessed
from tests.fakes.cosigned import cosigned, policy
from tests.fakes.logs import log_key, memory_log

KEY = log_key().verifier


def test_a_head_that_the_witness_cosigned_is_witnessed() -> None:
    head = memory_log().state.head

    assert is_witnessed(cosigned(head).note, KEY, policy())
    assert is_witnessed(cosigned(head).note, KEY, policy(with_log=False))


def test_a_head_that_nobody_cosigned_is_not() -> None:
    head = memory_log().state.head

    assert not is_witnessed(head.note, KEY, policy())


def test_a_policy_that_asks_nobody_makes_nothing_witnessed() -> None:
    note = cosigned(memory_log().state.head).note

    assert not is_witnessed(note, KEY, policy("none"))
    assert not is_witnessed(note, KEY, None)


def test_a_note_that_does_not_verify_is_not_witnessed() -> None:
    note = cosigned(memory_log().state.head).note

    assert not is_witnessed(note[:-4], KEY, policy())
    assert not is_witnessed(note.replace(b"\n1\n", b"\n2\n"), KEY, policy())
