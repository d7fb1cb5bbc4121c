"""Every error of the witness, with the exit code and the HTTP status it means.

WitnessError
├── StartError                the witness refuses to start; has an exit code
│   ├── UsageError                2  usage or configuration
│   ├── NotInitialisedError       2  no witness here; only `init` makes one
│   ├── WrongKeyError             2  the keys are not the ones it was made with
│   ├── LockedError               2  another process holds it
│   ├── ListenError               5  the address cannot be listened on
│   ├── IntegrityError            1  corrupt, rolled back or forked
│   └── ClockError                4  the clock is off
├── BodyError                 a request refused before any rule; has a status
│   ├── TooSlowError              408  the body did not arrive in time
│   ├── TooLargeError             413  over 128 KiB
│   ├── EncodedError              415  a content or transfer encoding, or a version
│   ├── BusyError                 429  too much is waiting; nothing was promised
│   └── UnavailableError          503  stopping, out of space, or the clock is off
├── StaleHeadError            a head that does not stand on what is stored
└── StoppedError              the witness must end and re-read its state; exit code 5
    ├── StoreError                the store failed: what it holds is now unknown
    └── AnchorError               the anchor failed: nothing may be released
"""

from __future__ import annotations

import errno

_OF_DISK = frozenset({errno.EIO, errno.ENOSPC, errno.EDQUOT})


class WitnessError(Exception):
    """Any error of the witness. `exit_code` is that of a process it ends."""

    exit_code = 5


class StartError(WitnessError):
    """A refusal to start."""

    exit_code = 1


class UsageError(StartError):
    """Wrong usage or configuration."""

    exit_code = 2


class NotInitialisedError(StartError):
    """There is no witness here, and serving never makes one."""

    exit_code = 2


class WrongKeyError(StartError):
    """The signing keys are not those of the witness, or not safely kept."""

    exit_code = 2


class LockedError(StartError):
    """Another process holds the witness."""

    exit_code = 2


class ListenError(StartError):
    """The address to listen on is taken, or not ours."""

    exit_code = 5


class IntegrityError(StartError):
    """What is stored is corrupt, was rolled back, or has forked."""

    exit_code = 1


class ClockError(StartError):
    """The clock stands behind what was cosigned, or has stepped."""

    exit_code = 4


class BodyError(WitnessError):
    """A request that is refused before its content is judged."""

    status = 400


class TooSlowError(BodyError):
    """A body that did not arrive in time."""

    status = 408


class TooLargeError(BodyError):
    """A body over the limit."""

    status = 413


class EncodedError(BodyError):
    """A body in an encoding, or of a version of HTTP, that is not taken."""

    status = 415


class BusyError(BodyError):
    """Too many requests wait to be judged."""

    status = 429


class UnavailableError(BodyError):
    """The witness signs nothing now."""

    status = 503


class StaleHeadError(WitnessError):
    """A compare-and-swap that lost: what is stored is not what was expected."""


class StoppedError(WitnessError):
    """The process must end: only a start that reads everything again may sign."""


class StoreError(StoppedError):
    """The store failed in a way that leaves its state unknown."""


class AnchorError(StoppedError):
    """The anchor could not be written; the store may be ahead of it."""


def is_of_disk(error: OSError) -> bool:
    """Whether the disk failed or is full: another try may succeed.

    Anything else is for somebody to change: a wrong path, a missing right.
    """
    return error.errno in _OF_DISK
