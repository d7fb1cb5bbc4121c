"""The vault of a server: made before the first log of events, opened before all.

Each log of events tells, by its mark, which state of the vault its events depend on.  A
vault that was never in it, since it is older, a copy that went on by itself or another
one, refuses the start (D16): the keys of events that were answered are missing, and a
new key in their place would hide it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from tallystick_merkle.genesis import EVENTS
from tallystick_server.config.model import ServerSettings
from tallystick_server.errors import NotInitialisedError, UsageError, WrongKeyError
from tallystick_server.log.create import alone
from tallystick_server.log.paths import log_names, store_directory
from tallystick_server.ops.disk import share_filesystem
from tallystick_server.storage.base import VaultMark
from tallystick_server.storage.lmdb import open_store
from tallystick_server.vault.base import Vault, check_mark
from tallystick_server.vault.copying import Copied, OnStep, restore
from tallystick_server.vault.create import create_vault
from tallystick_server.vault.lmdb import LmdbVault
from tallystick_server.vault.opening import open_vault
from tallystick_server.vault.paths import root_path, vault_directory
from tallystick_server.vault.root import FileRoot, make_root

log = logging.getLogger(__name__)


def root_of(settings: ServerSettings) -> Path:
    """Where the root key of a server's vault is."""
    return root_path(settings.data, settings.vault_root)


def make_vault(settings: ServerSettings) -> Path | None:
    """Make the vault, where there is none, and its root key; both are durable.

    Gives the file of the root key when the vault was made, None when it was there.
    Raises UsageError where logs of events have lost theirs: a new one would not do.
    """
    directory, root = vault_directory(settings.data), root_of(settings)
    with alone(settings.data):
        if directory.exists():
            return None
        for name in read_marks(settings.data):
            raise UsageError(
                f"the log {name} needs the vault that is missing at {directory}; bring "
                "it back with: tallystick server vault restore"
            )
        make_root(root)
        create_vault(directory, FileRoot(root))
    return root


def open_server_vault(
    settings: ServerSettings, marks: Mapping[str, VaultMark | None]
) -> LmdbVault | None:
    """Open the vault for the logs of events, named with their marks.

    None without such a log.  A server that is read only opens it for reading beside its
    owner, and does without it where it or its key is not there: leaves, checkpoints and
    proofs need none.  Raises StartError or StoreError when it may not be used.
    """
    if not marks:
        return None
    directory = vault_directory(settings.data)
    try:
        vault = open_vault(
            directory, FileRoot(root_of(settings)), read_only=settings.read_only
        )
    except (NotInitialisedError, WrongKeyError) as error:
        if not settings.read_only:
            raise
        log.warning("no vault", extra={"why": str(error)})
        return None
    try:
        for name, mark in marks.items():
            if mark is not None:
                check_mark(vault, mark, needed_by=f"the log {name}")
        if share_filesystem(root_of(settings), directory):
            log.warning("root key beside the vault")
    except BaseException:
        vault.close()
        raise
    return vault


def read_marks(data: Path) -> dict[str, VaultMark | None]:
    """Give the marks of the logs of events that there are, by name.

    None for a log that holds no event yet.  Reads each store beside its writer.
    """
    marks = {}
    for name in log_names(data):
        with closing(open_store(store_directory(data, name), read_only=True)) as store:
            if store.about.kind == EVENTS:
                marks[name] = store.load().vault
    return marks


def restore_vault(settings: ServerSettings, source: Path, on_step: OnStep) -> Copied:
    """Bring a vault back from a backup that fits the logs of events that there are.

    Raises UsageError where there is a vault, IntegrityError for a backup that is older
    than a log needs, of another branch or damaged, WrongKeyError when the root key does
    not fit.
    """
    with alone(settings.data):
        marks = read_marks(settings.data)

        def check(vault: Vault) -> None:
            for name, mark in marks.items():
                if mark is not None:
                    check_mark(vault, mark, needed_by=f"the log {name}")

        directory, root = vault_directory(settings.data), FileRoot(root_of(settings))
        return restore(source, directory, root, on_step, check=check)
