"""Every path of a log lies where the table says, and only logs are listed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick_server.errors import UsageError
from tallystick_server.log.paths import (
    check_log_name,
    derived_directory,
    key_path,
    keys_directory,
    lock_path,
    log_directory,
    log_names,
    logs_directory,
    next_key_path,
    recovery_key_path,
    staging_directory,
    store_directory,
    vkeys_path,
)

PATHS = {
    key_path: "keys/a.skey",
    next_key_path: "keys/a.next.skey",
    recovery_key_path: "keys/a.recovery.skey",
    log_directory: "logs/a",
    store_directory: "logs/a/log.lmdb",
    lock_path: "logs/a/writer.lock",
    vkeys_path: "logs/a/vkeys",
    staging_directory: "logs/.a.new",
    derived_directory: "derived/a",
}


@pytest.mark.parametrize(("path", "place"), PATHS.items(), ids=PATHS.values())
def test_a_path_lies_where_the_table_says(
    path: Callable[[Path, str], Path], place: str
) -> None:
    assert path(Path("data"), "a") == Path("data") / place


@pytest.mark.parametrize("path", PATHS, ids=PATHS.values())
@pytest.mark.parametrize("name", ["..", "../a", "", ".a.new", "a/b"])
def test_no_path_is_made_of_a_wrong_name(
    path: Callable[[Path, str], Path], name: str
) -> None:
    with pytest.raises(UsageError):
        path(Path("data"), name)


@given(st.from_regex(r"[a-z0-9][a-z0-9-]{0,62}", fullmatch=True))
def test_a_name_of_the_grammar_is_taken(name: str) -> None:
    check_log_name(name)


@given(st.text(max_size=70))
def test_any_other_text_raises_our_own_error(name: str) -> None:
    try:
        check_log_name(name)
    except UsageError:
        return
    assert log_directory(Path("data"), name).parent == logs_directory(Path("data"))


def test_logs_are_listed_in_order_and_nothing_else_is(tmp_path: Path) -> None:
    assert log_names(tmp_path) == []
    for name in ("b", "a", ".c.new", "not a log"):
        (logs_directory(tmp_path) / name).mkdir(parents=True)

    assert log_names(tmp_path) == ["a", "b"]
    assert keys_directory(tmp_path) == tmp_path / "keys"
