"""A head is verified as a stranger would, before it is stored and at every start."""

from dataclasses import replace

import pytest

from tallystick_merkle.note import Note, format_note, parse_note
from tallystick_witness.errors import (
    IntegrityError,
)
from tallystick_witness.starting import check_heads
from tallystick_witness.state import Head
from tests.unit.witness.world import (
    OWN,
    LogTwin,
    World,
)

FORK = LogTwin(salt=b"fork")


def test_every_stored_head_verifies_as_at_a_start() -> None:
    world = World()
    for old, new in ((0, 1), (1, 5), (5, 5), (5, 64)):
        world.witness.add_checkpoint(world.log.request(old, new))

        check_heads(world.store.logs(), OWN)


def test_a_head_with_a_flipped_bit_is_refused_at_a_start() -> None:
    world = World()
    world.witness.add_checkpoint(world.log.request(0, 5))
    (log,) = world.store.logs()
    assert log.head is not None
    head = log.head
    note = parse_note(head.note)
    lines = note.signatures
    wrong: list[Head] = [
        replace(head, size=6),
        replace(head, root=b"\0" * 32),
        replace(head, time_s=head.time_s + 1),
        replace(head, note=head.note[:-1]),
        replace(head, note=format_note(Note(note.text, lines[:1]))),
        replace(head, note=format_note(Note(note.text, lines[1:]))),
        replace(head, note=head.note.replace(b"\n5\n", b"\n6\n")),
    ]

    for one in wrong:
        with pytest.raises(IntegrityError):
            check_heads([replace(log, head=one)], OWN)
