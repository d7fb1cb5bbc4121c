"""Check the records beside the tree: heads, the published checkpoint, genesis, keys.

Each check names what is wrong and goes on.  Roots come from the tree that was derived
from the entries (see `treecheck`), never from what is stored.
"""

from __future__ import annotations

from tallystick_merkle.checkpoint import Checkpoint
from tallystick_merkle.cosignature import open_log_checkpoint
from tallystick_merkle.errors import KernelError, MalformedError
from tallystick_merkle.exchange.appending import MAX_BATCH
from tallystick_merkle.genesis import key_commitment, parse_genesis
from tallystick_merkle.keys import VerifierKey
from tallystick_merkle.policy import Policy, judge
from tallystick_merkle.tile import format_bundle
from tallystick_server.errors import IntegrityError
from tallystick_server.log.digests import batch_digest, entry_digest
from tallystick_server.log.findings import Findings, Kind, Problem
from tallystick_server.storage.base import Head, LogStore, Published, UsedKey
from tallystick_server.storage.records import About


class HeadCheck:
    """Checks signed heads in the order of their sizes, and remembers one of them."""

    def __init__(
        self, key: VerifierKey, findings: Findings, *, published: Published | None
    ) -> None:
        """Check heads signed by `key`; keep the one of the published size."""
        self._key = key
        self._findings = findings
        self._published = published
        self._time_ms = 0
        self.count = 0
        self.of_published: Head | None = None

    def check(self, head: Head, root: bytes) -> None:
        """Compare a stored head with the root derived for its size."""
        self.count += 1
        for text in self._faults(head, root):
            self._findings.add(Problem(Kind.HEAD, text, size=head.size))
        self._time_ms = max(self._time_ms, head.time_ms)
        if self._published is not None and self._published.size == head.size:
            self.of_published = head

    def _faults(self, head: Head, root: bytes) -> list[str]:
        place = f"head of size {head.size}"
        faults = []
        if head.root != root:
            faults.append(f"{place}: its root is not that of the entries")
        if head.time_ms < self._time_ms:
            faults.append(f"{place}: it is older than the head before it")
        found = self._open(head)
        if isinstance(found, str):
            faults.append(f"{place}: {found}")
        elif found != Checkpoint(self._key.name, head.size, root):
            faults.append(
                f"{place}: signed is size {found.size} and a root that is "
                f"{'' if found.root == root else 'not '}that of the entries"
            )
        return faults

    def _open(self, head: Head) -> Checkpoint | str:
        """Give the checkpoint of a head that the log signed, or what is wrong."""
        try:
            opened = open_log_checkpoint(
                head.note, origin=self._key.name, log_keys=(self._key,)
            )
        except KernelError as error:
            return str(error)
        return opened.checkpoint


def check_published(
    published: Published,
    head: Head | None,
    *,
    key: VerifierKey,
    policy: Policy | None,
    findings: Findings,
) -> None:
    """Check the published checkpoint; `head` is the stored head of its size."""
    place = f"published checkpoint of size {published.size}"

    def report(text: str) -> None:
        problem = Problem(Kind.PUBLISHED, f"{place}: {text}", size=published.size)
        findings.add(problem)

    if head is None:
        report("no head of that size is stored")
    elif published.time_ms < head.time_ms:
        report("it is older than its head")
    try:
        opened = open_log_checkpoint(published.note, origin=key.name, log_keys=(key,))
        if head is not None and opened.checkpoint != Checkpoint(
            key.name, head.size, head.root
        ):
            report("it does not say what its head says")
        if policy is not None:
            judge(published.note, policy, origin=key.name).require_met()
    except KernelError as error:
        report(str(error))


def check_genesis(
    entry: bytes,
    about: About,
    *,
    key: VerifierKey,
    next_key: VerifierKey | None,
    recovery_key: VerifierKey | None,
    findings: Findings,
) -> None:
    """Check entry 0 against what the store says of itself, and the keys given."""

    def report(kind: Kind, text: str) -> None:
        findings.add(Problem(kind, text, index=0))

    try:
        genesis = parse_genesis(entry)
    except MalformedError as error:
        report(Kind.GENESIS, f"entry 0: {error}")
        return
    if genesis.origin != key.name:
        report(
            Kind.GENESIS,
            f"entry 0 is of {genesis.origin!r}, the key is of {key.name!r}",
        )
    said = About(genesis.kind, genesis.origin, genesis.time_ms)
    if about != said:
        report(Kind.META, f"the store says {about}, entry 0 says {said}")
    if next_key is not None and key_commitment(next_key) != genesis.next_key:
        report(Kind.GENESIS, "the next key is not the one that entry 0 commits to")
    if recovery_key is not None and key_commitment(recovery_key) != (
        genesis.recovery_key
    ):
        report(Kind.GENESIS, "the recovery key is not the one that entry 0 commits to")


class KeyCheck:
    """Checks idempotency keys: where they point, and what of.

    `count` counts the keys, `covered` the entries they stand for.  `doubts` are keys
    whose digest cannot be derived from their entries: of a batch from which entries
    were refused, or forged.  A damaged one has a seal that does not fit.
    """

    def __init__(self, store: LogStore, head: Head, findings: Findings) -> None:
        """Check keys of the log that ends with `head`."""
        self._store = store
        self._head = head
        self._findings = findings
        self.doubts = Findings()
        self.count = 0
        self.covered = 0

    def check(self, key: bytes, used: UsedKey) -> None:
        """Check one key."""
        self.count += 1
        stop = used.first + used.count
        if not (
            used.first and 1 <= used.count <= MAX_BATCH and stop <= self._head.size
        ):
            text = f"it stands for entries [{used.first}, {stop}), which cannot be"
            self._findings.add(_problem(key, used, text))
            return
        self.covered += used.count
        if used.time_ms > self._head.time_ms:
            text = "it is later than the last head"
            self._findings.add(_problem(key, used, text))
        try:
            entries = self._store.read_entries(used.first, stop)
        except IntegrityError:
            return  # reported where the entries are checked
        if used.digest not in _digests(entries):
            text = "its digest is not that of its entries"
            self.doubts.add(_problem(key, used, text))


def _problem(key: bytes, used: UsedKey, text: str) -> Problem:
    return Problem(Kind.KEY, f"idempotency key {key!r}: {text}", index=used.first)


def _digests(entries: list[bytes]) -> set[bytes]:
    """Give the digests that a request for these entries can have had."""
    digests = {batch_digest(format_bundle(entries))}
    if len(entries) == 1:
        digests.add(entry_digest(entries[0]))
    return digests
