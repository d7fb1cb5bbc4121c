"""The memory twin passes the suite of vaults."""

from collections.abc import Callable

import pytest

from tallystick_server.vault.base import Vault
from tallystick_server.vault.conformance import CASES, Bench
from tallystick_server.vault.memory import MemoryVault


class MemoryBench:
    """Makes vaults in memory."""

    def create(self) -> MemoryVault:
        return MemoryVault()

    def reopen(self, vault: Vault) -> MemoryVault:
        assert isinstance(vault, MemoryVault)
        vault.close()
        vault.reopen()
        return vault


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_the_memory_vault_conforms(case: Callable[[Bench], None]) -> None:
    case(MemoryBench())
