"""A mark refuses a vault that is older, or another one."""

import pytest

from tallystick_server.errors import IntegrityError, StoreError
from tallystick_server.storage.base import VaultMark
from tallystick_server.vault.base import (
    MAX_NAMES,
    VaultKey,
    check_mark,
    check_names,
    compare_marks,
)
from tallystick_server.vault.memory import MemoryVault


def test_a_vault_that_made_fewer_keys_than_a_log_needs_is_refused() -> None:
    vault = MemoryVault()
    vault.ensure([b"ann", b"bob"])

    with pytest.raises(IntegrityError) as caught:
        check_mark(vault, VaultMark(vault.id, 3), needed_by="the log audit")

    assert str(caught.value) == (
        "the log audit needs vault state 3, this vault has 2: it was set back; restore "
        "a newer backup of the vault"
    )


def test_a_vault_that_a_log_was_not_made_with_is_refused() -> None:
    vault = MemoryVault()

    with pytest.raises(IntegrityError, match=f"needs vault {'00' * 16}, this is"):
        check_mark(vault, VaultMark(bytes(16), 0), needed_by="the log audit")


def test_a_vault_that_went_on_fits_every_older_mark() -> None:
    held = VaultMark(bytes(16), 7)

    for count in (0, 6, 7):
        compare_marks(held, VaultMark(bytes(16), count), needed_by="the log audit")


def test_as_many_names_as_allowed_are_taken_and_no_more() -> None:
    check_names([b""] * MAX_NAMES)

    with pytest.raises(StoreError, match="65537 names at once"):
        check_names([b""] * (MAX_NAMES + 1))


def test_a_key_shows_its_id_and_no_secret() -> None:
    key = VaultKey(b"12345678", b"d" * 32, b"s" * 32)

    assert repr(key) == "VaultKey(kid=b'12345678')"
