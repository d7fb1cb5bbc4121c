"""A mark refuses a vault that is older, or another one."""

import pytest

from tallystick_server.errors import IntegrityError, StoreError
from tallystick_server.storage.base import VaultMark
from tallystick_server.vault.base import (
    MAX_NAMES,
    VaultKey,
    check_mark,
    check_names,
)
from tallystick_server.vault.memory import MemoryVault


def test_a_vault_that_made_fewer_keys_than_a_log_needs_is_refused() -> None:
    vault = MemoryVault()
    vault.ensure([b"ann", b"bob"])

    with pytest.raises(IntegrityError) as caught:
        check_mark(vault, VaultMark(vault.id, 3, bytes(16)), needed_by="the log audit")

    assert str(caught.value) == (
        "the log audit needs vault state 3, this vault has 2: it was set back; restore "
        "a newer backup of the vault"
    )


def test_a_vault_that_a_log_was_not_made_with_is_refused() -> None:
    vault = MemoryVault()

    with pytest.raises(IntegrityError, match=f"needs vault {'00' * 16}, this is"):
        check_mark(vault, VaultMark(bytes(16), 0, bytes(16)), needed_by="the log audit")


def test_a_vault_that_went_on_fits_every_older_mark() -> None:
    vault = MemoryVault()
    marks = [vault.mark()]
    for names in ([b"ann", b"bob"], [b"ann"], [b"eve"]):
        vault.ensure(names)
        marks.append(vault.mark())

    for mark in marks:
        check_mark(vault, mark, needed_by="the log audit")


def test_a_state_that_the_vault_never_was_in_is_refused() -> None:
    """Of another branch, or between the keys of one write."""
    vault = MemoryVault()
    vault.ensure([b"ann", b"bob"])

    for count, chain in ((0, b"c" * 16), (1, bytes(16)), (2, b"c" * 16), (2, b"")):
        with pytest.raises(IntegrityError, match=f"needs vault state {count} of anoth"):
            check_mark(vault, VaultMark(vault.id, count, chain), needed_by="the log a")


def test_as_many_names_as_allowed_are_taken_and_no_more() -> None:
    check_names([b""] * MAX_NAMES)

    with pytest.raises(StoreError, match="65537 names at once"):
        check_names([b""] * (MAX_NAMES + 1))


def test_a_key_shows_its_id_and_no_secret() -> None:
    key = VaultKey(b"12345678", b"d" * 32, b"s" * 32)

    assert repr(key) == "VaultKey(kid=b'12345678')"
