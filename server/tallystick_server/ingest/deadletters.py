"""Refused events, kept for another look: the desk where dead letters are laid down.

A letter is laid down before its producer is told of the refusal, but never at the cost
of the answer: what cannot be kept is counted and logged, and the request goes on.  The
file and the vault are worked with in one thread of its own.

Of one request at most MOST_ALIKE letters are kept for each code of a refusal; the rest
is counted, and told to the producer like all of them.

Where the log is read-only, the letters may be another process's: they are shown as they
are at that moment, and none is laid down, changed, dropped or forgotten.

Letters cannot be looked up by what they say, because they may not parse.  So the
erasure of a data subject purges them all (`purge_all`).
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tallystick_server.clock import Clock
from tallystick_server.errors import RequestError, ServerError, UnavailableError
from tallystick_server.ingest.letterfile import Bounds, LetterFile
from tallystick_server.ingest.letters import (
    IV_SIZE,
    Letter,
    NewLetter,
    Stored,
    open_body,
    open_letter,
    seal,
    seal_again,
)
from tallystick_server.vault.base import VaultKey

MOST_ALIKE = 100
"""Most letters of one code that are kept of one request."""

SAY_EVERY_MS = 60_000
"""How often it is logged that letters are not kept, or went to make room."""

EXPIRE_EVERY_MS = 3_600_000
"""How often letters that are too old are looked for while no new ones come."""

_T = TypeVar("_T")
_log = logging.getLogger(__name__)


class LetterKeys(Protocol):
    """Gives the keys of a log's dead letters. Both block, and are called in a thread.

    They raise ServerError when the vault failed.
    """

    def current(self) -> VaultKey:
        """Give the key for new letters, made durable before."""
        ...

    def find(self, kid: bytes) -> VaultKey | None:
        """Give a key by its id; None when it is gone."""
        ...


@dataclass(frozen=True, slots=True)
class Page:
    """Letters, newest first; `after` is where the next page begins, None at the end.

    `count` and `bytes` are of all that is kept; `pushed_out` went to make room or for
    their age, and `not_kept` could not be laid down or were too many of one request,
    both since the start.
    """

    letters: tuple[Letter, ...]
    after: int | None
    count: int
    bytes: int
    pushed_out: int
    not_kept: int


@dataclass(slots=True)
class _Tally:
    """What was counted, what of it was logged, and when."""

    count: int = 0
    said: int = 0
    said_ms: int | None = None

    def add(self, count: int, now_ms: int) -> int:
        """Count; give how many are to be logged now, 0 for not yet."""
        self.count += count
        fresh = self.count - self.said
        is_time = self.said_ms is None or now_ms - self.said_ms >= SAY_EVERY_MS
        if not fresh or not is_time:
            return 0
        self.said, self.said_ms = self.count, now_ms
        return fresh

    def pass_over(self, count: int) -> None:
        """Count what is not worth a line in the log."""
        self.count += count
        self.said += count


class DeadLetters:
    """The dead letters of one log. Used on the loop."""

    def __init__(
        self,
        path: Path,
        *,
        origin: str,
        bounds: Bounds,
        keys: LetterKeys,
        clock: Clock,
        draw: Callable[[int], bytes],
        refusal: Callable[[], str | None] = lambda: None,
    ) -> None:
        """Open nothing yet; `draw(n)` gives n random bytes.

        `refusal` says why no letter may be changed now; None where it may.
        """
        self._path = path
        self._origin = origin
        self._bounds = bounds
        self._keys = keys
        self._clock = clock
        self._draw = draw
        self._refusal = refusal
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="dead-letters")
        self._file: LetterFile | None = None
        self._pushed_out = _Tally()
        self._not_kept = _Tally()
        self._left_out = _Tally()
        self._expired_ms = clock.now_ms()

    async def add(self, letters: Sequence[NewLetter]) -> None:
        """Lay letters down. Never fails: what cannot be kept is counted and logged."""
        if not letters or not self._bounds.most:
            return
        if self._refusal() is not None:
            self._not_kept.pass_over(len(letters))
            return
        now_ms = self._clock.now_ms()
        kept = _choose(letters)
        self._say_left_out(len(letters) - len(kept), now_ms)
        try:
            went = await self._run(partial(self._add, kept, now_ms))
        except Exception as error:  # noqa: BLE001 -- logged; no letter is worth a request
            count = self._not_kept.add(len(kept), now_ms)
            if count:
                _log.exception(
                    "dead letters not kept",
                    extra={"origin": self._origin, "letters": count},
                    exc_info=error,
                )
            return
        self._say_pushed_out(went, now_ms)

    async def newest(self, *, before: int | None, limit: int) -> Page:
        """Give letters without their bodies, newest first, those below an id.

        Raises UnavailableError when the file or the vault cannot be used.
        """
        return await self._ask(partial(self._newest, before, limit))

    async def find(self, number: int) -> tuple[Letter, bytes | None] | None:
        """Give a letter and its body; no body where it is not there or unreadable."""
        return await self._ask(partial(self._find, number))

    def check_changeable(self) -> None:
        """Raise UnavailableError where no letter may be changed."""
        refusal = self._refusal()
        if refusal is not None:
            raise UnavailableError(refusal)

    async def refused_again(self, number: int, error: RequestError) -> None:
        """Give a letter the reason why it was refused again.

        Raises UnavailableError as `check_changeable` does, also what follows here.
        """
        self.check_changeable()
        await self._ask(partial(self._refuse_again, number, error))

    async def drop(self, number: int) -> bool:
        """Delete a letter; say whether it was there."""
        self.check_changeable()
        return await self._ask(lambda: self._opened().drop(number))

    async def purge_all(self) -> int:
        """Delete every letter, and overwrite what the file held; give their number."""
        self.check_changeable()
        return await self._ask(lambda: self._opened().purge())

    async def expire(self) -> None:
        """Forget letters that are too old. To be called often; looks now and then."""
        now_ms = self._clock.now_ms()
        if now_ms - self._expired_ms < EXPIRE_EVERY_MS or not self._path.exists():
            return
        if self._refusal() is not None:
            return
        self._expired_ms = now_ms
        try:
            went = await self._run(lambda: self._opened().expire(now_ms))
        except ServerError as error:
            _log.error(
                "dead letters not forgotten",
                extra={"origin": self._origin, "why": str(error)},
            )
            return
        self._say_pushed_out(went, now_ms)

    async def close(self) -> None:
        """Finish what is under way and release the file."""
        await self._run(self._close)
        self._thread.shutdown()

    async def _ask(self, work: Callable[[], _T]) -> _T:
        """Do work for a request that is about letters."""
        try:
            return await self._run(work)
        except RequestError:
            raise
        except ServerError as error:
            _log.exception("dead letters failed", extra={"origin": self._origin})
            raise UnavailableError("the dead letters cannot be read") from error

    async def _run(self, work: Callable[[], _T]) -> _T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, work)

    def _say_pushed_out(self, went: int, now_ms: int) -> None:
        count = self._pushed_out.add(went, now_ms)
        if count:
            _log.warning(
                "dead letters pushed out",
                extra={"origin": self._origin, "letters": count},
            )

    def _say_left_out(self, count: int, now_ms: int) -> None:
        count = self._left_out.add(count, now_ms)
        if count:
            _log.warning(
                "dead letters left out",
                extra={"origin": self._origin, "letters": count},
            )

    # From here on in the thread.

    @contextmanager
    def _shown(self) -> Iterator[LetterFile | None]:
        """Give the file to read; None where it is another's and not there.

        Another's is opened for each look: it may grow, and be replaced.
        """
        if self._refusal() is None:
            yield self._opened()
            return
        self._close()  # if it was ours, it may not stay so
        if not self._path.exists():
            yield None
            return
        with closing(LetterFile(self._path, self._bounds, is_read_only=True)) as file:
            yield file

    def _opened(self) -> LetterFile:
        if self._file is None:
            self._file = LetterFile(self._path, self._bounds)
        return self._file

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _add(self, letters: Sequence[NewLetter], now_ms: int) -> int:
        key = self._keys.current()
        aead = AESGCM(key.dek)

        def sealed(new: NewLetter, number: int) -> Stored:
            return seal(
                new,
                origin=self._origin,
                number=number,
                time_ms=now_ms,
                kid=key.kid,
                aead=aead,
                ivs=(self._draw(IV_SIZE), self._draw(IV_SIZE)),
            )

        return self._opened().add([partial(sealed, new) for new in letters], now_ms)

    def _newest(self, before: int | None, limit: int) -> Page:
        with self._shown() as file:
            rows = [] if file is None else file.newest(before=before, limit=limit + 1)
            count, size = (0, 0) if file is None else (file.count, file.total_bytes)
        shown = rows[:limit]
        return Page(
            tuple(
                open_letter(row, origin=self._origin, aead=self._aead(row.kid))
                for row in shown
            ),
            shown[-1].id if len(rows) > limit else None,
            count,
            size,
            self._pushed_out.count,
            self._not_kept.count + self._left_out.count,
        )

    def _find(self, number: int) -> tuple[Letter, bytes | None] | None:
        with self._shown() as file:
            stored = None if file is None else file.find(number)
        if stored is None:
            return None
        aead = self._aead(stored.kid)
        letter = open_letter(stored, origin=self._origin, aead=aead)
        return letter, open_body(stored, origin=self._origin, aead=aead)

    def _refuse_again(self, number: int, error: RequestError) -> None:
        stored = self._opened().find(number)
        aead = None if stored is None else self._aead(stored.kid)
        if stored is not None and aead is not None:
            again = seal_again(
                stored, error, origin=self._origin, aead=aead, iv=self._draw(IV_SIZE)
            )
            self._opened().replace_note(again)

    def _aead(self, kid: bytes) -> AESGCM | None:
        key = self._keys.find(kid)
        return None if key is None else AESGCM(key.dek)


def _choose(letters: Sequence[NewLetter]) -> tuple[NewLetter, ...]:
    """Choose the letters of a request that are kept: the first of each code."""
    seen: Counter[str] = Counter()
    chosen = []
    for letter in letters:
        seen[letter.code] += 1
        if seen[letter.code] <= MOST_ALIKE:
            chosen.append(letter)
    return tuple(chosen)
