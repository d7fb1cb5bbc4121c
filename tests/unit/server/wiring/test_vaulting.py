"""The vault of a server: made once, and opened against what the logs need."""

from __future__ import annotations

import logging
import os
import shutil
from pathlib import Path

import lmdb
import pytest

from tallystick_merkle.genesis import EVENTS
from tallystick_server.clock import SetClock
from tallystick_server.config.model import ServerSettings
from tallystick_server.errors import (
    IntegrityError,
    LockedError,
    NotInitialisedError,
    UsageError,
    WrongKeyError,
)
from tallystick_server.log.create import create_log
from tallystick_server.log.paths import store_directory
from tallystick_server.storage.base import VaultMark
from tallystick_server.storage.records import META
from tallystick_server.storage.sides import VAULT, pack_vault
from tallystick_server.vault.copying import back_up, restore
from tallystick_server.vault.opening import open_vault
from tallystick_server.vault.root import FileRoot
from tallystick_server.wiring.vaulting import (
    make_vault,
    open_server_vault,
    read_marks,
    restore_vault,
    root_of,
)


@pytest.fixture
def settings(tmp_path: Path) -> ServerSettings:
    return ServerSettings(data=tmp_path / "data")


def make_log(settings: ServerSettings, name: str, kind: str) -> None:
    create_log(
        settings.data,
        name=name,
        origin=f"log.example/{name}",
        recovery=None,
        clock=SetClock(),
        draw_seed=lambda: os.urandom(32),
        kind=kind,
    )


def mark_after(settings: ServerSettings, keys: int) -> VaultMark:
    """Make as many keys; give the mark of a log that uses them."""
    vault = open_vault(settings.data / "vault", FileRoot(root_of(settings)))
    vault.ensure([b"%d" % number for number in range(keys)])
    mark = vault.mark()
    vault.close()
    return mark


def test_a_vault_and_its_root_key_are_made_once(settings: ServerSettings) -> None:
    root = make_vault(settings)

    assert root == settings.data / "keys" / "vault.root"
    assert make_vault(settings) is None
    assert mark_after(settings, 1).count == 1


def test_the_root_key_goes_where_the_configuration_says(tmp_path: Path) -> None:
    place = tmp_path / "elsewhere.root"
    settings = ServerSettings(data=tmp_path / "data", vault_root=place)

    assert make_vault(settings) == place

    assert place.is_file()
    assert not (tmp_path / "data" / "keys" / "vault.root").exists()
    assert mark_after(settings, 1).count == 1


def test_a_root_key_that_was_put_there_is_used(settings: ServerSettings) -> None:
    root = root_of(settings)
    root.parent.mkdir(parents=True)
    root.write_bytes(b"1f" * 32)
    root.chmod(0o600)

    make_vault(settings)

    assert root.read_bytes() == b"1f" * 32
    assert mark_after(settings, 1).count == 1


def test_logs_of_events_that_lost_their_vault_get_no_new_one(
    settings: ServerSettings,
) -> None:
    make_vault(settings)
    make_log(settings, "plain", "raw")
    make_log(settings, "audit", EVENTS)
    shutil.rmtree(settings.data / "vault")

    with pytest.raises(UsageError, match="the log audit needs the vault that is miss"):
        make_vault(settings)

    assert not (settings.data / "vault").exists()


def test_only_logs_of_events_have_marks(settings: ServerSettings) -> None:
    make_log(settings, "plain", "raw")
    make_log(settings, "audit", EVENTS)

    assert read_marks(settings.data) == {"audit": None}


def test_without_a_log_of_events_no_vault_is_opened(settings: ServerSettings) -> None:
    assert open_server_vault(settings, {}) is None


def test_a_vault_that_has_what_the_logs_need_is_opened_and_owned(
    settings: ServerSettings, caplog: pytest.LogCaptureFixture
) -> None:
    make_vault(settings)
    mark = mark_after(settings, 3)

    with caplog.at_level(logging.WARNING):
        vault = open_server_vault(settings, {"audit": mark, "new": None})

    assert vault is not None
    assert vault.mark() == mark
    assert "root key beside the vault" in caplog.messages
    with pytest.raises(LockedError):
        open_server_vault(settings, {"audit": mark})
    vault.close()


