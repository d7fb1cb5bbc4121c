"""A log and a witness to play with: everything in memory, every choice repeatable."""

from collections.abc import Callable
from dataclasses import dataclass, field

from tallystick_merkle.checkpoint import Checkpoint, format_checkpoint
from tallystick_merkle.cosignature import cosign
from tallystick_merkle.hashing import leaf_hash
from tallystick_merkle.keys import KeyType, SigningKey, VerifierKey, make_signing_key
from tallystick_merkle.note import Note, Signature, format_note, sign_note
from tallystick_merkle.witnessing import (
    AddCheckpoint,
    format_add_checkpoint,
    origin_hash,
)
from tallystick_witness.anchor import Anchor, NoAnchor
from tallystick_witness.clock import SetClock, Timekeeper
from tallystick_witness.keyring import identify
from tallystick_witness.service import Witness
from tallystick_witness.state import FollowedLog, LogState
from tallystick_witness.store.base import WitnessStore
from tallystick_witness.store.memory import MemoryStore
from tests.reference.rfc6962 import Tree

NOW_S = 1_700_000_000
ORIGIN = "log.example/one"

ED_KEY = make_signing_key(
    name="witness.example/w1", type=KeyType.COSIGNATURE, seed=b"\x07" * 32
)
ML_KEY = make_signing_key(
    name="witness.example/w1", type=KeyType.MLDSA44, seed=b"\x08" * 32
)
KEYS = (ED_KEY, ML_KEY)
OWN = tuple(key.verifier for key in KEYS)


class LogTwin:
    """A log that signs whatever it is asked to, lies included."""

    def __init__(
        self,
        origin: str = ORIGIN,
        *,
        salt: bytes = b"",
        size: int = 64,
        kind: KeyType = KeyType.ED25519,
    ) -> None:
        self.origin = origin
        self.key: SigningKey = make_signing_key(
            name=origin, type=kind, seed=b"\x01" * 32
        )
        leaves = [leaf_hash(salt + b"%d" % index) for index in range(size)]
        self.tree = Tree(leaves)

    @property
    def vkey(self) -> VerifierKey:
        return self.key.verifier

    @property
    def place(self) -> str:
        return origin_hash(self.origin)

    def head(self, size: int) -> Checkpoint:
        return Checkpoint(self.origin, size, self.tree.root(size))

    def line(self, checkpoint: Checkpoint) -> Signature:
        if self.key.type is KeyType.ED25519:
            return sign_note(format_checkpoint(checkpoint), self.key)
        return cosign(checkpoint, self.key, time_s=NOW_S)

    def sign(self, checkpoint: Checkpoint) -> Note:
        return Note(format_checkpoint(checkpoint), (self.line(checkpoint),))

    def note(self, size: int) -> bytes:
        return format_note(self.sign(self.head(size)))

    def proof(self, old: int, new: int) -> tuple[bytes, ...]:
        return tuple(self.tree.proof(old, new)) if 0 < old < new else ()

    def request(self, old: int, new: int) -> bytes:
        return ask(old, self.proof(old, new), self.note(new))

    def followed(self) -> FollowedLog:
        return FollowedLog(self.vkey, LogState.ACTIVE, NOW_S)


def ask(old: int, proof: tuple[bytes, ...], note: bytes) -> bytes:
    """Write the body of a request."""
    return format_add_checkpoint(AddCheckpoint(old, proof, note))


@dataclass
class World:
    """A witness that follows one log, with all that it stands on."""

    log: LogTwin = field(default_factory=LogTwin)
    keys: tuple[SigningKey, ...] = KEYS
    clock: SetClock = field(default_factory=lambda: SetClock(NOW_S * 1000))
    anchor: Anchor = field(default_factory=NoAnchor)
    has_room: Callable[[], bool] = lambda: True
    is_alone: Callable[[], bool] = lambda: True
    store: WitnessStore = field(default_factory=lambda: MemoryStore(identify(KEYS)))

    def __post_init__(self) -> None:
        if self.store.find(self.log.place) is None:
            self.store.follow(self.log.followed())
        self.witness = self.start()

    def start(self) -> Witness:
        """Start a witness (again) on the same store."""
        return Witness(
            keys=self.keys,
            store=self.store,
            anchor=self.anchor,
            timekeeper=Timekeeper(self.clock),
            has_room=self.has_room,
            is_alone=self.is_alone,
        )

    def size(self) -> int:
        """The size that is stored for the log, -1 if none."""
        log = self.store.find(self.log.place)
        return log.head.size if log and log.head else -1
