"""Targets: tiles, bundles and proofs, from bytes that somebody else chose."""

from __future__ import annotations

from contextlib import suppress
from itertools import pairwise

from tallystick_merkle.audit import take_entries
from tallystick_merkle.errors import KernelError
from tallystick_merkle.frontier import EMPTY_EDGE
from tallystick_merkle.hashing import HASH_SIZE
from tallystick_merkle.proof import (
    check_consistency,
    check_inclusion,
    plan_consistency,
    plan_inclusion,
)
from tallystick_merkle.rangeproof import RangeTree, range_shape
from tallystick_merkle.tile import (
    format_bundle,
    format_tile_path,
    parse_bundle,
    parse_tile_path,
)
from tallystick_merkle.tilewalk import nodes_from, tiles_for
from tests.fuzz.target import Target, check_spelling

_WORD = 9
_MOST_LEAVES = 600


def tile_path(data: bytes) -> None:
    """The path of a tile or bundle."""
    with suppress(KernelError):
        tile = parse_tile_path(data.decode("utf-8", "surrogateescape"))
        check_spelling(data, format_tile_path(tile).encode())


def bundle(data: bytes) -> None:
    """An entry bundle, hashed as an auditor does."""
    with suppress(KernelError):
        entries = parse_bundle(data)
        check_spelling(data, format_bundle(entries))
        take_entries(EMPTY_EDGE, entries, bytes(HASH_SIZE * len(entries)))


def batch(data: bytes) -> None:
    """The body of a batch: a bundle of up to 10,000 entries."""
    with suppress(KernelError):
        check_spelling(data, format_bundle(parse_bundle(data, most=10_000)))


def tile_hashes(data: bytes) -> None:
    """A hash tile of any length, as the node of a proof is taken from it."""
    (index, size), rest = _numbers(data, 2)
    with suppress(KernelError):
        nodes = plan_inclusion(index=index, size=size).nodes
        served = {(tile.level, tile.index): rest for tile in tiles_for(nodes, size)}
        nodes_from(nodes, served)


def proofs(data: bytes) -> None:
    """Numbers and hashes of an inclusion and of a consistency proof."""
    (first, second), rest = _numbers(data, 2)
    hashes = _hashes(rest)
    root = hashes[0] if hashes else b""
    with suppress(KernelError):
        plan_inclusion(index=first, size=second)
        check_inclusion(index=first, size=second, leaf=root, path=hashes[1:], root=root)
    with suppress(KernelError):
        plan_consistency(old=first, new=second)
        check_consistency(
            old=first, new=second, old_root=root, new_root=root, proof=hashes[1:]
        )


def range_proof(data: bytes) -> None:
    """Numbers, leaves and hashes of a range proof."""
    (start, count, size), rest = _numbers(data, 3)
    hashes = _hashes(rest)
    count %= _MOST_LEAVES
    with suppress(KernelError):
        shape = range_shape(start=start, stop=start + count, size=size)
        shape.plan()
        after = count + len(shape.left)
        tree = RangeTree(
            shape,
            leaves=hashes[:count],
            left=hashes[count:after],
            right=hashes[after:],
            root=hashes[0] if hashes else b"",
        )
        tree.inclusion_path(start)


def _numbers(data: bytes, count: int) -> tuple[list[int], bytes]:
    """Read numbers of 72 bits: over every limit there is."""
    ends = [_WORD * at for at in range(count + 1)]
    numbers = [
        int.from_bytes(data[start:stop], "big") for start, stop in pairwise(ends)
    ]
    return numbers, data[ends[-1] :]


def _hashes(data: bytes) -> list[bytes]:
    """Cut into hashes; the last may be short."""
    return [data[at : at + HASH_SIZE] for at in range(0, len(data), HASH_SIZE)]


TARGETS: dict[str, Target] = {
    "tile-path": tile_path,
    "bundle": bundle,
    "batch": batch,
    "tile-hashes": tile_hashes,
    "proofs": proofs,
    "range-proof": range_proof,
}


def _words(*numbers: int) -> bytes:
    return b"".join(number.to_bytes(_WORD, "big") for number in numbers)


def seeds() -> dict[str, list[bytes]]:
    """Good inputs."""
    entries = format_bundle([b"entry-0", b"", b"e" * 300])
    return {
        "tile-path": [b"tile/0/x001/234.p/1", b"tile/entries/000", b"tile/63/999"],
        "bundle": [entries, entries * 3],
        "batch": [entries],
        "tile-hashes": [_words(5, 8) + bytes(8 * 32), _words(1, 300) + bytes(2000)],
        "proofs": [
            _words(5, 8) + bytes(4 * 32),
            _words(3, 7) + bytes(range(160)),
            _words(2**61, 2**62) + bytes(63 * 32),
        ],
        "range-proof": [_words(3, 2, 8) + bytes(6 * 32), _words(0, 8, 8) + bytes(256)],
    }
