"""Every error that leaves the kernel.

KernelError
├── MalformedError         bytes that no formatter of the format would have written
├── ProofError             a Merkle proof that does not prove what it claims
├── TreeMismatchError      served tile or entry bytes that do not match the signed root
├── SignatureError
│   ├── UnverifiedNoteError    no known key signed the note
│   └── InvalidSignatureError  a line of a known key does not verify
├── OriginError            a checkpoint of another log than the one asked for
├── PolicyNotMetError      too few cosignatures for the policy's quorum
├── InconsistentError      two signed checkpoints that cannot both be true: evidence
├── KeyMismatchError       a key that cannot do what was asked of it
└── ExchangeError          a peer that could not be reached, or broke the protocol
    ├── UnreachableError       no answer at all; the request may or may not have arrived
    └── RefusedError           an answer that says no

Each error carries data; its message is lower case and says what was expected and
what came.  None of them ever holds a secret.
"""

from __future__ import annotations


class KernelError(Exception):
    """Any error raised by the kernel."""


class MalformedError(KernelError):
    """Bytes that are not the one true spelling of anything.

    `what` names the format, `where` the line or field, `why` the rule broken.
    """

    def __init__(self, what: str, why: str, *, where: str = "") -> None:
        """Keep the three parts and join them into one line."""
        self.what = what
        self.why = why
        self.where = where
        place = f" ({where})" if where else ""
        super().__init__(f"malformed {what}{place}: {why}")


class ProofError(KernelError):
    """A proof of inclusion or consistency that does not verify."""


class TreeMismatchError(KernelError):
    """Bytes served by a log that do not belong to the tree it signed.

    `index` is the first leaf concerned, where one is known.
    """

    def __init__(self, message: str, *, index: int | None = None) -> None:
        """Keep the leaf index beside the message."""
        self.index = index
        super().__init__(message)


class SignatureError(KernelError):
    """A signed note that cannot be believed."""


class UnverifiedNoteError(SignatureError):
    """A note that no known key signed."""


class InvalidSignatureError(SignatureError):
    """A note with a line of a known key that does not verify."""


class OriginError(KernelError):
    """A checkpoint whose origin is not the expected one."""

    def __init__(self, *, expected: str, found: str) -> None:
        """Keep both origins."""
        self.expected = expected
        self.found = found
        super().__init__(f"expected origin {expected!r}, found {found!r}")


class PolicyNotMetError(KernelError):
    """A checkpoint whose cosignatures do not meet the policy's quorum."""


class InconsistentError(KernelError):
    """Two checkpoints of one origin, both signed, that cannot both be true.

    `first` and `second` are the whole signed notes: evidence to keep and to show.
    """

    def __init__(self, message: str, *, first: bytes, second: bytes) -> None:
        """Keep both notes."""
        self.first = first
        self.second = second
        super().__init__(message)


class KeyMismatchError(KernelError):
    """A key of the wrong type for what it was asked to do."""


class ExchangeError(KernelError):
    """An exchange over HTTP that did not end as the protocol says."""


class UnreachableError(ExchangeError):
    """No answer from the peer; the request may or may not have been carried out."""


class RefusedError(ExchangeError):
    """The peer answered, and the answer is no.

    `status` is the HTTP status, `code` the stable problem type of the peer where it
    gave one, `detail` what it said (capped), `retry_after_s` its own wish, if any.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        code: str = "",
        retry_after_s: float | None = None,
    ) -> None:
        """Keep the parts of the answer."""
        self.status = status
        self.code = code
        self.detail = detail
        self.retry_after_s = retry_after_s
        super().__init__(f"refused with status {status}: {detail}")
