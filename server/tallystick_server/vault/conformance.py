"""The suite that every vault passes.

A vault's test runs each case of CASES with a Bench that makes vaults of its kind.  A
case raises AssertionError, or lets a wrong error through.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from tallystick_server.errors import IntegrityError, StoreError
from tallystick_server.storage.base import VaultMark
from tallystick_server.vault.base import (
    ID_SIZE,
    KID_SIZE,
    MAX_NAMES,
    NO_KEYS,
    SECRET_SIZE,
    Vault,
    check_mark,
)


class Bench(Protocol):
    """Makes vaults of one kind."""

    def create(self) -> Vault:
        """Make an empty vault, and open it."""
        ...

    def reopen(self, vault: Vault) -> Vault:
        """Close a vault and open it again."""
        ...


def check_empty(bench: Bench) -> None:
    """A new vault has an id of its own and no key."""
    vault, other = bench.create(), bench.create()
    assert len(vault.id) == ID_SIZE
    assert vault.id != other.id
    assert vault.count == 0
    assert vault.mark() == VaultMark(vault.id, 0, NO_KEYS)
    assert vault.find([b"nobody"]) == {}
    assert vault.by_kid([bytes(KID_SIZE)]) == {}


def check_made_once(bench: Bench) -> None:
    """A name gets one key for ever, a different one from any other name's."""
    vault = bench.create()
    first = vault.ensure([b"ann", b"bob", b"ann"])
    assert set(first) == {b"ann", b"bob"}
    again = vault.ensure([b"bob", b"ann", b"eve"])
    assert {name: again[name] for name in first} == first
    parts = [part for key in again.values() for part in (key.dek, key.secret)]
    assert len(set(parts)) == len(parts)
    assert {len(part) for part in parts} == {SECRET_SIZE}
    assert len({key.kid for key in again.values()}) == len(again)
    assert {len(key.kid) for key in again.values()} == {KID_SIZE}


def check_counted(bench: Bench) -> None:
    """What was made is counted, what was there is not."""
    vault = bench.create()
    for names, count in (([b"a", b"b"], 2), ([b"b"], 2), ([], 2), ([b"b", b"c"], 3)):
        vault.ensure(names)
        assert vault.count == count
        mark = vault.mark()
        assert (mark.vault_id, mark.count) == (vault.id, count)
        assert vault.chain_at(count) == mark.chain


def check_found(bench: Bench) -> None:
    """A key is found by its name and by its id; what is not there is left out."""
    vault = bench.create()
    made = vault.ensure([b"", b"ann", bytes(2000)])
    assert vault.find([*made, b"anna", b"an", b"\0"]) == made
    kids = [key.kid for key in made.values()]
    other = bytes(value ^ 255 for value in kids[0])
    found = vault.by_kid([*kids, other, b"", b"short", bytes(600)])
    assert found == {key.kid: key for key in made.values()}


def check_kept(bench: Bench) -> None:
    """A restart changes nothing."""
    vault = bench.create()
    made, mark = vault.ensure([b"ann", b"bob"]), vault.mark()
    vault = bench.reopen(vault)
    assert vault.mark() == mark
    assert vault.find(list(made)) == made
    assert vault.ensure([b"ann"]) == {b"ann": made[b"ann"]}
    assert vault.count == mark.count


def check_marks(bench: Bench) -> None:
    """Every mark that the vault gave fits for ever; one that it never gave does not."""
    vault = bench.create()
    marks = [vault.mark()]
    for names in ([b"ann", b"bob"], [b"eve", b"ann"], [b"ann"], [b"joe"]):
        vault.ensure(names)
        marks.append(vault.mark())
    last = marks[-1]
    assert [mark.count for mark in marks] == [0, 2, 3, 3, 4]
    assert len({mark.chain for mark in marks}) == 4
    vault = bench.reopen(vault)
    for mark in marks:
        check_mark(vault, mark, needed_by="the log audit")
    for wrong in (
        replace(last, count=5),
        replace(last, vault_id=bytes(ID_SIZE)),
        replace(last, chain=marks[0].chain),
        replace(last, count=1),
        replace(last, count=3),
    ):
        _refuses(vault, wrong)


def check_branches(bench: Bench) -> None:
    """Keys are told by their ids: as many other keys are another state."""
    one, other = bench.create(), bench.create()
    for vault in (one, other):
        vault.ensure([b"ann"])
    assert one.mark().chain != other.mark().chain
    _refuses(one, replace(other.mark(), vault_id=one.id))


def check_bounded(bench: Bench) -> None:
    """Too many names at once are refused, and nothing is made."""
    vault = bench.create()
    try:
        vault.ensure([b"%d" % number for number in range(MAX_NAMES + 1)])
    except StoreError:
        assert vault.count == 0
    else:
        raise AssertionError("took too many names")


def check_threads(bench: Bench) -> None:
    """Threads that ask for the same names are given the same keys."""
    vault = bench.create()
    given: list[dict[bytes, bytes]] = []

    def ask(number: int) -> None:
        names = [b"%d" % name for name in range(number, number + 10)]
        kids = {name: key.kid for name, key in vault.ensure(names).items()}
        given.append(kids)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(given) == len(threads)
    kids = {name: kid for part in given for name, kid in part.items()}
    assert all(kids[name] == kid for part in given for name, kid in part.items())
    assert vault.count == len(kids) == len(set(kids.values())) == 17


def check_silent(bench: Bench) -> None:
    """Neither a vault nor a key shows a secret or a name in its text."""
    vault = bench.create()
    key = vault.ensure([b"ann.example"])[b"ann.example"]
    for text in (repr(key), str(key), repr(vault), str(vault)):
        for secret in (key.dek, key.secret, b"ann.example"):
            assert repr(secret)[2:-1] not in text
            assert secret.hex() not in text


def check_closed(bench: Bench) -> None:
    """Nothing can be asked of a vault that is closed."""
    vault = bench.create()
    vault.ensure([b"ann"])
    vault.close()
    asks: tuple[Callable[[], object], ...] = (
        lambda: vault.ensure([b"bob"]),
        lambda: vault.find([b"ann"]),
        lambda: vault.by_kid([bytes(KID_SIZE)]),
        vault.mark,
        lambda: vault.chain_at(0),
    )
    for ask in asks:
        try:
            ask()
        except StoreError:
            continue
        raise AssertionError("a closed vault answered")


def _refuses(vault: Vault, mark: VaultMark) -> None:
    try:
        check_mark(vault, mark, needed_by="the log audit")
    except IntegrityError as error:
        assert "the log audit needs" in str(error)  # noqa: PT017 -- pytest is not here
    else:
        raise AssertionError(f"took {mark}")


CASES: tuple[Callable[[Bench], None], ...] = (
    check_empty,
    check_made_once,
    check_counted,
    check_found,
    check_kept,
    check_marks,
    check_branches,
    check_bounded,
    check_threads,
    check_silent,
    check_closed,
)
"""Every case."""
