"""A head that was promised but never published can be audited by whoever holds it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tallystick_merkle.errors import RefusedError
from tallystick_merkle.exchange.appending import append_entry
from tallystick_merkle.exchange.auditing import audit_to
from tallystick_merkle.exchange.reading import TileReader
from tallystick_merkle.frontier import EMPTY_EDGE
from tallystick_merkle.policy import judge
from tallystick_merkle.proof import check_inclusion
from tallystick_merkle.receipt import Status
from tests.system.drive import drive
from tests.system.stack import LOG, Stack

pytestmark = pytest.mark.system


def test_a_promised_head_is_audited_through_tiles_and_proofs(tmp_path: Path) -> None:
    with Stack(tmp_path) as stack:
        for witness in stack.witnesses:
            witness.kill()
        stack.start("--sign-unproven", LOG)
        answers = [
            drive(
                append_entry(
                    stack.address, b"entry %d" % n, policy=stack.policy, key=f"k{n}"
                )
            )
            for n in range(300)
        ]
        reader = TileReader(stack.address.read_url)
        with pytest.raises(RefusedError) as never_published:
            drive(reader.checkpoint())

        held = answers[270]
        head = judge(held.receipt.checkpoint, stack.policy)
        edge = drive(audit_to(reader, EMPTY_EDGE, head=head, report=lambda _: None))
        path = drive(reader.inclusion(index=answers[3].index, size=held.size))

    assert never_published.value.status == 404
    assert held.status is Status.PROMISED
    assert edge.size == held.size < answers[-1].size
    check_inclusion(
        index=answers[3].index,
        size=held.size,
        leaf=answers[3].leaf,
        path=path,
        root=head.opened.checkpoint.root,
    )
