"""The files that a start reads are read whole, or refused."""

from pathlib import Path

import pytest

from tallystick_merkle.policy import MAX_POLICY
from tallystick_server.errors import UsageError
from tallystick_server.wiring.opening import read_policy

HEAD = b"quorum none\n"


def test_a_policy_that_is_too_long_is_refused_and_not_read_in_part(
    tmp_path: Path,
) -> None:
    path = tmp_path / "policy"
    whole = HEAD + b"#\n" + b"#" * (MAX_POLICY - len(HEAD) - 3) + b"\n"
    path.write_bytes(whole)
    read_policy(path)
    path.write_bytes(whole + b"witness w not-a-key\n")

    with pytest.raises(UsageError, match="longer than"):
        read_policy(path)
