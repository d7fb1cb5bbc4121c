"""Every error that the client adds to those of the kernel, with its exit code.

ClientError
├── UsageError            2  wrong arguments, configuration or local file
├── MissingExtraError     2  a part of Tallystick that is not installed
├── StateError            2  the state directory cannot be read or written
├── UnprovenError         3  an event of which the log says that it was erased
├── PromisedError         3  a receipt that is only promised
├── BeyondHeadError       3  an entry that no believed head holds yet
├── StaleHeadError        4  the log serves a head older than one believed before
├── ServiceError          5  a process or service that did not do its part
└── OutputClosedError   141  whoever read our output has gone

Two errors refine the kernel's: ForkError (InconsistentError) and ShrunkenLogError
(TreeMismatchError).  Both name the files in which the evidence lies.
"""

from __future__ import annotations

from pathlib import Path

from tallystick_merkle.errors import InconsistentError, TreeMismatchError


class ClientError(Exception):
    """Any error of the client. `exit_code` is that of the command line."""

    exit_code = 2


class UsageError(ClientError):
    """Arguments, configuration or a local file that cannot be used as they are."""


class MissingExtraError(ClientError):
    """A command of a part that is not installed; the message says what to install."""


class StateError(ClientError):
    """State on disk that cannot be read, written or understood."""


class PromisedError(ClientError):
    """A receipt that is not yet evidence against the operator (decision D1)."""

    exit_code = 3


class UnprovenError(ClientError):
    """An event that the log says it had and has erased; only its word is for it."""

    exit_code = 3

    def __init__(self, *, event_id: str, index: int) -> None:
        """Keep the event, and the entry that the log says is it."""
        self.event_id = event_id
        self.index = index
        super().__init__(
            f"event {event_id} is unproven: the log says that it is entry {index} and "
            "was erased since, and no receipt checked for it is kept here"
        )


class BeyondHeadError(ClientError):
    """An entry beyond the believed head: not published yet, or never logged."""

    exit_code = 3

    def __init__(self, *, index: int, size: int) -> None:
        """Keep the index asked for and the size of the head."""
        self.index = index
        self.size = size
        super().__init__(
            f"entry {index} is beyond the newest head, of size {size}: "
            "it is not published yet, or does not exist"
        )


class StaleHeadError(ClientError):
    """A served head that is consistent with the one believed, but older.

    `served` and `believed` are sizes in leaves.
    """

    exit_code = 4

    def __init__(self, *, served: int, believed: int) -> None:
        """Keep both sizes."""
        self.served = served
        self.believed = believed
        super().__init__(
            f"the log serves a head of size {served}, older than the one of size "
            f"{believed} seen before; both agree: try again later"
        )


class ServiceError(ClientError):
    """A process or service that is not there or did not do its part."""

    exit_code = 5


class OutputClosedError(ClientError):
    """Standard output was closed by whoever read it (128 + SIGPIPE)."""

    exit_code = 141


class ForkError(InconsistentError):
    """A fork whose two checkpoints are already safe on disk, in `files`."""

    def __init__(
        self, message: str, *, first: bytes, second: bytes, files: tuple[Path, ...]
    ) -> None:
        """Keep the notes and where they were written."""
        self.files = files
        super().__init__(message, first=first, second=second)


class ShrunkenLogError(TreeMismatchError):
    """A log that serves a smaller head and no longer the tiles of the larger one."""
