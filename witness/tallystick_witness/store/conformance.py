"""What every store must do, as checks to run against a backend.

    @pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
    def test_conformance(check): check(make_store())

Each check takes a store that was just made for the identity IDENTITY, and raises
AssertionError where a promise of `store.base` is broken.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from tallystick_merkle.keys import KeyType, make_signing_key
from tallystick_merkle.witnessing import origin_hash
from tallystick_witness.errors import IntegrityError, StaleHeadError, WitnessError
from tallystick_witness.state import (
    FIRST_EVIDENCE,
    MAX_EVIDENCE,
    Evidence,
    EvidenceKind,
    FollowedLog,
    Head,
    Identity,
    LogState,
)
from tallystick_witness.store.base import WitnessStore

IDENTITY = Identity("witness.example/conformance", ("vkey of the conformance suite",))
"""The identity a store must be made for, to be checked."""

Check = Callable[[WitnessStore], None]


def make_log(origin: str) -> FollowedLog:
    """Make a log that was never cosigned."""
    seed = b"\x01" * 32
    key = make_signing_key(name=origin, type=KeyType.ED25519, seed=seed).verifier
    return FollowedLog(key, LogState.ACTIVE, since_s=1)


_LOG = make_log("log.example/b")
_OTHER = make_log("log.example/a")
_FIRST = Head(5, b"\x05" * 32, 100, b"note of size 5")
_SECOND = Head(8, b"\x08" * 32, 101, b"note of size 8")


def gives_its_identity(store: WitnessStore) -> None:
    """The identity is the one it was made for."""
    assert store.identity() == IDENTITY


def starts_empty(store: WitnessStore) -> None:
    """A new store knows nothing."""
    assert store.logs() == []
    assert store.evidence() == []
    assert store.find(origin_hash(_LOG.origin)) is None


def finds_a_followed_log(store: WitnessStore) -> None:
    """A log is found by the hash of its origin, without a head."""
    store.follow(replace(_LOG, head=_FIRST))
    assert store.find(origin_hash(_LOG.origin)) == _LOG


def sorts_logs_by_origin(store: WitnessStore) -> None:
    """All logs are listed, sorted."""
    store.follow(_LOG)
    store.follow(_OTHER)
    assert store.logs() == [_OTHER, _LOG]


def follows_a_log_once(store: WitnessStore) -> None:
    """Following a known log is refused and changes nothing."""
    store.follow(_LOG)
    store.advance(_LOG.origin, None, _FIRST)
    _refuses(StaleHeadError, lambda: store.follow(_LOG))
    assert store.logs() == [replace(_LOG, head=_FIRST)]


def advances_from_the_expected_head(store: WitnessStore) -> None:
    """A head replaces the one it stands on."""
    store.follow(_LOG)
    store.advance(_LOG.origin, None, _FIRST)
    store.advance(_LOG.origin, _FIRST, _SECOND)
    assert _head(store) == _SECOND


def advances_one_log_alone(store: WitnessStore) -> None:
    """Other logs stay as they are."""
    store.follow(_LOG)
    store.follow(_OTHER)
    store.advance(_LOG.origin, None, _FIRST)
    assert store.find(origin_hash(_OTHER.origin)) == _OTHER


def refuses_another_head_than_the_stored(store: WitnessStore) -> None:
    """A step from any other head is refused: none, older, other time."""
    store.follow(_LOG)
    _refuses(StaleHeadError, lambda: store.advance(_LOG.origin, _FIRST, _SECOND))
    store.advance(_LOG.origin, None, _FIRST)
    for expected in (None, _SECOND, replace(_FIRST, time_s=99)):
        _refuses(
            StaleHeadError,
            partial(store.advance, _LOG.origin, expected, _SECOND),
        )
    assert _head(store) == _FIRST


def refuses_to_advance_an_unknown_log(store: WitnessStore) -> None:
    """A log that was never followed has no head to replace."""
    _refuses(StaleHeadError, lambda: store.advance(_LOG.origin, None, _FIRST))


def refuses_a_step_back(store: WitnessStore) -> None:
    """Neither size nor time goes back, and a size keeps its root."""
    store.follow(_LOG)
    store.advance(_LOG.origin, None, _SECOND)
    for wrong in (
        _FIRST,
        replace(_SECOND, root=b"\x09" * 32),
        replace(_SECOND, size=9, time_s=_SECOND.time_s - 1),
    ):
        _refuses(
            IntegrityError,
            partial(store.advance, _LOG.origin, _SECOND, wrong),
        )
    assert _head(store) == _SECOND


def refreshes_a_head(store: WitnessStore) -> None:
    """The same size and root may be stored again with a later time."""
    fresh = replace(_FIRST, time_s=200, note=b"cosigned afresh")
    store.follow(_LOG)
    store.advance(_LOG.origin, None, _FIRST)
    store.advance(_LOG.origin, _FIRST, fresh)
    assert _head(store) == fresh


def keeps_a_tombstone(store: WitnessStore) -> None:
    """A removed log keeps key and head, does not advance, and can be reopened."""
    store.follow(_LOG)
    store.advance(_LOG.origin, None, _FIRST)
    store.mark(_LOG.origin, LogState.REMOVED, since_s=7)
    removed = replace(_LOG, state=LogState.REMOVED, since_s=7, head=_FIRST)
    assert store.logs() == [removed]
    _refuses(StaleHeadError, lambda: store.advance(_LOG.origin, _FIRST, _SECOND))
    _refuses(StaleHeadError, lambda: store.follow(_LOG))
    store.mark(_LOG.origin, LogState.ACTIVE, since_s=9)
    store.advance(_LOG.origin, _FIRST, _SECOND)
    assert _head(store) == _SECOND


def marks_only_known_logs(store: WitnessStore) -> None:
    """An unknown log has no state to change."""
    _refuses(
        StaleHeadError,
        lambda: store.mark(_LOG.origin, LogState.REMOVED, since_s=7),
    )


def keeps_evidence_once(store: WitnessStore) -> None:
    """The same (log, kind, size, root) is kept once, as it came first."""
    first = _evidence(3)
    assert store.keep_evidence(first)
    assert not store.keep_evidence(replace(first, time_s=9_999))
    assert store.evidence() == [first]


def bounds_evidence_by_log_and_kind(store: WitnessStore) -> None:
    """One kind of one log can be full without closing the door to others."""
    split = [
        replace(_evidence(size), kind=EvidenceKind.SPLIT_VIEW)
        for size in range(MAX_EVIDENCE + 2)
    ]
    kept = [store.keep_evidence(one) for one in split]
    assert kept == [True] * MAX_EVIDENCE + [False] * 2
    other_kind = _evidence(1)
    other_log = replace(split[1], origin=_OTHER.origin)
    assert store.keep_evidence(other_kind)
    assert store.keep_evidence(other_log)
    assert len(store.evidence()) == MAX_EVIDENCE + 2


def keeps_the_first_and_the_last_unproven(store: WitnessStore) -> None:
    """Who fills the table, before or after a fork, does not hide it."""
    came = [
        replace(_evidence(size), time_s=1_000 - size)
        for size in range(2 * MAX_EVIDENCE, 0, -1)
    ]
    assert all(store.keep_evidence(one) for one in came)
    stay = came[:FIRST_EVIDENCE] + came[FIRST_EVIDENCE - MAX_EVIDENCE :]
    assert store.evidence() == sorted(stay, key=lambda one: one.size)


def drops_evidence_that_was_explained(store: WitnessStore) -> None:
    """A head that was cosigned is no suspect any more; others stay."""
    store.follow(_LOG)
    suspect = replace(_evidence(_FIRST.size), root=_FIRST.root)
    other_root = replace(suspect, root=b"other" + bytes(27))
    split = replace(suspect, kind=EvidenceKind.SPLIT_VIEW)
    for one in (suspect, other_root, split):
        assert store.keep_evidence(one)
    store.advance(_LOG.origin, None, _FIRST)
    left = store.evidence()
    assert suspect not in left
    assert len(left) == 2


def sorts_evidence(store: WitnessStore) -> None:
    """Evidence comes sorted by origin, kind, size."""
    wanted = [_evidence(2), _evidence(300)]
    for one in reversed(wanted):
        store.keep_evidence(one)
    assert store.evidence() == wanted


def can_be_swept(store: WitnessStore) -> None:
    """Sweeping changes nothing that is stored."""
    store.follow(_LOG)
    store.sweep()
    assert store.logs() == [_LOG]


CHECKS: tuple[Check, ...] = (
    gives_its_identity,
    starts_empty,
    finds_a_followed_log,
    sorts_logs_by_origin,
    follows_a_log_once,
    advances_from_the_expected_head,
    advances_one_log_alone,
    refuses_another_head_than_the_stored,
    refuses_to_advance_an_unknown_log,
    refuses_a_step_back,
    refreshes_a_head,
    keeps_a_tombstone,
    marks_only_known_logs,
    keeps_evidence_once,
    bounds_evidence_by_log_and_kind,
    keeps_the_first_and_the_last_unproven,
    drops_evidence_that_was_explained,
    sorts_evidence,
    can_be_swept,
)
"""Every check of the suite."""


def _head(store: WitnessStore) -> Head | None:
    log = store.find(origin_hash(_LOG.origin))
    assert log is not None
    return log.head


def _evidence(size: int) -> Evidence:
    root = bytes([size % 256]) * 32
    note = b"note of size %d" % size
    return Evidence(_LOG.origin, EvidenceKind.UNPROVEN, size, root, 50, note, b"held")


def _refuses(error: type[WitnessError], step: Callable[[], None]) -> None:
    try:
        step()
    except error:
        return
    raise AssertionError(f"expected {error.__name__}, nothing was raised")
