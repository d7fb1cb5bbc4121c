"""A witness in memory that answers add-checkpoint as c2sp.org/tlog-witness says."""

from __future__ import annotations

from collections.abc import Sequence

from tallystick_merkle.cosignature import cosign, open_log_checkpoint
from tallystick_merkle.errors import KernelError, MalformedError, ProofError
from tallystick_merkle.exchange.base import Reply, Request, Response
from tallystick_merkle.hashing import EMPTY_ROOT
from tallystick_merkle.keys import SigningKey, VerifierKey
from tallystick_merkle.note import format_note, format_signature
from tallystick_merkle.proof import check_consistency
from tallystick_merkle.witnessing import (
    SIZE_TYPE,
    format_size,
    origin_hash,
    parse_add_checkpoint,
)

URL = "https://witness.example"


class MemoryWitness:
    """A witness of one log. `keys` all cosign; `latest` is its last cosigned note."""

    def __init__(self, *, log: VerifierKey, keys: Sequence[SigningKey]) -> None:
        self.log = log
        self.keys = tuple(keys)
        self.size = 0
        self.root = EMPTY_ROOT
        self.latest = b""
        self.time_s = 1_700_000_000
        self.script: list[Reply] = []
        self.requests: list[Request] = []

    def answer(self, request: Request) -> Reply:
        """Answer one request."""
        self.requests.append(request)
        if self.script:
            return self.script.pop(0)
        if request.url == f"{URL}/add-checkpoint" and request.method == "POST":
            return self._add(request.body)
        if request.url == f"{URL}/{origin_hash(self.log.name)}/checkpoint":
            return text(200, self.latest) if self.latest else text(404, b"never\n")
        return text(404, b"nothing here\n")

    def _add(self, body: bytes) -> Reply:
        try:
            asked = parse_add_checkpoint(body)
            opened = open_log_checkpoint(
                asked.checkpoint, origin=self.log.name, log_keys=[self.log]
            )
        except MalformedError:
            return text(400, b"malformed\n")
        except KernelError:
            return text(403, b"not signed by the log\n")
        head = opened.checkpoint
        if asked.old > head.size:
            return text(400, b"old is over the checkpoint's size\n")
        if asked.old != self.size:
            return text(409, format_size(self.size), SIZE_TYPE)
        try:
            if asked.old:
                check_consistency(
                    old=asked.old,
                    new=head.size,
                    old_root=self.root,
                    new_root=head.root,
                    proof=asked.proof,
                )
        except ProofError:
            return text(422, b"the proof does not verify\n")
        self.size, self.root = head.size, head.root
        lines = [cosign(head, key, time_s=self.time_s) for key in self.keys]
        self.latest = format_note(opened.note.with_signatures(lines))
        return text(200, b"".join(map(format_signature, lines)))


def text(status: int, body: bytes, kind: str = "text/plain") -> Response:
    """Give an answer of plain text."""
    return Response(status, {"content-type": kind}, body)
