"""Every error of the log server, with the HTTP status and the exit code it means.

ServerError
├── RequestError              the caller's fault, or a limit; has status, code, title
│   ├── BadRequestError           400  malformed request
│   ├── UnauthorizedError         401  no token, or not one of this log
│   ├── NotFoundError             404  not there, or not yours: the same body
│   ├── TimedOutError             408  the body did not arrive in time
│   ├── KeyReusedError            409  the idempotency key stands for another body
│   ├── EventReusedError          409  the event id stands for another event
│   ├── SchemaTakenError          409  that version of the schema is another document
│   ├── TooLargeError             413  over a limit, which it names
│   ├── UnsupportedTypeError      415  content type or encoding
│   ├── UnprocessableError        422  well-formed, but not acceptable
│   ├── EventError                422  an event that is not one, and where
│   ├── QueueFullError            429  back-pressure, before any promise
│   ├── UnavailableError          503  read-only, stopping, or not signing
│   └── DiskFullError             507  the free-space floor is reached
├── StartError                the server refuses to start or to sign; has an exit code
│   ├── UsageError                2  configuration, or a log that exists already
│   ├── NotInitialisedError       2  no log here; only `init` makes one
│   ├── WrongKeyError             2  the key is not the one the log was made with
│   ├── LockedError               2  another process holds the log
│   ├── IntegrityError            1  corrupt, rolled back or forked
│   └── ClockError                4  the clock is off
├── StaleParentError          a commit that does not stand on what is stored
├── StoreError                the store failed: what it holds is now unknown
└── SigningStoppedError       the log will not sign any more in this process
"""

from __future__ import annotations

import errno

_OF_DISK = frozenset({errno.EIO, errno.ENOSPC, errno.EDQUOT})


class ServerError(Exception):
    """Any error of the log server."""


class RequestError(ServerError):
    """A request that is refused. `code` is stable; `detail` names what and where."""

    status = 400
    code = "bad-request"
    title = "Bad request"

    def __init__(self, detail: str, *, retry_after_s: int | None = None) -> None:
        """Keep the detail, and how many seconds to wait before trying again."""
        self.detail = detail
        self.retry_after_s = retry_after_s
        super().__init__(detail)


class BadRequestError(RequestError):
    """A request that is malformed."""


class UnauthorizedError(RequestError):
    """A request without a token that may do this."""

    status = 401
    code = "unauthorized"
    title = "Unauthorized"


class NotFoundError(RequestError):
    """A thing that is not there, or not the caller's."""

    status = 404
    code = "not-found"
    title = "Not found"


class TimedOutError(RequestError):
    """A body that did not arrive in time."""

    status = 408
    code = "timed-out"
    title = "Request timed out"


class KeyReusedError(RequestError):
    """An idempotency key that was used for another body."""

    status = 409
    code = "idempotency-key-reused"
    title = "Idempotency key reused"


class EventReusedError(RequestError):
    """An event id that is another event's, or another principal's: one answer (D14)."""

    status = 409
    code = "event-id-reused"
    title = "Event id reused"

    def __init__(
        self,
        detail: str = "the event_id was used before for another event",
        *,
        retry_after_s: int | None = None,
    ) -> None:
        """Say no more than that."""
        super().__init__(detail, retry_after_s=retry_after_s)


class SchemaTakenError(RequestError):
    """A version of a schema that was registered with another document."""

    status = 409
    code = "schema-taken"
    title = "Schema taken"


class TooLargeError(RequestError):
    """A body, entry or batch over a limit."""

    status = 413
    code = "too-large"
    title = "Too large"


class UnsupportedTypeError(RequestError):
    """A content type or encoding that is not taken."""

    status = 415
    code = "unsupported-type"
    title = "Unsupported media type"


class UnprocessableError(RequestError):
    """A well-formed request that cannot be carried out."""

    status = 422
    code = "unprocessable"
    title = "Unprocessable"


class EventError(RequestError):
    """An event that cannot be taken; `pointer` is the place, a JSON Pointer.

    Neither part quotes a value: it may be personal. The names in a pointer are the
    producer's own; they go back to him and into no log.
    """

    status = 422
    code = "invalid-event"
    title = "Invalid event"

    def __init__(
        self, detail: str, *, pointer: str = "", retry_after_s: int | None = None
    ) -> None:
        """Keep what was expected and where."""
        self.pointer = pointer
        super().__init__(detail, retry_after_s=retry_after_s)


class QueueFullError(RequestError):
    """Too much is waiting to be committed; nothing was promised."""

    status = 429
    code = "queue-full"
    title = "Queue full"


class UnavailableError(RequestError):
    """What was asked cannot be done now; later it may be."""

    status = 503
    code = "unavailable"
    title = "Unavailable"


class DiskFullError(RequestError):
    """The free-space floor is reached; nothing was promised."""

    status = 507
    code = "disk-full"
    title = "Insufficient storage"


class StartError(ServerError):
    """A refusal to start or to sign. `exit_code` is that of the process."""

    exit_code = 1


class UsageError(StartError):
    """Wrong usage or configuration."""

    exit_code = 2


class NotInitialisedError(StartError):
    """There is no log here, and serving never makes one."""

    exit_code = 2


class WrongKeyError(StartError):
    """The signing key is not the log's."""

    exit_code = 2


class LockedError(StartError):
    """Another process holds the log."""

    exit_code = 2


class IntegrityError(StartError):
    """The stored log is corrupt, was rolled back, or has forked."""

    exit_code = 1


class ClockError(StartError):
    """The clock stands behind the log."""

    exit_code = 4


class StaleParentError(ServerError):
    """A commit whose parent is not the stored head: somebody else wrote."""


class StoreError(ServerError):
    """The store failed in a way that leaves its state unknown."""


class SigningStoppedError(ServerError):
    """The log has stopped signing; the message says why."""


def unusable(what: str, error: OSError) -> StoreError | UsageError:
    """Make the error of a file that cannot be used; `what` says what was tried.

    A StoreError where the disk failed or is full: another try may succeed, and whoever
    restarts a server should try it.  Else a UsageError: somebody has to change a thing.
    """
    kind = StoreError if error.errno in _OF_DISK else UsageError
    return kind(f"{what}: {error.strerror or error}")
