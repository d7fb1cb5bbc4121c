"""A disk that fails is told apart from a thing that somebody has to change."""

import errno
import os

import pytest

from tallystick_server.errors import StoreError, UsageError, unusable


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_failed_or_is_full_may_do_at_another_try(number: int) -> None:
    error = unusable("cannot write it", OSError(number, os.strerror(number)))

    assert isinstance(error, StoreError)
    assert str(error) == f"cannot write it: {os.strerror(number)}"


@pytest.mark.parametrize("number", [errno.EACCES, errno.ENOENT, errno.ENOTDIR])
def test_what_somebody_has_to_change_is_a_matter_of_usage(number: int) -> None:
    error = unusable("cannot write it", OSError(number, os.strerror(number)))

    assert isinstance(error, UsageError)
    assert error.exit_code == 2


def test_an_error_without_a_number_still_says_something() -> None:
    assert str(unusable("cannot write it", OSError("odd"))) == "cannot write it: odd"
