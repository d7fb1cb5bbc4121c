"""A promoted copy and its original: one of them stops, nothing witnessed is lost (R9).

Two real servers under one key, and two real witnesses whose policy needs both.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tallystick_merkle.errors import RefusedError
from tallystick_merkle.exchange.reading import TileReader
from tallystick_merkle.hashing import leaf_hash
from tallystick_merkle.policy import judge
from tallystick_merkle.promotion import parse_promotion
from tallystick_server.log.marker import State
from tests.rows.forms import Form
from tests.rows.report import Figures
from tests.system.backup.copies import Copy, append, back_up, stored
from tests.system.drive import drive
from tests.system.patience import until
from tests.system.stack import LOG, ORIGIN, Stack, run_json

pytestmark = [
    pytest.mark.system,
    pytest.mark.slow,
    pytest.mark.row("R9"),
    pytest.mark.timeout(300),
]


@pytest.fixture
def stack(
    tmp_path: Path, form: Form, request: pytest.FixtureRequest
) -> Iterator[Stack]:
    if request.function is not test_the_copy_wins_and_the_original_stops_at_once:
        form.needs(Form.CI, "each takes over ten seconds")
    with Stack(tmp_path, publish_interval_s=0.1) as stack:
        stack.start()
        yield stack


def published(stack: Stack, read_url: str) -> int:
    """The size of the checkpoint that is served; it meets the policy."""
    note = drive(TileReader(read_url).checkpoint())
    judged = judge(note, stack.policy, origin=ORIGIN)
    judged.require_met()
    return judged.opened.checkpoint.size


def witnessed(stack: Stack, *keys: str) -> list[bytes]:
    """Append to the original until both witnesses cosigned it; give the entries."""
    last = 0
    for key in keys:
        last = append(stack.address, stack, key).index
    assert until(lambda: published(stack, stack.address.read_url) > last)
    return [key.encode() for key in keys]


def events(path: Path) -> list[str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["event"] for line in lines if line.startswith("{")]


def test_the_copy_wins_and_the_original_stops_at_once(
    stack: Stack, figures: Figures
) -> None:
    before = witnessed(stack, "one", "two")
    copy = Copy(stack)
    with copy:
        copy.take_over(back_up(stack))
        copy.start()
        assert until(lambda: copy.is_ready)
        after = copy.append("three")
        assert until(lambda: published(stack, copy.address.read_url) > after.index)

        append(stack.address, stack, "too-late")  # promised: it asked nobody yet
        assert until(
            lambda: "signing stopped" in events(stack.directory / "server.log")
        )
        with pytest.raises(RefusedError) as refused:
            append(stack.address, stack, "after-the-end")
        evidence = list((stack.data / "logs" / LOG / "evidence").glob("*.json"))
        assert stack.server is not None
        stack.server.stop()
        again = Copy(stack, "server")
        again.config = stack.config
        restarted = again.refused()
        copy.append("four")
        assert copy.daemon is not None
        copy.daemon.stop()
        head, entries = stored(copy.data)
        report = run_json("server", "fsck", "--config", str(copy.config))

    lost = [entry for entry in before if entry not in entries]
    promotion = parse_promotion(entries[3])
    figures.record(
        "promoted beside its original: the copy wins", tried=1, bad=len(lost)
    )
    assert lost == []
    assert refused.value.status == 503
    assert "contradicts the log" in str(refused.value)
    assert len(evidence) == 1
    assert restarted.returncode == 1
    assert "contradicts the log" in restarted.stderr
    assert "Traceback" not in restarted.stderr
    assert (promotion.size, promotion.origin) == (3, ORIGIN)
    assert entries[1:] == [*before, entries[3], b"three", b"four"]
    assert leaf_hash(b"three") == after.leaf
    assert report["sound"]
    assert head.size == 6
    assert copy.marker is None


def test_the_original_wins_and_the_copy_never_acks(
    stack: Stack, figures: Figures
) -> None:
    witnessed(stack, "one")
    backup = back_up(stack)
    with Copy(stack) as copy, Copy(stack, "stale") as stale:
        copy.take_over(backup)
        stale.restore(backup)
        stack.witnesses[1].kill()  # no quorum: the copy has to wait
        copy.start()
        waiting = copy.signing()
        with pytest.raises(RefusedError) as early:
            copy.append("early")
        append(stack.address, stack, "two")  # the first witness alone cosigns it
        assert copy.daemon is not None
        code = copy.daemon.process.wait(timeout=60)  # it asks again, and is told
        stack.start_witness(1)
        refused = copy.refused()
        stale_promotion = stale.promote("--original-is-stopped")
        entries_of_original = witnessed(stack, "three")
        head, entries = stored(copy.data)

    figures.record(
        "promoted beside its original: the original wins",
        tried=1,
        bad=int(head.size != 2),
    )
    figures.record(
        "promotions of a stale copy, refused",
        tried=2,
        bad=(refused.returncode != 1) + (stale_promotion.returncode != 1),
    )
    assert "no quorum of witnesses" in waiting
    assert early.value.status == 503
    assert code == refused.returncode == stale_promotion.returncode == 1
    for text in (refused.stderr, stale_promotion.stderr):
        assert "under our key, we hold only 2" in text
        assert "Traceback" not in text
    assert copy.evidence
    assert entries[1:] == [b"one"]
    assert entries_of_original == [b"three"]
    assert stale.marker is not None
    assert stale.marker.state is State.RESTORED
    assert not (stale.data / "keys" / f"{LOG}.skey").exists()


def test_a_promotion_says_what_it_wants_and_changes_nothing_before(
    stack: Stack, figures: Figures
) -> None:
    witnessed(stack, "one")
    with Copy(stack) as copy:
        copy.restore(back_up(stack))
        unsaid = copy.promote()
        needless = copy.promote("--original-is-stopped", "--without-witnesses")
        state = copy.marker.state if copy.marker else None
        has_key = (copy.data / "keys" / f"{LOG}.skey").exists()
        policy = stack.policy_path.read_text(encoding="utf-8")
        alone = stack.directory / "alone.policy"
        alone.write_text(f"log {stack.vkey}\nquorum none\n", encoding="utf-8")
        text = copy.config.read_text(encoding="utf-8")
        copy.config.write_text(
            text.replace(str(stack.policy_path), str(alone)), encoding="utf-8"
        )
        unwitnessed = copy.promote("--original-is-stopped")
        copy.config.write_text(text, encoding="utf-8")
        done = copy.promote("--original-is-stopped")
        again = copy.promote("--original-is-stopped")
        flagged = copy.refused("--sign-unproven", LOG)
        copy.config.write_text(
            text.replace(str(stack.policy_path), str(alone)), encoding="utf-8"
        )
        nobody = copy.refused()

    codes = [
        one.returncode
        for one in (unsaid, needless, unwitnessed, again, flagged, nobody)
    ]
    figures.record(
        "promotions without the words they need, refused",
        tried=len(codes),
        bad=sum(code != 2 for code in codes),
    )
    assert codes == [2] * 6
    assert done.returncode == 0
    assert "add --original-is-stopped" in unsaid.stderr
    assert "add --without-witnesses" in unwitnessed.stderr
    assert "was promoted already" in again.stderr
    assert "nothing else will do" in flagged.stderr
    assert "its policy asks none" in nobody.stderr
    assert state is State.RESTORED
    assert not has_key
    assert "quorum both" in policy


def test_a_promotion_without_witnesses_needs_a_second_word_and_then_goes_on(
    stack: Stack,
) -> None:
    witnessed(stack, "one")
    stack.policy_path.write_text(f"log {stack.vkey}\nquorum none\n", encoding="utf-8")
    with Copy(stack) as copy:
        copy.restore(back_up(stack))
        done = copy.promote("--original-is-stopped", "--without-witnesses")
        copy.make_token()
        copy.start()
        assert until(lambda: copy.is_ready)
        index = copy.append("two").index

    assert done.returncode == 0
    assert index == 3
