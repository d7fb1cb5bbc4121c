"""Who is admitted by the token file of a log, for what, and for how long."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick_server.clock import SetClock
from tallystick_server.errors import (
    UnauthorizedError,
    UsageError,
)
from tallystick_server.log.tokenfile import (
    add_token,
    change_tokens,
    list_tokens,
    revoke_token,
)
from tallystick_server.log.tokengate import MAX_REMEMBERED, TokenGate
from tallystick_server.log.tokens import (
    SCOPE_ADMIN,
    SCOPE_APPEND,
    SCOPE_EMIT,
    SCOPE_READ,
    SCOPES,
)
from tests.unit.server.log.drawn_tokens import LOG, drawn, folder


class Gate:
    """A gate over a file with one token, and a clock to set."""

    def __init__(self, data: Path, expires_ms: int | None = None) -> None:
        self.path = folder(data)
        self.data = data
        self.clock = SetClock(wall_ms=1_000)
        self.new = add_token(
            data,
            log=LOG,
            clock=self.clock,
            draw=lambda n: b"a" * n,
            principal="service",
            expires_ms=expires_ms,
        )
        self.gate = TokenGate(LOG, self.path, self.clock)
        self.header = f"Bearer {self.new.text}"

    def add(self, mark: bytes, *scopes: str) -> str:
        """Add a token that is drawn as one byte over and over; give its header."""
        new = add_token(
            self.data,
            log=LOG,
            clock=self.clock,
            draw=lambda n: mark * n,
            principal=mark.decode(),
            scopes=scopes,
        )
        self.gate.refresh()
        return f"Bearer {new.text}"

    def admit(self, header: str | None) -> str:
        return self.gate.admit(header, SCOPE_APPEND)

    def is_refused(self, header: str | None = None) -> bool:
        try:
            self.admit(self.header if header is None else header)
        except UnauthorizedError:
            return True
        return False


def test_a_token_is_admitted_again_and_again(tmp_path: Path) -> None:
    gate = Gate(tmp_path)

    assert [gate.admit(gate.header) for _ in range(3)] == ["service"] * 3
    assert gate.admit(f"bearer {gate.new.text}") == "service"


def test_a_token_is_admitted_for_any_of_its_scopes_and_for_no_other(
    tmp_path: Path,
) -> None:
    gate = Gate(tmp_path)
    reader = gate.add(b"b", SCOPE_EMIT, SCOPE_READ)
    keeper = gate.add(b"c", SCOPE_ADMIN)

    assert gate.gate.admit(reader, SCOPE_READ) == "b"
    assert gate.gate.admit(reader, SCOPE_EMIT) == "b"
    assert gate.gate.admit(reader, SCOPE_ADMIN, SCOPE_READ) == "b"
    assert gate.gate.admit(keeper, SCOPE_ADMIN) == "c"
    refused: list[tuple[str, tuple[str, ...]]] = [
        (reader, (SCOPE_ADMIN,)),
        (reader, (SCOPE_APPEND, SCOPE_ADMIN)),
        (keeper, (SCOPE_READ, SCOPE_EMIT)),
        (gate.header, (SCOPE_EMIT, SCOPE_READ, SCOPE_ADMIN)),
        (reader, ()),
    ]
    for header, scopes in refused:
        with pytest.raises(UnauthorizedError):
            gate.gate.admit(header, *scopes)


def test_a_token_of_another_scope_is_refused_in_the_words_for_no_token(
    tmp_path: Path,
) -> None:
    gate = Gate(tmp_path)
    said = []

    for header in (gate.header, None, "", "Bearer x", f"Bearer {drawn(1).text}"):
        with pytest.raises(UnauthorizedError) as refused:
            gate.gate.admit(header, SCOPE_READ)
        said.append(refused.value.detail)

    assert len(set(said)) == 1


def test_a_remembered_token_expires_all_the_same(tmp_path: Path) -> None:
    gate = Gate(tmp_path, expires_ms=5_000)
    gate.admit(gate.header)

    gate.clock.advance(4_000)

    assert gate.is_refused()


def test_a_revoked_token_is_refused_once_the_file_is_read_again(
    tmp_path: Path,
) -> None:
    gate = Gate(tmp_path)
    gate.admit(gate.header)
    revoke_token(tmp_path, log=LOG, token_id=gate.new.token.id, clock=gate.clock)

    assert gate.gate.refresh()
    assert gate.is_refused()
    assert not gate.gate.refresh()


def test_a_token_that_was_added_is_admitted_after_a_refresh(tmp_path: Path) -> None:
    gate = Gate(tmp_path)
    new = add_token(tmp_path, log=LOG, clock=gate.clock, draw=lambda n: b"b" * n)
    header = f"Bearer {new.text}"
    refused_before = gate.is_refused(header)

    gate.gate.refresh()

    assert refused_before
    assert not gate.is_refused(header)


def test_a_file_that_was_taken_away_admits_nobody(tmp_path: Path) -> None:
    gate = Gate(tmp_path)
    gate.path.unlink()

    gate.gate.refresh()

    assert gate.is_refused()


def test_a_broken_file_changes_nothing_and_is_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    gate = Gate(tmp_path)
    gate.path.write_bytes(b"{")

    assert not gate.gate.refresh()
    assert not gate.gate.refresh()
    assert not gate.is_refused()
    assert [one.getMessage() for one in caplog.records] == ["tokens kept as they were"]


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    gate = Gate(tmp_path)
    beside = gate.path.with_name(gate.path.name + ".new")
    beside.mkdir()

    with pytest.raises(UsageError, match=r"cannot write .*tokens\.json"):
        revoke_token(tmp_path, log=LOG, token_id=gate.new.token.id, clock=gate.clock)

    assert list_tokens(tmp_path, log=LOG) == [gate.new.token]


@contextmanager
def no_descriptors() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_revocation_that_cannot_be_read_now_is_read_later(tmp_path: Path) -> None:
    gate = Gate(tmp_path)
    revoke_token(tmp_path, log=LOG, token_id=gate.new.token.id, clock=gate.clock)
    with no_descriptors():
        is_read_at_once = gate.gate.refresh()

    assert not is_read_at_once
    assert gate.gate.refresh()
    assert gate.is_refused()


def test_the_memory_of_headers_is_bounded_and_holds_no_secret(tmp_path: Path) -> None:
    gate = Gate(tmp_path)
    many = [drawn(seed) for seed in range(MAX_REMEMBERED // 64 + 1)]
    change_tokens(gate.path, lambda tokens: [*tokens, *(new.token for new in many)])
    gate.gate.refresh()
    spellings = [
        "".join(
            mark.upper() if place >> bit & 1 else mark
            for bit, mark in enumerate("bearer")
        )
        for place in range(64)
    ]
    for new in many:
        for spelling in spellings:
            gate.admit(f"{spelling} {new.text}")

    remembered = gate.gate._remembered
    assert len(remembered) == MAX_REMEMBERED
    assert all(len(digest) == 32 for digest in remembered)
    assert gate.admit(f"{spellings[0]} {many[0].text}") == many[0].token.principal


@given(st.text(max_size=400) | st.none())
def test_no_header_makes_admission_raise_anything_else(header: str | None) -> None:
    gate = TokenGate(LOG, Path("nowhere/tokens.json"), SetClock())

    with pytest.raises(UnauthorizedError):
        gate.admit(header, *SCOPES)
