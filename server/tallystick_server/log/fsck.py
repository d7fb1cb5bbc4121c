"""Check a whole log against nothing but its entries and its public key.

    meta       what the store says of itself is what entry 0 says
    entries    none missing, none beyond the last head
    rows       every node derived again and compared; none missing, none extra
    heads      every stored head: seal, signature, the root of its size, and the head
               that it stands on; times in order
    published  seal; its head is stored, it is signed, and the policy is met if given
    keys       seal; every idempotency key points into the log, each entry has one
    sides      in a log of events: the record of each event and its id (see `sidecheck`)

Events have no idempotency keys, entries of the server's own among them have.  Every
problem is named; what cannot be read is a problem too, and the check goes on.  Another
process may be writing: the log is checked up to the head that was the last one at the
beginning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tallystick_merkle.genesis import EVENTS
from tallystick_merkle.hashing import EMPTY_ROOT
from tallystick_merkle.keys import VerifierKey
from tallystick_merkle.policy import Policy
from tallystick_server.errors import IntegrityError
from tallystick_server.log.extras import ExtrasCheck
from tallystick_server.log.findings import MAX_LISTED, Findings, Kind, Problem
from tallystick_server.log.recordcheck import (
    HeadCheck,
    KeyCheck,
    check_genesis,
    check_published,
)
from tallystick_server.log.sidecheck import SideCheck
from tallystick_server.log.treecheck import TreeCheck
from tallystick_server.storage.base import Head, Published
from tallystick_server.storage.lmdb import LmdbStore
from tallystick_server.storage.records import (
    ENTRIES,
    HEADS,
    KEYS,
    unpack_index,
    unpack_linked_head,
    unpack_used_key,
)

_SLACK = 1024


@dataclass(frozen=True, slots=True)
class Known:
    """What a log is checked against, beside its entries.

    `next_key`, `recovery_key` and `policy` are checked where they are given.
    """

    key: VerifierKey
    next_key: VerifierKey | None = None
    recovery_key: VerifierKey | None = None
    policy: Policy | None = None


@dataclass(frozen=True, slots=True)
class FsckReport:
    """What a check found. `size` and `root` are those derived from the entries.

    `heads`, `keys` and `events` count those that there are.  `problems` lists
    the first ones, `counts` has all of them by kind.  `doubts` are idempotency keys
    whose digest cannot be derived, though their seal fits: a batch from which entries
    were refused has such a one, and so has a forged key; a damaged one is a problem.
    """

    size: int
    root: bytes
    heads: int
    keys: int
    problems: tuple[Problem, ...]
    counts: dict[Kind, int]
    doubts: tuple[Problem, ...]
    doubt_count: int
    events: int = 0

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong."""
        return not self.counts


def check_log(
    store: LmdbStore,
    known: Known,
    *,
    most: int = MAX_LISTED,
    on_progress: Callable[[int, int], None] | None = None,
) -> FsckReport:
    """Check a log; `on_progress` is told of the entries done, and of all there are.

    Lists at most `most` problems.  Raises StoreError when the machine fails.
    """
    return _Check(store, known, Findings(most)).run(on_progress)


