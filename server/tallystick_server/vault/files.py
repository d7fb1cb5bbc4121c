"""Small files of the vault: written once, read whole, destroyed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tallystick_server.errors import IntegrityError, StoreError
from tallystick_server.storage.environment import sync_names
from tallystick_server.vault.generation import (
    MAX_FILE,
    Generation,
    format_generation,
    parse_generation,
)
from tallystick_server.vault.paths import GENERATION


def write_generation(directory: Path, generation: Generation) -> None:
    """Write the generation file, of mode 0600, into a directory; durable. StoreError.

    The name is durable as well when this returns.
    """
    path = directory / GENERATION
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
            file.write(format_generation(generation))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror}") from error
    sync_names(directory)


def read_generation(directory: Path) -> Generation:
    """Read the generation file of a directory.

    Raises IntegrityError when it is missing or damaged, UsageError for a newer format.
    """
    path = directory / GENERATION
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE + 1)
    except FileNotFoundError as error:
        raise IntegrityError(
            f"{path} is missing: without it the vault cannot be read; restore a backup "
            "of it"
        ) from error
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror}") from error
    try:
        return parse_generation(data)
    except ValueError as error:
        raise IntegrityError(
            f"{path} is damaged: {error}; restore a backup of the vault"
        ) from error


def destroy_generation(directory: Path) -> None:
    """Destroy a generation: first its keys, so that its rows are noise. StoreError.

    The key file is overwritten in its place and then removed.  A medium that writes
    elsewhere (flash, a file system that copies on write) may keep the old bytes: only
    the root key protects those.
    """
    path = directory / GENERATION
    try:
        if path.exists():
            with path.open("r+b") as file:
                file.write(bytes(path.stat().st_size))
                file.flush()
                os.fsync(file.fileno())
            path.unlink()
            sync_names(directory)
        shutil.rmtree(directory)
    except OSError as error:
        raise StoreError(f"cannot destroy {directory}: {error.strerror}") from error
    sync_names(directory.parent)
