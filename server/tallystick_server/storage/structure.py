"""Check the structure of a store's file without opening it.

LMDB trusts its file: a damaged page can end the process that reads it.  This reads the
file as bytes, so that damage is named instead.  It is for a file that nobody writes.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from tallystick_server.storage.environment import DATA_FILE


def check_structure(directory: Path) -> list[str]:
    """Name what is wrong with the file of the store in `directory`; [] for nothing.

    Every page is reached exactly once or free, keys are in order, counts are right.
    What the values say is not looked at.  A file that is missing or unreadable is a
    problem as well.
    """
    verifier = import_module("lmdb.verify")  # its functions carry no types
    file = directory / DATA_FILE
    try:
        problems: list[str] = verifier.verify(str(directory))
    except OSError as error:
        return [f"{file} cannot be read: {error.strerror}"]
    except verifier.VerifyError as error:
        return [f"{file}: {error}"]
    return [f"{file}: {text}" for text in problems]