class _Check:
    """One check of one log, part by part."""

    def __init__(self, store: LmdbStore, known: Known, findings: Findings) -> None:
        self._store = store
        self._known = known
        self._findings = findings

    def run(self, on_progress: Callable[[int, int], None] | None) -> FsckReport:
        """Run every part, and report."""
        published = self._read_published()  # first: the log may grow meanwhile
        last = self._last_head()
        heads = HeadCheck(self._known.key, self._findings, published=published)
        root = self._check_tree(last.size, heads, on_progress)
        self._check_genesis(last.size)
        if published is not None:
            check_published(
                published,
                heads.of_published,
                key=self._known.key,
                policy=self._known.policy,
                findings=self._findings,
            )
        events = self._check_sides(last.size)
        keys = KeyCheck(self._store, last, self._findings)
        self._check_keys(last.size, keys, expected=max(last.size - 1, 0) - events)
        return FsckReport(
            last.size,
            root,
            heads.count,
            keys.count,
            tuple(self._findings.problems),
            dict(self._findings.counts),
            tuple(keys.doubts.problems),
            keys.doubts.counts.total(),
            events,
        )

    def _read_published(self) -> Published | None:
        try:
            return self._store.published()
        except IntegrityError as error:
            self._report(Kind.PUBLISHED, str(error))
            return None

    def _last_head(self) -> Head:
        """Find the head to check up to: the last one that the entries can reach."""
        reach = 2 * self._store.count(ENTRIES) + _SLACK
        last = Head(0, EMPTY_ROOT, b"", 0)
        for head in self._heads(Findings()):  # reported when they are checked
            last = head if head.size <= reach else last
        if not last.size:
            self._report(Kind.HEAD, "no head is stored that the entries can reach")
        return last

    def _latest(self) -> int:
        """Give the size of the log now; 0 where that cannot be read."""
        try:
            head = self._store.last_head()
        except IntegrityError:
            return 0
        return head.size if head is not None else 0

    def _check_tree(
        self,
        size: int,
        heads: HeadCheck,
        on_progress: Callable[[int, int], None] | None,
    ) -> bytes:
        """Check entries, rows and heads in one pass; give the root."""
        tree = TreeCheck(self._store, size, self._findings, latest=self._latest)
        stored = self._heads(self._findings)
        head = next(stored, None)
        root = EMPTY_ROOT
        for prefix in tree.run():
            while head is not None and head.size <= prefix.size:
                heads.check(head, prefix.root(head.size))
                head = next(stored, None)
            root = prefix.root(prefix.size)
            if on_progress is not None:
                on_progress(prefix.size, size)
        while head is not None:
            if head.size > self._store.count(ENTRIES):
                text = f"head of size {head.size}: there are not so many entries"
                self._report(Kind.HEAD, text, size=head.size)
            head = next(stored, None)
        extras = ExtrasCheck(self._store, size, self._findings, latest=self._latest)
        extras.check_entries(missing=tree.missing_entries)
        extras.check_rows()
        extras.check_meta()
        return root

    def _check_genesis(self, size: int) -> None:
        try:
            entries = self._store.read_entries(0, min(size, 1))
        except IntegrityError:
            return  # reported as an entry
        for entry in entries:
            check_genesis(
                entry,
                self._store.about,
                key=self._known.key,
                next_key=self._known.next_key,
                recovery_key=self._known.recovery_key,
                findings=self._findings,
            )

    def _check_sides(self, size: int) -> int:
        """Check what is stored beside events; give how many there are."""
        if self._store.about.kind != EVENTS:
            return 0
        sides = SideCheck(self._store, size, self._findings, latest=self._latest)
        sides.run()
        return sides.events

    def _check_keys(self, size: int, keys: KeyCheck, *, expected: int) -> None:
        """Check every idempotency key, and for how many entries they stand."""
        for key, value in self._scan(KEYS, self._findings):
            try:
                used = unpack_used_key(key, value)
            except IntegrityError as error:
                self._report(Kind.KEY, f"{key!r}: {error}")
                continue
            if not size <= used.first < self._latest():  # committed meanwhile
                keys.check(key, used)
        if keys.covered != expected:
            text = f"idempotency keys stand for {keys.covered} entries of {expected}"
            self._report(Kind.KEY, text)

    def _heads(self, findings: Findings) -> Iterator[Head]:
        """Read the heads that can be read, sizes ascending; report the others.

        Each names the one before it: where another one comes, something is missing.
        """
        before = 0
        for key, value in self._scan(HEADS, findings):
            size = None
            try:
                size = unpack_index(key, table=HEADS)
                head, parent = unpack_linked_head(size, value)
            except IntegrityError as error:
                findings.add(Problem(Kind.HEAD, str(error), size=size))
            else:
                if parent != before:
                    text = f"head of size {size}: it stands on size {parent}, "
                    text += f"stored before it is size {before}"
                    findings.add(Problem(Kind.HEAD, text, size=size))
                yield head
            before = before if size is None else size

    def _scan(self, table: bytes, findings: Findings) -> Iterator[tuple[bytes, bytes]]:
        """Read the items of a table, as far as it can be read."""
        try:
            yield from self._store.scan(table)
        except IntegrityError as error:
            findings.add(Problem(Kind.STORE, str(error)))

    def _report(self, kind: Kind, text: str, *, size: int | None = None) -> None:
        self._findings.add(Problem(kind, text, size=size))
