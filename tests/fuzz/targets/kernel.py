"""Targets: the texts of the kernel, each with one spelling."""

from __future__ import annotations

from contextlib import suppress

from tallystick_merkle import canonical
from tallystick_merkle.checkpoint import format_checkpoint, parse_checkpoint
from tallystick_merkle.cosignature import open_checkpoint
from tallystick_merkle.errors import KernelError
from tallystick_merkle.genesis import format_genesis, parse_genesis
from tallystick_merkle.keys import (
    format_skey,
    format_vkey,
    parse_skey,
    parse_vkey,
)
from tallystick_merkle.note import (
    format_note,
    format_signature,
    open_note,
    parse_note,
    parse_signature_lines,
)
from tallystick_merkle.policy import format_policy, judge, parse_policy
from tallystick_merkle.promotion import (
    Promotion,
    format_promotion,
    parse_promotion,
)
from tallystick_merkle.receipt import check_receipt, format_receipt, parse_receipt
from tallystick_merkle.witnessing import (
    format_add_checkpoint,
    format_size,
    parse_add_checkpoint,
    parse_cosignatures,
    parse_size,
)
from tests.fuzz.target import Target, check_spelling
from tests.unit.merkle.people import FULL_NOTE, KEYS, SIGNED_NOTE, two_of_two
from tests.vectors.known import answers

_LOG_KEYS = [parse_vkey(KEYS["log"][name]) for name in ("vkey_01", "vkey_06")]
_WITNESS_KEYS = [
    parse_vkey(KEYS["witness"][name])
    for name in ("vkey_01_same_key", "vkey_04", "vkey_06")
]
_POLICY = two_of_two()
_LEAF = bytes.fromhex(answers()["tree8"]["leaf_hashes"][5])


def note(data: bytes) -> None:
    """A signed note, opened as plain too."""
    with suppress(KernelError):
        parsed = parse_note(data)
        check_spelling(data, format_note(parsed))
        open_note(parsed, _LOG_KEYS[:1])


def checkpoint(data: bytes) -> None:
    """The text of a checkpoint."""
    with suppress(KernelError):
        check_spelling(data, format_checkpoint(parse_checkpoint(data)))


def cosignatures(data: bytes) -> None:
    """A checkpoint with lines of all three types, every key known."""
    with suppress(KernelError):
        opened = open_checkpoint(data, _LOG_KEYS + _WITNESS_KEYS)
        check_spelling(data, opened.raw)
        assert opened.verified


def signature_lines(data: bytes) -> None:
    """A witness's answer to add-checkpoint."""
    with suppress(KernelError):
        lines = parse_cosignatures(data)
        check_spelling(data, b"".join(map(format_signature, lines)))
        check_spelling(
            data, b"".join(map(format_signature, parse_signature_lines(data)))
        )


def vkey(data: bytes) -> None:
    """A public key, and a signature held against it."""
    text = data.decode("utf-8", "surrogateescape")
    with suppress(KernelError):
        key = parse_vkey(text)
        check_spelling(data, format_vkey(key).encode())
        key.verify(b"message", bytes(64) if len(key.public) == 32 else bytes(2420))


def skey(data: bytes) -> None:
    """A private key; an error must not repeat it."""
    text = data.decode("utf-8", "surrogateescape")
    secret, told = text.rpartition("+")[2], ""
    try:
        key = parse_skey(text)
        check_spelling(data, format_skey(key).encode())
        key.verifier.verify(b"message", key.sign(b"message"))
    except KernelError as error:
        told = str(error)
    assert len(secret) < 16 or secret not in told


def policy(data: bytes) -> None:
    """A policy file; comments make many spellings of one policy, writing none."""
    with suppress(KernelError):
        parsed = parse_policy(data)
        assert parse_policy(format_policy(parsed)) == parsed
        parsed.is_met_by(_WITNESS_KEYS)
        judge(FULL_NOTE, parsed)


