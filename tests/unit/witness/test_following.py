"""A log keeps its key for good, and never comes back from scratch."""

from dataclasses import replace

import pytest

from tallystick_merkle.keys import KeyType, format_vkey, make_signing_key
from tallystick_witness.errors import UsageError
from tallystick_witness.following import plan_add, plan_remove, read_log_key
from tallystick_witness.state import Head, LogState
from tests.unit.witness.world import ML_KEY, OWN, LogTwin

LOG = LogTwin()
VKEY = format_vkey(LOG.vkey)
REMOVED = replace(LOG.followed(), state=LogState.REMOVED)


@pytest.mark.parametrize("kind", [KeyType.ED25519, KeyType.MLDSA44])
def test_a_logs_key_is_read(kind: KeyType) -> None:
    key = LogTwin(kind=kind).vkey

    assert read_log_key(format_vkey(key), origin=None, own=()) == key


def test_a_cosigners_key_is_no_logs_key() -> None:
    with pytest.raises(UsageError, match="0x04"):
        read_log_key(format_vkey(OWN[0]), origin=None, own=())


def test_a_key_named_otherwise_than_its_origin_is_refused() -> None:
    with pytest.raises(UsageError, match="must be equal"):
        read_log_key(VKEY, origin="log.example/two", own=())


def test_the_origin_may_be_said_twice() -> None:
    assert read_log_key(VKEY, origin=LOG.origin, own=()) == LOG.vkey


def test_a_key_of_the_witness_itself_is_refused() -> None:
    own = format_vkey(ML_KEY.verifier)

    with pytest.raises(UsageError, match="of this witness"):
        read_log_key(own, origin=None, own=(own,))


@pytest.mark.parametrize("text", ["", "nonsense", VKEY[:-1], VKEY.replace("+", "-")])
def test_nonsense_is_no_vkey(text: str) -> None:
    with pytest.raises(UsageError, match="not a vkey"):
        read_log_key(text, origin=None, own=())


def test_a_new_log_becomes_active() -> None:
    assert plan_add(None, LOG.vkey, reopen=False) is LogState.ACTIVE


def test_a_followed_log_stays_as_it_is() -> None:
    assert plan_add(LOG.followed(), LOG.vkey, reopen=False) is None
    assert plan_add(LOG.followed(), LOG.vkey, reopen=True) is None


@pytest.mark.parametrize("known", [LOG.followed(), REMOVED], ids=["active", "removed"])
@pytest.mark.parametrize("reopen", [False, True])
def test_another_key_is_never_taken(known: object, reopen: bool) -> None:
    log = REMOVED if known is REMOVED else LOG.followed()
    other = make_signing_key(name=LOG.origin, type=KeyType.ED25519, seed=b"\x02" * 32)

    with pytest.raises(UsageError, match="another key"):
        plan_add(log, other.verifier, reopen=reopen)


def test_a_removed_log_comes_back_only_on_request() -> None:
    head = Head(8, b"\x0a" * 32, 1, b"note")

    with pytest.raises(UsageError, match="no head; add --reopen"):
        plan_add(REMOVED, LOG.vkey, reopen=False)
    with pytest.raises(UsageError, match="size 8, root 0a0a"):
        plan_add(replace(REMOVED, head=head), LOG.vkey, reopen=False)
    assert plan_add(REMOVED, LOG.vkey, reopen=True) is LogState.ACTIVE


def test_what_was_never_followed_is_not_reopened() -> None:
    with pytest.raises(UsageError, match="never followed"):
        plan_add(None, LOG.vkey, reopen=True)


def test_removing() -> None:
    assert plan_remove(LOG.followed(), LOG.origin) is LogState.REMOVED
    assert plan_remove(REMOVED, LOG.origin) is None
    with pytest.raises(UsageError, match="not followed"):
        plan_remove(None, LOG.origin)
