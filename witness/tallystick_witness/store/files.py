"""The store's directory: made whole or not at all, looked at before it is opened.

A power cut while LMDB creates its file can leave one that it cannot read.  So a store
is made under another name, synced, and renamed into place: its name says that it is
whole.  Before it is opened to sign, the pages that the last process left in the cache
are written out and dropped, so that what is verified is what the device holds (D10),
and the structure is walked without the engine, which trusts its file blindly.  The
file begins with two meta pages, written in turn: they are held against each other, for
a number that has rotted would take the last head back without a word.
"""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from struct import Struct
from typing import Any

import lmdb
import lmdb.verify

from tallystick_witness.errors import IntegrityError, NotInitialisedError
from tallystick_witness.filesystem import drop_cache, sync_file, sync_folder
from tallystick_witness.state import Identity
from tallystick_witness.store.lmdb import LmdbStore, create_tables

_DATA = "data.mdb"
_TRIES = 3
_PAGE = Struct("=Q")
_NO_PAGE = 2**64 - 1

# The library's verifier carries no types.
_verify: Any = import_module("lmdb.verify")


def create_store(path: Path, identity: Identity) -> None:
    """Make a new store at `path`; durable when this returns.

    Requires that nothing is there, and the caller's lock on the data directory.
    """
    unfinished = path.with_name(f".{path.name}.unfinished")
    _remove(unfinished)
    unfinished.mkdir(mode=0o700)
    create_tables(unfinished, identity)
    sync_file(unfinished / _DATA)
    sync_folder(unfinished)
    # From the rename on, the store exists; the folder above makes the name durable.
    unfinished.rename(path)
    sync_folder(path.parent)


def check_files(path: Path) -> None:
    """Raise NotInitialisedError unless there is a store at `path`, not an empty file.

    LMDB would take a missing or an empty file for a new store.
    """
    try:
        size = (path / _DATA).stat().st_size
    except OSError as error:
        raise NotInitialisedError(
            f"not initialised: there is no witness store at {path}; "
            "run: tallystick witness init"
        ) from error
    if size == 0:
        raise NotInitialisedError(
            f"not initialised: {path / _DATA} is empty; restore the store, "
            "a witness never starts from scratch"
        )


def check_structure(path: Path, *, is_anchored: bool = False) -> None:
    """Read the file from the device and walk it; raise IntegrityError if it is broken.

    Another process may follow a log meanwhile, so a finding must last.  `is_anchored`
    says that an anchor will be asked whether the last commit is missing.
    """
    problems: list[str] = []
    for _ in range(_TRIES):
        drop_cache(path / _DATA)
        problems = _find_problems(path, is_anchored)
        if not problems:
            return
    raise IntegrityError(f"the store {path} is corrupt: {problems[0]}")


def open_store(path: Path) -> LmdbStore:
    """Open the store at `path` for this process."""
    check_files(path)
    return LmdbStore(path)


def _find_problems(path: Path, is_anchored: bool) -> list[str]:
    try:
        with (path / _DATA).open("rb") as data:
            size = os.fstat(data.fileno()).st_size
            walked = _verify._Verifier(data, size)  # noqa: SLF001 -- its findings are kept
            problems: list[str] = walked.verify()
            return problems or _check_turns(walked, is_anchored)
    except lmdb.verify.VerifyError as error:
        return [str(error)]


def _check_turns(
    walked: Any,  # noqa: ANN401 -- the walker has no types
    is_anchored: bool,
) -> list[str]:
    """Hold the two meta pages against each other, once the file has been walked.

    They are of neighbouring commits; and the newer commit lists the root page of the
    older one among those that it has freed.  So neither number can rot unseen.

    One harmless state looks like that rot: when the write of a meta page itself fails,
    LMDB takes the commit back, and writes the page again with the number before, over
    the roots of the commit that failed.  Whether its head was released, only an anchor
    knows; so the state is taken where one is asked afterwards.
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
    if is_anchored and older.last_pg <= newer.last_pg:
        return []  # as LMDB leaves a commit that it took back
    finding = (
        f"the meta page of commit {older.txnid} is not of the one before the last: a "
        "commit was taken back, by a write that failed or by a number that rotted; an "
        "anchor would tell which: begin one with --new-anchor only if nothing that was "
        "answered last is missing"
    )
    return [finding]


def _remove(folder: Path) -> None:
    """Remove what a cut-short creation left behind."""
    if folder.exists():
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()
