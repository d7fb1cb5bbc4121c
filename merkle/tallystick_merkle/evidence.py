"""Evidence: one record, with chosen fields shown, in a file that anyone can check.

    CBOR {"disclosure": […], "format": "tallystick-evidence/1-draft",
          "leaf": 80 bytes, "receipt": bytes of a C2SP tlog-proof}

The receipt proves that the leaf is in the log, and under which checkpoint; the
disclosure proves that the shown fields are what the leaf committed to.  Nothing else is
needed, and nobody has to be asked.

    found = check_evidence(parse_evidence(data), policy=policy)
    found.verdict.require_witnessed()
"""

from __future__ import annotations

from dataclasses import dataclass

from tallystick_merkle import canonical
from tallystick_merkle.disclosure import (
    MAX_DISCLOSURE,
    Disclosed,
    Disclosure,
    check_disclosure,
    read,
    tell,
)
from tallystick_merkle.errors import MalformedError
from tallystick_merkle.hashing import leaf_hash
from tallystick_merkle.leaf import parse_leaf
from tallystick_merkle.policy import Policy
from tallystick_merkle.receipt import MAX_RECEIPT, Verdict, check_receipt, parse_receipt

FORMAT = "tallystick-evidence/1-draft"
"""What the file calls itself, until the formats are frozen."""

SUFFIX = ".evidence"
"""Customary suffix of the file's name."""

MAX_EVIDENCE = MAX_DISCLOSURE + MAX_RECEIPT + 1024
"""Longest file, in bytes."""

_MEMBERS = {"disclosure", "format", "leaf", "receipt"}


@dataclass(frozen=True, slots=True)
class Evidence:
    """One record: its leaf (80 bytes), a receipt as it came, and a disclosure."""

    leaf: bytes
    receipt: bytes
    disclosure: Disclosure


@dataclass(frozen=True, slots=True)
class Found:
    """What evidence that was checked shows: where, how believed, and the fields."""

    index: int
    verdict: Verdict
    disclosed: Disclosed


def format_evidence(evidence: Evidence) -> bytes:
    """Write evidence; raise MalformedError for what we would not read."""
    data = canonical.encode(
        {
            "disclosure": tell(evidence.disclosure),
            "format": FORMAT,
            "leaf": evidence.leaf,
            "receipt": evidence.receipt,
        },
        most=MAX_EVIDENCE,
    )
    parse_evidence(data)
    return data


def parse_evidence(data: bytes) -> Evidence:
    """Read evidence; raise MalformedError for anything else."""
    value = canonical.decode(data, most=MAX_EVIDENCE)
    if not isinstance(value, dict) or set(value) != _MEMBERS:
        raise MalformedError("evidence", f"expected the members {sorted(_MEMBERS)}")
    if value["format"] != FORMAT:
        raise MalformedError("evidence", f"expected the format {FORMAT}")
    leaf, receipt = value["leaf"], value["receipt"]
    if not isinstance(leaf, bytes) or not isinstance(receipt, bytes):
        raise MalformedError("evidence", "leaf and receipt are bytes")
    parse_leaf(leaf)
    parse_receipt(receipt)
    return Evidence(leaf, receipt, read(value["disclosure"]))


def check_evidence(evidence: Evidence, *, policy: Policy) -> Found:
    """Check evidence under a policy: the log's key, its witnesses and their quorum.

    Raises KernelError: ProofError for a disclosure or a path that does not verify,
    OriginError or SignatureError for a checkpoint of somebody else.
    """
    receipt = parse_receipt(evidence.receipt)
    verdict = check_receipt(receipt, leaf=leaf_hash(evidence.leaf), policy=policy)
    disclosed = check_disclosure(evidence.disclosure, parse_leaf(evidence.leaf))
    return Found(receipt.index, verdict, disclosed)