def receipt(data: bytes) -> None:
    """A receipt, checked under a policy for the leaf it may be about."""
    with suppress(KernelError):
        parsed = parse_receipt(data)
        check_spelling(data, format_receipt(parsed))
        check_receipt(parsed, leaf=_LEAF, policy=_POLICY)


def add_checkpoint(data: bytes) -> None:
    """The body of an add-checkpoint request."""
    with suppress(KernelError):
        check_spelling(data, format_add_checkpoint(parse_add_checkpoint(data)))


def witness_size(data: bytes) -> None:
    """The body of a witness's 409."""
    with suppress(KernelError):
        check_spelling(data, format_size(parse_size(data)))


def cbor(data: bytes) -> None:
    """One value in deterministic CBOR."""
    with suppress(KernelError):
        check_spelling(data, canonical.encode(canonical.decode(data)))


def genesis(data: bytes) -> None:
    """Entry 0 of a log, and the entry that a promoted copy begins with."""
    with suppress(KernelError):
        check_spelling(data, format_genesis(parse_genesis(data)))
    with suppress(KernelError):
        check_spelling(data, format_promotion(parse_promotion(data)))


TARGETS: dict[str, Target] = {
    "note": note,
    "checkpoint": checkpoint,
    "cosignatures": cosignatures,
    "signature-lines": signature_lines,
    "vkey": vkey,
    "skey": skey,
    "policy": policy,
    "receipt": receipt,
    "add-checkpoint": add_checkpoint,
    "witness-size": witness_size,
    "cbor": cbor,
    "genesis": genesis,
}

_VECTORS = answers()


def seeds() -> dict[str, list[bytes]]:
    """Good inputs, from the vectors."""
    full, head = FULL_NOTE, _VECTORS["checkpoint8"]["body"].encode()
    lines = full.rpartition(b"\n\n")[2]
    old = b"old 4\n" + b"\n".join([b"A" * 43 + b"="] * 2) + b"\n\n"
    pairs = _VECTORS["keys"]
    return {
        "note": [full, SIGNED_NOTE, b"a\n\nb\n\n" + lines[:140]],
        "checkpoint": [head, head + b"extension\n"],
        "cosignatures": [full, SIGNED_NOTE],
        "signature-lines": [lines, lines.split(b"\n")[0] + b"\n"],
        "vkey": [
            pairs["log"]["vkey_01"].encode(),
            pairs["witness"]["vkey_04"].encode(),
            pairs["witness"]["vkey_06"].encode(),
        ],
        "skey": [pairs["log"]["skey_01"].encode()],
        "policy": [
            format_policy(_POLICY),
            f"# note\n\nlog {pairs['log']['vkey_01']} https://a.example\n"
            f"witness\ta {pairs['witness']['vkey_04']} https://b.example\n"
            "group g 1 a\ngroup h any g\nquorum h\n".encode(),
            b"quorum none\n",
        ],
        "receipt": [_VECTORS["tlog_proof"].encode()],
        "add-checkpoint": [old + SIGNED_NOTE, b"old 0\n\n" + SIGNED_NOTE],
        "witness-size": [b"0\n", b"4611686018427387904\n"],
        "cbor": [
            canonical.encode(
                {"a": [1, -1, 2**64 - 1, b"\x00", None, True], "b": {"c": "text"}}
            ),
            canonical.encode([[[[]]], {"": 24}, "\u00e9", 256, 65536, 2**32]),
        ],
        "genesis": [
            GENESIS,
            format_promotion(
                Promotion("log.example/audit", 1, 9, bytes(32), bytes(range(16)))
            ),
        ],
    }


GENESIS = bytes([1]) + canonical.encode(
    [
        3,
        1_700_000_000_000,
        {
            "format": 1,
            "status": "draft",
            "kind": "raw",
            "origin": "log.example/audit",
            "next_key": bytes(32),
            "recovery_key": bytes(range(32)),
            "settings": {"size": 1, "text": "a"},
        },
    ]
)
