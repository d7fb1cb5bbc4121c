"""Tokens: how they are made, found, stored and revoked."""

from __future__ import annotations

import json
import os
import stat
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick_server.clock import SetClock
from tallystick_server.errors import (
    NotInitialisedError,
    UsageError,
)
from tallystick_server.log.tokenfile import (
    MAX_FILE,
    add_token,
    change_tokens,
    format_tokens,
    list_tokens,
    parse_tokens,
    read_tokens,
    revoke_token,
)
from tallystick_server.log.tokens import (
    SCOPE_EMIT,
    SCOPE_READ,
    SCOPES,
    SCOPES_OF,
    SERVER_PRINCIPAL,
    Token,
    TokenBook,
    make_token,
    order_scopes,
    revoke,
)
from tests.unit.server.log.drawn_tokens import LOG, drawn, folder


def test_a_token_names_its_log_and_ends_in_a_checksum() -> None:
    new = drawn(1)

    prefix, log, token_id, secret, checksum = new.text.split("_")

    assert (prefix, log, token_id) == ("tally", LOG, new.token.id)
    assert (len(token_id), len(secret), len(checksum)) == (16, 64, 8)


def test_only_the_hash_of_the_secret_is_kept_and_nothing_shows_it() -> None:
    new = drawn(1)
    secret = new.text.split("_")[3]

    assert new.token.digest == sha256(secret.encode()).digest()
    assert secret not in repr(new)
    assert new.token.digest.hex() not in repr(new.token)
    assert secret not in format_tokens([new.token]).decode()


def test_a_token_is_found_by_its_text() -> None:
    tokens = [drawn(seed) for seed in range(3)]
    book = TokenBook(LOG, [new.token for new in tokens])

    assert [book.find(new.text) for new in tokens] == [new.token for new in tokens]


def test_a_token_with_any_other_secret_id_log_or_checksum_is_nobodys() -> None:
    new = drawn(1)
    book = TokenBook(LOG, [new.token])
    _, _, token_id, secret, checksum = new.text.split("_")
    other = drawn(2).text.split("_")

    for text in (
        drawn(2).text,
        f"tally_{LOG}_{token_id}_{other[3]}_{checksum}",
        f"tally_{LOG}_{other[2]}_{secret}_{checksum}",
        f"tally_other_{token_id}_{secret}_{checksum}",
        f"tally_{LOG}_{token_id}_{secret}_00000000",
        new.text.upper(),
        f" {new.text}",
        f"{new.text}\n",
    ):
        assert book.find(text) is None


def test_a_token_of_another_log_is_nobodys_even_with_our_id() -> None:
    new = drawn(1)

    assert TokenBook("other", [new.token]).find(new.text) is None


@given(st.text(max_size=300))
def test_no_text_makes_finding_raise(text: str) -> None:
    assert TokenBook(LOG, [drawn(1).token]).find(text) is None


def test_scopes_are_kept_once_each_and_in_one_order() -> None:
    given = [SCOPE_READ, SCOPE_EMIT, SCOPE_READ]

    new = make_token(log=LOG, created_ms=1, draw=bytes, scopes=given)

    assert new.token.scopes == order_scopes(reversed(given)) == (SCOPE_EMIT, SCOPE_READ)


@pytest.mark.parametrize("scopes", [(), ("",), ("Read",), ("read", "write")])
def test_a_token_without_a_scope_that_there_is_cannot_be_made(
    scopes: tuple[str, ...],
) -> None:
    with pytest.raises(ValueError, match="scope"):
        make_token(log=LOG, created_ms=1, draw=bytes, scopes=scopes)


def test_every_scope_means_something_for_one_kind_of_log() -> None:
    assert sorted(scope for held in SCOPES_OF.values() for scope in held) == sorted(
        SCOPES
    )


def test_nobody_sends_events_under_the_servers_own_name() -> None:
    with pytest.raises(ValueError, match="'tallystick'"):
        make_token(
            log=LOG,
            created_ms=1,
            draw=bytes,
            principal=SERVER_PRINCIPAL,
            scopes=[SCOPE_EMIT],
        )


@pytest.mark.parametrize("principal", ["A", "a b", "x" * 65, "a/b", "ä", "a\0b"])
def test_a_principal_is_plain(principal: str) -> None:
    with pytest.raises(ValueError, match="principal"):
        make_token(log=LOG, created_ms=1, draw=bytes, principal=principal)


def test_a_token_of_an_impossible_principal_is_not_stored(tmp_path: Path) -> None:
    path = folder(tmp_path)

    with pytest.raises(UsageError, match="principal 'a b'"):
        add_token(tmp_path, log=LOG, clock=SetClock(), draw=bytes, principal="a b")

    assert not path.exists()


def test_expired_and_revoked_tokens_are_not_valid() -> None:
    token = Token("id", "p", b"d" * 32, 1_000, expires_ms=5_000)

    assert token.is_valid_at(4_999)
    assert not token.is_valid_at(5_000)
    assert not revoke([token], "id", time_ms=2_000)[0].is_valid_at(2_000)


