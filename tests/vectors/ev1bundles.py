"""The `ev1` vectors of whole evidence: leaf, receipt and disclosure in one file.

Trees come from the reference, signatures from the keys of the published notes; they are
Ed25519, so that they are the same every time.
"""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from tallystick_merkle.checkpoint import Checkpoint
from tallystick_merkle.keys import KeyType, SigningKey, format_vkey
from tests.reference import dcbor
from tests.reference.rfc6962 import Tree, leaf
from tests.unit.merkle.people import (
    KEYS,
    ORIGIN,
    key,
    note_of,
    second_witness,
    witness_key,
)
from tests.vectors.ev1events import Sealed, base, other
from tests.vectors.ev1good import Case

BOTH = (witness_key(), second_witness())
THREE = ("action", "actor", "after/role")


def evidence_cases() -> dict[str, Case]:
    """All evidence, by name."""
    return good() | changed() | spelt()


def receipt(
    sealed: Sealed,
    *,
    index: int = 5,
    size: int = 8,
    by: tuple[SigningKey, ...] = BOTH,
    log: SigningKey | None = None,
    origin: str = ORIGIN,
    extra: bytes = b"",
) -> bytes:
    """A receipt of an event's leaf in a tree of other leaves."""
    entries = [b"entry-%d" % at for at in range(size)]
    entries[index] = sealed.leaf
    tree = Tree([leaf(entry) for entry in entries])
    note = note_of(Checkpoint(origin, size, tree.root(size)), log=log, by=by)
    lines = [b"c2sp.org/tlog-proof@v1"]
    if extra:
        lines.append(b"extra " + b64encode(extra))
    lines += [b"index %d" % index, *map(b64encode, tree.path(index, size))]
    return b"\n".join(lines) + b"\n\n" + note


def bundle(sealed: Sealed, proof: bytes, **members: object) -> dict[str, Any]:
    """Evidence as a map, to be edited."""
    shown = sealed.opened(sealed.places(*THREE), [1, 2])
    return {
        "disclosure": shown,
        "format": "tallystick-evidence/1-draft",
        "leaf": sealed.leaf,
        "receipt": proof,
        **members,
    }


def case(
    desc: str, data: bytes, *, verdict: str = "refused", reason: str | None = None
) -> Case:
    """Evidence, held against the log's key and both witnesses."""
    made = {
        "kind": "evidence",
        "desc": desc,
        "vkey": KEYS["log"]["vkey_01"],
        "witness_vkeys": [format_vkey(witness.verifier) for witness in BOTH],
        "data": data.hex(),
        "verdict": verdict,
    }
    return made if reason is None else {**made, "reason": reason}


def good() -> dict[str, Case]:
    """Evidence that is accepted; `status` says how far it can be believed."""
    sealed = base()
    stranger = key("stranger.example", KeyType.COSIGNATURE, 9)
    rows: dict[str, tuple[str, str, bytes, int]] = {
        "witnessed": ("both have cosigned", "witnessed", receipt(sealed), 5),
        "promised": ("the log alone", "promised", receipt(sealed, by=()), 5),
        "half-witnessed": (
            "one of two has cosigned", "promised", receipt(sealed, by=BOTH[:1]), 5,
        ),
        "stranger-beside": (
            "a line of nobody we know",
            "witnessed", receipt(sealed, by=(*BOTH, stranger)), 5,
        ),
        "tree-of-one": (
            "no path at all", "witnessed", receipt(sealed, index=0, size=1), 0,
        ),
        "last-of-seven": (
            "a ragged border", "witnessed", receipt(sealed, index=6, size=7), 6,
        ),
        "first-of-130": (
            "eight levels", "witnessed", receipt(sealed, index=0, size=130), 0,
        ),
        "extra-line": (
            "it proves nothing", "witnessed", receipt(sealed, extra=b"note"), 5,
        ),
    }  # fmt: skip
    return {
        f"evidence-{name}": {
            **case(desc, dcbor.encode(bundle(sealed, proof)), verdict="accepted"),
            "status": status,
            "index": index,
        }
        for name, (desc, status, proof, index) in rows.items()
    }


