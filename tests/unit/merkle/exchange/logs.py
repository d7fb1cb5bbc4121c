"""A log in memory, its policy, and judged heads of it."""

from collections.abc import Iterable

from tallystick_merkle.exchange.reading import TileReader
from tallystick_merkle.keys import KeyType, format_vkey
from tallystick_merkle.policy import Judged, Policy, judge, parse_policy
from tests.fakes.memory_log import MemoryLog
from tests.unit.merkle.people import key

ORIGIN = "log.example/audit"
LOG_KEY = key(ORIGIN, KeyType.ED25519, 1)
WITNESSES = (
    key("witness.example/1", KeyType.COSIGNATURE, 2),
    key("witness.example/2", KeyType.MLDSA44, 3),
)
POLICY: Policy = parse_policy(
    "\n".join(
        [
            f"log {format_vkey(LOG_KEY.verifier)}",
            f"witness a {format_vkey(WITNESSES[0].verifier)}",
            f"witness b {format_vkey(WITNESSES[1].verifier)}",
            "group both all a b",
            "quorum both",
        ]
    ).encode()
)


def numbered(start: int, stop: int) -> list[bytes]:
    """The entries "entry-<start>" and on."""
    return [b"entry-%d" % index for index in range(start, stop)]


def log_of(size: int, *, entries: Iterable[bytes] | None = None) -> MemoryLog:
    """A log of so many numbered entries, published."""
    log = MemoryLog(
        key=LOG_KEY,
        witnesses=WITNESSES,
        entries=numbered(0, size) if entries is None else entries,
    )
    log.publish()
    return log


def forked(size: int, at: int) -> MemoryLog:
    """A published log like `log_of(size)` up to `at`, another from there."""
    log = log_of(at)
    log.append(b"forked-%d" % index for index in range(at, size))
    log.publish()
    return log


def judged(note: bytes) -> Judged:
    """A head under the policy."""
    return judge(note, POLICY, origin=ORIGIN)


def reader_of(log: MemoryLog) -> TileReader:
    """A fresh reader of a log's tiles."""
    return TileReader(log.address.read_url + "/")


def flipped(data: bytes, at: int) -> bytes:
    """The same bytes with one bit changed."""
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
