"""Every error ends a process with a code that the house has."""

from tallystick_witness.errors import (
    WitnessError,
)
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
