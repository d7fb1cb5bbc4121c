"""Every error ends a process with a code that the house has."""

import errno

import pytest

from tallystick_witness.boundary import CommandError, plain_errors
from tallystick_witness.errors import WitnessError, is_of_disk
from tests.unit.witness.world import (
    LogTwin,
)

FORK = LogTwin(salt=b"fork")


def test_every_error_has_an_exit_code() -> None:
    def codes(kind: type[WitnessError]) -> set[int]:
        found = {kind.exit_code}
        for child in kind.__subclasses__():
            found |= codes(child)
        return found

    assert codes(WitnessError) == {1, 2, 4, 5}


@pytest.mark.parametrize(
    ("number", "is_it"),
    [
        (errno.EIO, True),
        (errno.ENOSPC, True),
        (errno.EDQUOT, True),
        (errno.EACCES, False),
        (errno.ENOENT, False),
    ],
)
def test_a_disk_that_fails_is_told_apart_from_a_wrong_path(
    number: int, is_it: bool
) -> None:
    assert is_of_disk(OSError(number, "")) is is_it


def test_an_error_of_the_system_ends_a_command_with_a_line_and_5() -> None:
    with pytest.raises(CommandError) as told, plain_errors():
        raise OSError(errno.EIO, "Input/output error", "/w/keys/ed25519.skey")

    assert told.value.exit_code == 5
    assert told.value.format_message() == "Input/output error: /w/keys/ed25519.skey"
