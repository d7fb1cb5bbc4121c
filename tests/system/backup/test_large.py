"""How long a backup and a restore of a gigabyte take (R9, long form)."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tallystick_server.clock import SystemClock
from tallystick_server.config.model import LogSettings
from tallystick_server.log.commit import Submission
from tallystick_server.log.create import create_log
from tallystick_server.log.digests import batch_digest
from tallystick_server.log.writer import Writer
from tallystick_server.wiring.backing import BackupOrder, back_up
from tallystick_server.wiring.opening import open_for_writing
from tallystick_server.wiring.restoring import RestoreOrder, restore
from tests.rows.forms import Form
from tests.rows.report import Figures
from tests.system.backup.copies import quiet
from tests.system.stack import LOG, ORIGIN

pytestmark = [pytest.mark.system, pytest.mark.slow]

BATCH, ENTRY = 250, 60_000
MB = 1_000_000


def grow(data: Path, batches: int) -> None:
    """Make a log of big entries."""
    seeds = iter([b"k" * 32, b"n" * 32, b"r" * 32])
    clock = SystemClock()
    create_log(
        data,
        name=LOG,
        origin=ORIGIN,
        recovery=None,
        clock=clock,
        draw_seed=lambda: next(seeds),
    )
    opened = open_for_writing(data, LOG, LogSettings(), clock=clock)
    try:
        assert opened.signer is not None
        writer = Writer(
            store=opened.store,
            signer=opened.signer,
            state=opened.state,
            clock=clock,
            anchor=None,
        )
        for number in range(batches):
            key = b"%d" % number
            entries = tuple(
                b"%d/%d" % (number, at) + bytes(ENTRY) for at in range(BATCH)
            )
            writer.commit([Submission(key, batch_digest(key), entries)])
    finally:
        opened.close()


@pytest.mark.row("R9")
@pytest.mark.timeout(480)
def test_a_gigabyte_is_backed_up_and_restored(
    tmp_path: Path, form: Form, figures: Figures
) -> None:
    form.needs(Form.LONG, "it writes three gigabytes")
    data, place = tmp_path / "data", tmp_path / "backup"
    grow(data, 70)
    began = time.monotonic()
    made = back_up(BackupOrder(data, {LOG: None}, place), SystemClock(), quiet)
    backed = time.monotonic()
    (saved,) = restore(RestoreOrder(place, tmp_path / "fresh"), SystemClock(), quiet)
    ended = time.monotonic()

    size, backup_s, restore_s = saved.bytes, backed - began, ended - backed
    is_same = made.logs[0].root == saved.root
    figures.record(
        "a gigabyte, backed up and restored",
        tried=1,
        bad=int(not is_same),
        note=f"{size / MB:,.0f} MB; backup {backup_s:.1f} s, "
        f"{size / MB / backup_s:,.0f} MB/s; restore, all checked, {restore_s:.1f} s, "
        f"{size / MB / restore_s:,.0f} MB/s",
    )
    assert is_same
    assert size > 1000 * MB
