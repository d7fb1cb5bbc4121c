"""Check the structure of a store's file without opening it.

LMDB trusts its file: a damaged page can end the process that reads it.  This reads the
file as bytes, so that damage is named instead.  It is for a file that nobody writes.

Reading a page behind the end of the file kills the process as well.  Only pages at the
end that are free may be missing: a commit that took and freed them never wrote them.

The file begins with two meta pages, which the commits write in turn; the one with the
higher number counts.  Where a bit of a number rots, the engine may go back by a commit
without a word: so the two pages are held against each other.

One harmless state looks like that rot.  When the write of a meta page itself fails,
LMDB takes the commit back: it writes the page again with the number before, over the
roots of the commit that failed.  Whether that commit was ever told to anybody, only an
anchor or witnesses know.  So the state is taken where one of them is asked afterwards.
"""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from struct import Struct
from typing import Any

from tallystick_server.errors import IntegrityError, StoreError
from tallystick_server.storage.environment import DATA_FILE

_TRIES = 3
_PAGE = Struct("=Q")
_NO_PAGE = 2**64 - 1


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


def require_structure(directory: Path, *, is_watched: bool = False) -> None:
    """Raise IntegrityError unless the structure of the file is sound.

    For whoever is going to write: on a damaged list of free pages a commit would
    overwrite pages that are in use.  Some 160 MB are walked in a second.  `is_watched`
    says that an anchor or witnesses will be asked whether the last commit is missing.
    """
    if problems := _walk(directory, is_watched=is_watched):
        raise IntegrityError(
            f"the structure of the store is damaged, nothing may be written to it: "
            f"{problems[0]} ({len(problems)} findings); restore a backup"
        )


def _walk(directory: Path, *, is_watched: bool = False) -> list[str]:
    """Name what is wrong with a file; raise for one that cannot be walked at all."""
    verifier = import_module("lmdb.verify")  # its functions carry no types
    file = directory / DATA_FILE
    try:
        with file.open("rb") as data:
            size = os.fstat(data.fileno()).st_size
            walked = verifier._Verifier(data, size)  # noqa: SLF001 -- its findings are kept
            problems: list[str] = walked.verify()
            problems += _check_turns(walked, is_watched)
    except OSError as error:
        raise StoreError(f"{file} cannot be read: {error.strerror}") from error
    except verifier.VerifyError as error:
        raise IntegrityError(f"{file} is not a log's file: {error}") from error
    return [f"{file}: {text}" for text in problems]


def _check_turns(
    walked: Any,  # noqa: ANN401 -- the walker has no types
    is_watched: bool,
) -> list[str]:
    """Hold the two meta pages against each other, once the file has been walked.

    They are of neighbouring commits; and the newer commit lists the root page of the
    older one among those that it has freed.  So neither number can rot unseen.
    """
    newer = walked.meta
    place = 0 if newer.pgno else 1
    older = walked._read_meta(place, walked.psize)  # noqa: SLF001 -- as above
    if not newer.txnid:  # nothing was ever written
        return []
    if older.txnid + 1 != newer.txnid:
        return [f"the meta pages are of commits {older.txnid} and {newer.txnid}"]
    freed = b"".join(
        data[8:] for number, data in walked.free_records if number == newer.txnid
    )
    root = older.main.root
    if root in {page for (page,) in _PAGE.iter_unpack(freed)} or root == _NO_PAGE:
        return []
    if is_watched and older.last_pg <= newer.last_pg:
        return []  # as LMDB leaves a commit that it took back
    finding = (
        f"the meta page of commit {older.txnid} is not of the one before the last: a "
        "commit was taken back, by a write that failed or by a number that rotted; an "
        "anchor or witnesses would tell which"
    )
    return [finding]


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