def changed() -> dict[str, Case]:
    """Evidence of something else, or signed by somebody else."""
    sealed, foreign = base(), other()
    proof = receipt(sealed)
    impostor = key(ORIGIN, KeyType.ED25519, 9)
    stranger = key("example.com/other", KeyType.ED25519, 9)
    lines = proof.split(b"\n")

    def line(number: int, text: bytes | None) -> bytes:
        kept = [*lines]
        kept[number : number + 1] = [] if text is None else [text]
        return b"\n".join(kept)

    at_root = lines.index(b"") + 3
    log_line, first = at_root + 2, at_root + 3
    rows: dict[str, tuple[str, str, dict[str, Any]]] = {
        "another-index": (
            "4 for 5", "inclusion", bundle(sealed, line(1, b"index 4"))
        ),
        "index-beyond": (
            "8 of 8", "inclusion", bundle(sealed, line(1, b"index 8"))
        ),
        "path-edited": (
            "one bit", "inclusion", bundle(sealed, line(2, b64encode(bytes(32))))
        ),
        "path-too-short": (
            "two of three", "inclusion", bundle(sealed, line(4, None))
        ),
        "path-too-long": (
            "four of three",
            "inclusion",
            bundle(sealed, line(4, lines[4] + b"\n" + lines[4])),
        ),
        "leaf-of-another-event": (
            "with its disclosure", "inclusion", bundle(foreign, proof)
        ),
        "disclosure-of-another-event": (
            "with the receipt of the first",
            "commitment",
            bundle(sealed, proof, disclosure=bundle(foreign, proof)["disclosure"]),
        ),
        "root-edited": (
            "nobody signed it",
            "signature",
            bundle(sealed, line(at_root, b64encode(bytes(32)))),
        ),
        "size-edited": (
            "nobody signed it", "signature", bundle(sealed, line(at_root - 1, b"9"))
        ),
        "log-signature-edited": (
            "one bit",
            "signature",
            bundle(sealed, line(log_line, _flip(lines[log_line]))),
        ),
        "log-signature-missing": (
            "witnesses alone", "signature", bundle(sealed, line(log_line, None))
        ),
        "cosignature-edited": (
            "one bit", "signature", bundle(sealed, line(first, _flip(lines[first])))
        ),
        "cosignature-twice": (
            "two lines of one key",
            "signature",
            bundle(sealed, line(first, lines[first] + b"\n" + lines[first])),
        ),
        "impostor": (
            "another key under the log's name",
            "signature",
            bundle(sealed, receipt(sealed, log=impostor)),
        ),
        "another-log": (
            "its own name and key",
            "signature",
            bundle(
                sealed, receipt(sealed, log=stranger, origin="example.com/other")
            ),
        ),
    }  # fmt: skip
    return {
        f"evidence-{name}": case(desc, dcbor.encode(value), reason=reason)
        for name, (desc, reason, value) in rows.items()
    }


def spelt() -> dict[str, Case]:
    """Bytes that are no evidence."""
    sealed = base()
    proof = receipt(sealed)
    whole = bundle(sealed, proof)
    good_bytes = dcbor.encode(whole)
    without = {name: value for name, value in whole.items() if name != "leaf"}
    rows: dict[str, tuple[str, bytes]] = {
        "empty": ("no bytes", b""),
        "trailing-byte": ("one more", good_bytes + b"\x00"),
        "cut-short": ("one less", good_bytes[:-1]),
        "members-unsorted": ("a map of one spelling", _unsorted(whole)),
        "as-array": ("no map", dcbor.encode(list(whole.values()))),
        "member-missing": ("no leaf", dcbor.encode(without)),
        "member-more": ("a note", dcbor.encode({**whole, "note": "x"})),
        "another-format": (
            "version 2", dcbor.encode({**whole, "format": "tallystick-evidence/2"}),
        ),
        "leaf-as-text": ("hex", dcbor.encode({**whole, "leaf": sealed.leaf.hex()})),
        "leaf-cut": ("79 bytes", dcbor.encode({**whole, "leaf": sealed.leaf[:-1]})),
        "receipt-as-text": (
            "it is bytes", dcbor.encode({**whole, "receipt": proof.decode()}),
        ),
        "disclosure-as-bytes": (
            "it is embedded", dcbor.encode({**whole, "disclosure": sealed.whole()}),
        ),
        "disclosure-of-one-group": (
            "two are the least", dcbor.encode({**whole, "disclosure": [bytes(32)]}),
        ),
    }  # fmt: skip
    receipts: dict[str, tuple[bytes, bytes]] = {
        "header": (b"tlog-proof@v1", b"tlog-proof@v2"),
        "index-with-zero": (b"index 5", b"index 05"),
        "index-with-sign": (b"index 5", b"index +5"),
        "index-missing": (b"index 5\n", b""),
        "carriage-returns": (b"\n", b"\r\n"),
        "tab": (b"index 5", b"index\t5"),
        "size-with-zero": (b"\n8\n", b"\n08\n"),
        "hash-of-31-bytes": (proof.split(b"\n")[2], b64encode(bytes(31))),
        "hash-with-stray-bits": (proof.split(b"\n")[2], b"A" * 42 + b"B="),
        "no-blank-line": (b"\n\n", b"\n"),
        "no-signature": (proof[proof.rindex(b"\n\n") + 2 :], b""),
        "empty-extra": (b"index 5", b"extra \nindex 5"),
        "hyphen-for-dash": ("\u2014".encode(), b"-"),
        "no-last-line-feed": (proof[-5:], proof[-5:-1]),
    }
    rows |= {
        f"receipt-{name}": (
            name.replace("-", " "),
            dcbor.encode({**whole, "receipt": proof.replace(old, new)}),
        )
        for name, (old, new) in receipts.items()
    }
    return {
        f"evidence-{name}": case(desc, data, reason="malformed")
        for name, (desc, data) in rows.items()
    }


def _flip(line: bytes) -> bytes:
    """Change the last whole byte of a signature line."""
    at = -5 if line.endswith(b"=") else -2
    swapped = b"B" if line[at : at + 1] == b"A" else b"A"
    return line[:at] + swapped + line[at + 1 :]


def _unsorted(whole: dict[str, Any]) -> bytes:
    pairs = [dcbor.encode(name) + dcbor.encode(whole[name]) for name in sorted(whole)]
    return b"\xa4" + b"".join(pairs)
