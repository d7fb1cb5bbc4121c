"""What makes the snapshots of an intake authentic: a key of the vault."""

from __future__ import annotations

import hmac

import pytest

from tallystick_server.errors import StoreError
from tallystick_server.ingest.names import dead_letters_name, snapshot_name
from tallystick_server.vault.memory import MemoryVault
from tallystick_server.wiring.ingesting import SnapshotKey

NAME = snapshot_name("tenant")


def test_the_key_of_snapshots_is_made_once_and_is_of_that_log_alone() -> None:
    vault = MemoryVault()

    first = SnapshotKey(vault, NAME, may_make=True).mac(b"body")
    again = SnapshotKey(vault, NAME, may_make=False).mac(b"body")
    other = SnapshotKey(vault, snapshot_name("other"), may_make=True).mac(b"body")

    secret = vault.find([NAME])[NAME].secret
    assert first == again == hmac.digest(secret, b"body", "sha256")
    assert other != first
    assert vault.count == 2


def test_who_may_not_write_the_vault_makes_no_key_of_snapshots() -> None:
    vault = MemoryVault()

    with pytest.raises(StoreError, match="no key"):
        SnapshotKey(vault, NAME, may_make=False).mac(b"body")

    assert vault.count == 0


def test_snapshots_and_dead_letters_have_keys_of_their_own() -> None:
    assert dead_letters_name("tenant") != NAME
