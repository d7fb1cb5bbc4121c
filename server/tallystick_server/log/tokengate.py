"""Who may do what with a log now: its token file in memory, and a memory of headers.

A header that was admitted is remembered under its SHA-256, never as it came, so that
a busy client costs one hash.  The memory is bounded, and forgotten whenever the file
is read again.  `refresh` is for a loop beside the requests: one `stat`, at most once a
second.

A valid token without the scope is refused like no token at all: the answer tells nobody
whether a text that he found is a token of this log.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from hashlib import sha256
from pathlib import Path

from tallystick_server.clock import Clock
from tallystick_server.errors import UnauthorizedError, UsageError
from tallystick_server.log.tokenfile import read_tokens
from tallystick_server.log.tokens import MAX_TOKEN, Token, TokenBook

log = logging.getLogger(__name__)

MAX_REMEMBERED = 4096
"""Most admitted headers that are remembered."""

_SCHEME = "Bearer "
_REFUSED = (
    "a token of this log that may do this is required: Authorization: Bearer TOKEN"
)

Stamp = tuple[int, int, int] | None


class TokenGate:
    """Admits the holders of valid tokens of one log."""

    def __init__(self, log_name: str, path: Path, clock: Clock) -> None:
        """Read the token file of a log. Raises UsageError for a broken one."""
        self._log = log_name
        self._path = path
        self._clock = clock
        self._remembered: OrderedDict[bytes, Token] = OrderedDict()
        self._stamp = _stamp(path)
        self._book = TokenBook(log_name, read_tokens(path))

    def admit(self, header: str | None, *scopes: str) -> str:
        """Give the principal behind an Authorization header.

        His token has one of `scopes` at least.  Raises UnauthorizedError, always the
        same, for whatever is not a valid token or has none of them.
        """
        if header is None or len(header) > MAX_TOKEN + len(_SCHEME):
            raise UnauthorizedError(_REFUSED)
        digest = sha256(header.encode("utf-8", "surrogatepass")).digest()
        token = self._remembered.get(digest) or self._find(header, digest)
        if token is None or not token.may(scopes, self._clock.now_ms()):
            raise UnauthorizedError(_REFUSED)
        return token.principal

    def refresh(self) -> bool:
        """Read the file again if it has changed; say whether it was read."""
        stamp = _stamp(self._path)
        return stamp != self._stamp and self.reload()

    def reload(self) -> bool:
        """Read the file again. A broken one changes nothing and is logged.

        One that cannot be read now is tried again at the next refresh: it may hold a
        revocation, and a process short of descriptors has them again later.
        """
        stamp = _stamp(self._path)
        try:
            tokens = read_tokens(self._path)
        except UsageError as error:
            if not isinstance(error.__cause__, OSError):
                self._stamp = stamp
            log.error(  # noqa: TRY400 -- the message says it all
                "tokens kept as they were", extra={"log": self._log, "why": str(error)}
            )
            return False
        self._stamp = stamp
        self._book = TokenBook(self._log, tokens)
        self._remembered.clear()
        log.info("tokens read", extra={"log": self._log, "tokens": len(tokens)})
        return True

    def _find(self, header: str, digest: bytes) -> Token | None:
        """Look a header up in the book, and remember it if a token is behind it."""
        scheme, text = header[: len(_SCHEME)], header[len(_SCHEME) :]
        token = self._book.find(text) if scheme.lower() == "bearer " else None
        if token is not None:
            self._remembered[digest] = token
            if len(self._remembered) > MAX_REMEMBERED:
                self._remembered.popitem(last=False)
        return token


def _stamp(path: Path) -> Stamp:
    """What changes when a file does; None when there is no file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
