"""Check the structure of a store's file without opening it.

LMDB trusts its file: a damaged page can end the process that reads it.  This reads the
file as bytes, so that damage is named instead.  It is for a file that nobody writes.

Reading a page behind the end of the file kills the process as well.  Only pages at the
end that are free may be missing: a commit that took and freed them never wrote them.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from tallystick_server.errors import IntegrityError
from tallystick_server.storage.environment import DATA_FILE

_TRIES = 3


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


def check_length(directory: Path, *, pages: int, page: int) -> None:
    """Raise IntegrityError unless the file holds every page in use of its `pages`.

    `pages` is to be read before this is called: beside a writer the file may grow.
    Then a walk may also cross a commit, so a finding must last.
    """
    size = (directory / DATA_FILE).stat().st_size
    if size >= pages * page:
        return
    problems: list[str] = []
    for _ in range(_TRIES):
        problems = check_structure(directory)
        if not problems:
            return
    raise IntegrityError(
        f"the data file has {size} bytes and is cut short: its pages take "
        f"{pages * page}; restore a backup ({problems[0]})"
    )