def test_a_second_revocation_keeps_the_first_time() -> None:
    once = revoke([drawn(1).token], drawn(1).token.id, time_ms=2_000)

    assert revoke(once, drawn(1).token.id, time_ms=3_000)[0].revoked_ms == 2_000


def test_the_file_gives_back_what_was_written() -> None:
    tokens = [
        drawn(1).token,
        Token("ab" * 8, "p", b"d" * 32, 1_001, expires_ms=5_002, revoked_ms=4_003),
        Token("cd" * 8, "q", b"d" * 32, 1_001, (SCOPE_EMIT, SCOPE_READ)),
        Token("ef" * 8, SERVER_PRINCIPAL, b"d" * 32, 1_001, (SCOPE_READ,)),
    ]

    assert parse_tokens(format_tokens(tokens)) == tokens


@pytest.mark.parametrize(
    "change",
    [
        {"tokens": [{}]},
        {"tokens": [1]},
        {"tokens": {}},
        {"tokens": None},
    ],
)
def test_a_file_of_another_shape_is_refused(
    tmp_path: Path, change: dict[str, object]
) -> None:
    body = json.loads(format_tokens([drawn(1).token])) | change
    path = tmp_path / "tokens.json"
    path.write_text(json.dumps(body), encoding="utf-8")

    with pytest.raises(UsageError, match="not a token file"):
        read_tokens(path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("id", 5),
        ("id", "\ud800"),
        ("principal", "\ud800"),
        ("principal", "a\0b"),
        ("created", "0001-01-01T00:00:00+23:59"),
        ("expires", "9999-12-31T23:59:59-23:59"),
        ("sha256", "zz"),
        ("sha256", "00"),
        ("scopes", []),
        ("scopes", "append"),
        ("scopes", ["write"]),
        ("scopes", ["admin", "append"]),
        ("scopes", ["append", "append"]),
        ("scopes", ["append", 5]),
        ("scopes", [["append"]]),
        ("scopes", None),
        ("created", "yesterday"),
        ("created", "2026-01-01T00:00:00"),
        ("expires", 5),
        ("revoked", ""),
    ],
)
def test_a_row_with_a_wrong_field_is_refused(
    tmp_path: Path, name: str, value: object
) -> None:
    body = json.loads(format_tokens([drawn(1).token]))
    body["tokens"][0][name] = value
    path = tmp_path / "tokens.json"
    path.write_text(json.dumps(body), encoding="utf-8")

    with pytest.raises(UsageError, match="not a token file"):
        read_tokens(path)


@given(st.binary(max_size=200))
def test_no_bytes_make_reading_raise_anything_else(data: bytes) -> None:
    try:
        parse_tokens(data)
    except (ValueError, KeyError, TypeError):
        return


def test_a_file_that_is_too_long_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    with path.open("wb") as file:
        file.truncate(MAX_FILE + 1)

    with pytest.raises(UsageError, match="longer than"):
        read_tokens(path)


def test_the_file_is_replaced_whole_and_only_for_its_owner(tmp_path: Path) -> None:
    path = folder(tmp_path)
    clock = SetClock()
    first = add_token(tmp_path, log=LOG, clock=clock, draw=lambda n: b"a" * n)
    second = add_token(
        tmp_path, log=LOG, clock=clock, draw=lambda n: b"b" * n, expires_ms=9
    )

    assert list_tokens(tmp_path, log=LOG) == [first.token, second.token]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [item.name for item in path.parent.iterdir()] == ["tokens.json"]


def test_a_file_left_over_by_a_crash_is_no_obstacle(tmp_path: Path) -> None:
    path = folder(tmp_path)
    path.with_name("tokens.json.new").write_bytes(b"half")

    change_tokens(path, lambda tokens: [*tokens, drawn(1).token])

    assert read_tokens(path) == [drawn(1).token]


def test_revoking_needs_a_token_that_is_there(tmp_path: Path) -> None:
    folder(tmp_path)
    clock = SetClock()
    new = add_token(tmp_path, log=LOG, clock=clock, draw=lambda n: b"a" * n)

    revoke_token(tmp_path, log=LOG, token_id=new.token.id, clock=clock)

    assert list_tokens(tmp_path, log=LOG)[0].revoked_ms == clock.now_ms()
    with pytest.raises(UsageError, match="no token"):
        revoke_token(tmp_path, log=LOG, token_id="none", clock=clock)


def test_without_a_log_there_are_no_tokens(tmp_path: Path) -> None:
    with pytest.raises(NotInitialisedError):
        list_tokens(tmp_path, log=LOG)
    with pytest.raises(NotInitialisedError):
        add_token(tmp_path, log=LOG, clock=SetClock(), draw=bytes)
    with pytest.raises(UsageError, match="cannot name a log"):
        add_token(tmp_path, log="../x", clock=SetClock(), draw=bytes)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_file_that_root_changes_stays_the_servers_own(tmp_path: Path) -> None:
    path = folder(tmp_path)
    os.chown(path.parent, 12_345, 12_346)

    add_token(tmp_path, log=LOG, clock=SetClock(), draw=lambda n: b"a" * n)

    assert (path.stat().st_uid, path.stat().st_gid) == (12_345, 12_346)
