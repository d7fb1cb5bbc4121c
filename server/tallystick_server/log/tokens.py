"""Tokens of one log: who may do what with it.

    tally_<log>_<id>_<secret>_<checksum>

`id` is 16 hex digits and public; `secret` is 256 random bits in hex; `checksum` is the
CRC-32 of all before it, for secret scanners and typing errors, and protects nothing.
The fixed `tally_` lets scanners find a token that leaked into a repository.

Only the SHA-256 of the secret is stored.  A slow password hash would gain nothing:
there is nothing to guess in 256 random bits, and it would cost every request.  A token
is looked up by its public id first, and the hashes are then compared in constant time.
Absent, unknown, expired, revoked and of another scope are one answer to the caller.

    append   entries into a log of raw entries
    emit     events into a log of events
    read     what is not for everybody: tiles, proofs, events
    admin    schemas, producers, dead letters

A scope says one thing and implies no other.

The `principal` of a token owns its idempotency keys.  A new token of the same
principal may repeat the requests of the old one, so a token can be rotated without an
entry being committed twice.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from types import MappingProxyType
from zlib import crc32

from tallystick_merkle.genesis import EVENTS, RAW

SCOPE_APPEND = "append"
"""The scope of whoever appends entries to a log of kind `raw`."""

SCOPE_EMIT = "emit"
"""The scope of whoever sends events to a log of kind `events`."""

SCOPE_READ = "read"
"""The scope of whoever reads events, and all that their log shows."""

SCOPE_AUDIT = "audit"
"""The scope of whoever checks a log that is not public, and reads no event."""

SCOPE_ADMIN = "admin"
"""The scope of whoever keeps schemas, producers and dead letters."""

SCOPES = (SCOPE_APPEND, SCOPE_EMIT, SCOPE_READ, SCOPE_AUDIT, SCOPE_ADMIN)
"""Every scope, in the order in which they are stored and shown."""

SCOPES_OF: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        RAW: (SCOPE_APPEND,),
        EVENTS: (SCOPE_EMIT, SCOPE_READ, SCOPE_AUDIT, SCOPE_ADMIN),
    }
)
"""The scopes that mean something for a log of a kind; the first is the usual one."""

SERVER_PRINCIPAL = "tallystick"
"""Whose events the server's own are; nobody else may send any under this name."""

MAX_TOKEN = 256
"""Longest token accepted, in characters."""

MAX_PRINCIPAL = 64
"""Longest principal: 1 to 64 characters of a-z, 0-9, dot, underscore, hyphen."""

ID_BYTES = 8
"""Random bytes of a token's id."""

SECRET_BYTES = 32
"""Random bytes of a token's secret."""

_TOKEN = re.compile(
    r"tally_([a-z0-9][a-z0-9-]{0,62})_([0-9a-f]{16})_([0-9a-f]{64})_([0-9a-f]{8})",
    re.ASCII,
)
_PRINCIPAL = re.compile(r"[a-z0-9._-]{1,64}", re.ASCII)
_ID = re.compile(rf"[0-9a-f]{{{2 * ID_BYTES}}}", re.ASCII)
_ABSENT = sha256(b"no such token").digest()


@dataclass(frozen=True, slots=True)
class Token:
    """A token as it is stored: everything but its secret. Times are POSIX ms."""

    id: str
    principal: str
    digest: bytes = field(repr=False)
    created_ms: int
    scopes: tuple[str, ...] = (SCOPE_APPEND,)
    expires_ms: int | None = None
    revoked_ms: int | None = None

    def check(self) -> None:
        """Raise ValueError for an id, a principal or scopes that no token of ours has.

        A principal becomes part of each idempotency key, so it has to be plain.
        """
        if _ID.fullmatch(self.id) is None:
            raise ValueError(f"token id {self.id[:80]!r}")
        if _PRINCIPAL.fullmatch(self.principal) is None:
            raise ValueError(
                f"principal {self.principal[:80]!r}: use 1 to {MAX_PRINCIPAL} of a-z, "
                "0-9 and ._-"
            )
        if not self.scopes or self.scopes != order_scopes(self.scopes):
            raise ValueError(f"scopes {self.scopes!r}")
        if self.principal == SERVER_PRINCIPAL and SCOPE_EMIT in self.scopes:
            raise ValueError(
                f"principal {SERVER_PRINCIPAL!r}: events of this name are the server's"
            )

    def is_valid_at(self, time_ms: int) -> bool:
        """Whether the token may be used at a time."""
        is_expired = self.expires_ms is not None and time_ms >= self.expires_ms
        return self.revoked_ms is None and not is_expired

    def may(self, scopes: Iterable[str], time_ms: int) -> bool:
        """Whether the token is valid at a time and has one of `scopes` at least."""
        return self.is_valid_at(time_ms) and not set(scopes).isdisjoint(self.scopes)


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token just made; `text` is the only copy of its secret."""

    token: Token
    text: str = field(repr=False)


def order_scopes(scopes: Iterable[str]) -> tuple[str, ...]:
    """Give scopes in their one order, each once; ValueError for an unknown one."""
    wanted = set(scopes)
    if unknown := sorted(wanted.difference(SCOPES)):
        raise ValueError(f"scope {unknown[0][:80]!r}: use {', '.join(SCOPES)}")
    return tuple(scope for scope in SCOPES if scope in wanted)


def make_token(
    *,
    log: str,
    created_ms: int,
    draw: Callable[[int], bytes],
    principal: str = "",
    scopes: Iterable[str] = (SCOPE_APPEND,),
    expires_ms: int | None = None,
) -> NewToken:
    """Make a token for a log; `draw(n)` gives n random bytes.

    `principal` defaults to the token's id.  Raises ValueError for an impossible one,
    and for no scope or an unknown one.
    """
    token_id = draw(ID_BYTES).hex()
    secret = draw(SECRET_BYTES).hex()
    name = principal or token_id
    token = Token(
        token_id,
        name,
        _digest(secret),
        created_ms,
        order_scopes(scopes),
        expires_ms,
    )
    token.check()
    body = f"tally_{log}_{token_id}_{secret}"
    return NewToken(token, f"{body}_{_checksum(body)}")


def revoke(tokens: Sequence[Token], token_id: str, *, time_ms: int) -> list[Token]:
    """Revoke one token; raise KeyError when there is none of this id.

    A token that was revoked before keeps its first time.
    """
    if all(token.id != token_id for token in tokens):
        raise KeyError(token_id)
    return [
        replace(token, revoked_ms=time_ms)
        if token.id == token_id and token.revoked_ms is None
        else token
        for token in tokens
    ]


class TokenBook:
    """The tokens of one log in memory, and who a presented text belongs to."""

    def __init__(self, log: str, tokens: Sequence[Token]) -> None:
        """Hold the tokens of `log`."""
        self._log = log
        self._tokens = {token.id: token for token in tokens}

    def find(self, text: str) -> Token | None:
        """Find whose token this is, valid or not; None for no token of this log.

        Whether it may be used now, and for what, is `Token.may`'s to say.
        """
        found = _TOKEN.fullmatch(text) if len(text) <= MAX_TOKEN else None
        if found is None or found[1] != self._log:
            return None
        if found[4] != _checksum(text.rpartition("_")[0]):
            return None
        token = self._tokens.get(found[2])
        stored = token.digest if token else _ABSENT
        is_equal = hmac.compare_digest(stored, _digest(found[3]))
        return token if is_equal else None


def _digest(secret: str) -> bytes:
    """Hash a secret as it is stored."""
    return sha256(secret.encode()).digest()


def _checksum(body: str) -> str:
    return f"{crc32(body.encode()):08x}"