@pytest.mark.parametrize("read_only", [False, True], ids=["writes", "reads"])
def test_a_vault_that_is_older_than_a_log_refuses_the_start(
    settings: ServerSettings, read_only: bool
) -> None:
    make_vault(settings)
    mark = mark_after(settings, 3)
    newer = VaultMark(mark.vault_id, 4, mark.chain)
    settings = settings.model_copy(update={"read_only": read_only})

    with pytest.raises(IntegrityError, match="the log b needs vault state 4, this vau"):
        open_server_vault(settings, {"a": mark, "b": newer})

    vault = open_server_vault(settings, {"a": mark})
    assert vault is not None
    vault.close()


def make_branch(settings: ServerSettings, copy: Path) -> VaultMark:
    """Take a backup, make one key more, and give the mark of that state.

    The backup is then brought back, and makes two keys of its own.
    """
    root, place = FileRoot(root_of(settings)), settings.data / "vault"
    back_up(place, root, copy, lambda *_: None)
    mark = mark_after(settings, 4)
    shutil.rmtree(place)
    restore(copy, place, root, lambda *_: None)
    vault = open_vault(place, root)
    vault.ensure([b"a drill", b"and another"])
    vault.close()
    return mark


@pytest.mark.parametrize("read_only", [False, True], ids=["writes", "reads"])
def test_a_copy_of_the_vault_that_went_on_by_itself_refuses_the_start(
    settings: ServerSettings, tmp_path: Path, read_only: bool
) -> None:
    make_vault(settings)
    mark_after(settings, 3)
    mark = make_branch(settings, tmp_path / "copy")
    settings = settings.model_copy(update={"read_only": read_only})

    with pytest.raises(IntegrityError, match="the log a needs vault state 4 of anothe"):
        open_server_vault(settings, {"a": mark})


def store_mark(settings: ServerSettings, mark: VaultMark) -> None:
    """Write the mark into the store of the log audit, as its last commit would."""
    place = store_directory(settings.data, "audit")
    with (
        lmdb.open(str(place), max_dbs=16, lib_version=0) as env,
        env.begin(write=True, db=env.open_db(META, create=False)) as write,
    ):
        write.put(VAULT, pack_vault(mark))


def test_a_backup_of_another_branch_is_not_brought_back(
    settings: ServerSettings, tmp_path: Path
) -> None:
    make_vault(settings)
    make_log(settings, "audit", EVENTS)
    mark_after(settings, 3)
    mark = make_branch(settings, tmp_path / "copy")
    store_mark(settings, mark)
    root, place = FileRoot(root_of(settings)), settings.data / "vault"
    back_up(place, root, tmp_path / "branch", lambda *_: None)
    shutil.rmtree(place)

    with pytest.raises(
        IntegrityError, match="log audit needs vault state 4 of another"
    ):
        restore_vault(settings, tmp_path / "branch", lambda *_: None)

    assert not place.exists()


def test_without_the_vault_or_its_key_a_server_that_writes_does_not_start(
    settings: ServerSettings,
) -> None:
    make_vault(settings)
    mark = mark_after(settings, 3)
    root_of(settings).rename(settings.data / "lost")
    with pytest.raises(WrongKeyError, match="without it no event can be read"):
        open_server_vault(settings, {"audit": mark})
    (settings.data / "lost").rename(root_of(settings))
    shutil.rmtree(settings.data / "vault")

    with pytest.raises(NotInitialisedError, match="no vault at"):
        open_server_vault(settings, {"audit": mark})


def test_without_the_root_key_a_server_that_only_reads_says_so_and_starts(
    settings: ServerSettings, caplog: pytest.LogCaptureFixture
) -> None:
    make_vault(settings)
    mark = mark_after(settings, 3)
    root_of(settings).unlink()
    settings = settings.model_copy(update={"read_only": True})

    with caplog.at_level(logging.WARNING):
        assert open_server_vault(settings, {"audit": mark}) is None

    assert caplog.messages == ["no vault"]


def test_a_backup_comes_back_where_no_log_needs_more(
    settings: ServerSettings, tmp_path: Path
) -> None:
    make_vault(settings)
    make_log(settings, "audit", EVENTS)
    mark = mark_after(settings, 3)
    root = FileRoot(root_of(settings))
    back_up(settings.data / "vault", root, tmp_path / "copy", lambda *_: None)
    shutil.rmtree(settings.data / "vault")

    copied = restore_vault(settings, tmp_path / "copy", lambda *_: None)

    assert copied.mark == mark
    assert mark_after(settings, 3) == mark
