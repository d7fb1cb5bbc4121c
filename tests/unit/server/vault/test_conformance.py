"""The suite of vaults catches vaults that are wrong."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import pytest

from tallystick_server.errors import ServerError
from tallystick_server.storage.base import VaultMark
from tallystick_server.vault.base import NO_KEYS, Vault, VaultKey
from tallystick_server.vault.conformance import CASES, Bench
from tallystick_server.vault.memory import MemoryVault


class MakesThemAnew(MemoryVault):
    """Gives a name a new key each time."""

    def ensure(self, names: Sequence[bytes]) -> dict[bytes, VaultKey]:
        for name in names:
            self._keys.pop(name, None)
        return super().ensure(names)


class SharesKeys(MemoryVault):
    """Gives all names the same data key."""

    def ensure(self, names: Sequence[bytes]) -> dict[bytes, VaultKey]:
        made = super().ensure(names)
        return {name: VaultKey(k.kid, bytes(32), k.secret) for name, k in made.items()}


class CountsCalls(MemoryVault):
    """Counts what was asked for, not what was made."""

    calls = 0

    def ensure(self, names: Sequence[bytes]) -> dict[bytes, VaultKey]:
        self.calls += len(names)
        return super().ensure(names)

    @property
    def count(self) -> int:
        return super().count and self.calls


class MarksTooLow(MemoryVault):
    """Gives a mark that leaves out the newest key."""

    def mark(self) -> VaultMark:
        return replace(super().mark(), count=max(0, self.count - 1))


class MarksTheCountAlone(MemoryVault):
    """Tells states by the number of keys, as if each had the same ones."""

    def mark(self) -> VaultMark:
        return replace(super().mark(), chain=NO_KEYS)

    def chain_at(self, count: int) -> bytes | None:
        return NO_KEYS if count <= self.count else None


class ForgetsItsStates(MemoryVault):
    """Knows the state it is in, and none before."""

    def chain_at(self, count: int) -> bytes | None:
        return super().chain_at(count) if count == self.count else None


class CutsNames(MemoryVault):
    """Looks at the first byte of a name only."""

    def find(self, names: Sequence[bytes]) -> dict[bytes, VaultKey]:
        return {
            name: key
            for name in names
            for other, key in self._keys.items()
            if other[:1] == name[:1]
        }


class ForgetsTheOldest(MemoryVault):
    """Comes back without its first key."""

    def reopen(self) -> None:
        super().reopen()
        self._keys.pop(next(iter(self._keys), b""), None)


class TakesAnyNumber(MemoryVault):
    """Has no bound on the names of a call."""

    def ensure(self, names: Sequence[bytes]) -> dict[bytes, VaultKey]:
        made: dict[bytes, VaultKey] = {}
        for name in names:
            made |= super().ensure([name])
        return made


@dataclass
class ShowsItsKeys(MemoryVault):
    """Has its keys in its text."""

    def __repr__(self) -> str:
        return f"{[key.dek.hex() for key in self._keys.values()]}"


class AnswersWhenClosed(MemoryVault):
    """Does not mind to be closed."""

    def close(self) -> None:
        self.is_never_closed = True


@pytest.mark.parametrize(
    ("wrong", "case"),
    [
        (MakesThemAnew, "check_made_once"),
        (SharesKeys, "check_made_once"),
        (CountsCalls, "check_counted"),
        (MarksTooLow, "check_counted"),
        (CutsNames, "check_found"),
        (ForgetsTheOldest, "check_kept"),
        (MarksTooLow, "check_marks"),
        (MarksTheCountAlone, "check_branches"),
        (ForgetsItsStates, "check_marks"),
        (TakesAnyNumber, "check_bounded"),
        (CountsCalls, "check_threads"),
        (ShowsItsKeys, "check_silent"),
        (AnswersWhenClosed, "check_closed"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_a_wrong_vault_is_caught(wrong: type[MemoryVault], case: str) -> None:
    class WrongBench:
        def create(self) -> MemoryVault:
            return wrong()

        def reopen(self, vault: Vault) -> MemoryVault:
            assert isinstance(vault, MemoryVault)
            vault.close()
            vault.reopen()
            return vault

    cases: dict[str, Callable[[Bench], None]] = {run.__name__: run for run in CASES}

    with pytest.raises((AssertionError, ServerError)):
        cases[case](WrongBench())
