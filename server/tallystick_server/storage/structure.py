"""Check the structure of a store's file without opening it.

LMDB trusts its file: a damaged page can end the process that reads it.  This reads the
file as bytes, so that damage is named instead.  It is for a file that nobody writes.

Reading a page behind the end of the file kills the process as well.  Only pages at the
end that are free may be missing: a commit that took and freed them never wrote them.

The file begins with two meta pages, which the commits write in turn; the one with the
higher number counts.  So the numbers are neighbours, always: where they are not, one of
them has rotted, and the engine may have gone back by a commit without a word.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from struct import Struct

from tallystick_server.errors import IntegrityError, StoreError
from tallystick_server.storage.environment import DATA_FILE

_TRIES = 3
_PAGE_SIZE = Struct("=40xI")
"""Where a meta page of LMDB 0.9 says how long a page is."""
_NUMBER = Struct("=144xQ")
"""Where it has the number of its commit."""


def check_structure(directory: Path) -> list[str]:
    """Name what is wrong with the file of the store in `directory`; [] for nothing.

    Every page is reached exactly once or free, keys are in order, counts are right, and
    the meta pages are of neighbouring commits.  What the values say is not looked at.
    A file that is missing or unreadable is a problem as well.
    """
    try:
        return _walk(directory)
    except (IntegrityError, StoreError) as error:
        return [str(error)]


def require_structure(directory: Path) -> None:
    """Raise IntegrityError unless the structure of the file is sound.

    For whoever is going to write: on a damaged list of free pages a commit would
    overwrite pages that are in use.  Some 160 MB are walked in a second.
    """
    if problems := _walk(directory):
        raise IntegrityError(
            f"the structure of the store is damaged, nothing may be written to it: "
            f"{problems[0]} ({len(problems)} findings); restore a backup"
        )


def _walk(directory: Path) -> list[str]:
    """Name what is wrong with a file; raise for one that cannot be walked at all."""
    verifier = import_module("lmdb.verify")  # its functions carry no types
    file = directory / DATA_FILE
    try:
        problems: list[str] = verifier.verify(str(directory))
        problems += _check_turns(file)
    except OSError as error:
        raise StoreError(f"{file} cannot be read: {error.strerror}") from error
    except verifier.VerifyError as error:
        raise IntegrityError(f"{file} is not a log's file: {error}") from error
    return [f"{file}: {text}" for text in problems]


def _check_turns(file: Path) -> list[str]:
    """Compare the numbers of the two meta pages, which were found to be such."""
    with file.open("rb") as data:
        first = data.read(_NUMBER.size)
        data.seek(_PAGE_SIZE.unpack_from(first)[0])
        second = data.read(_NUMBER.size)
    if len(second) < _NUMBER.size:  # of another engine, which opening refuses
        return []
    numbers = [_NUMBER.unpack(page)[0] for page in (first, second)]
    if abs(numbers[0] - numbers[1]) == 1 or not any(numbers):  # or never written
        return []
    return [f"the meta pages are of commits {numbers[0]} and {numbers[1]}"]


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
