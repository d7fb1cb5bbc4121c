"""The root key: made once, for its owner only, and it opens what it wrapped."""

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick_server.errors import StoreError, WrongKeyError
from tallystick_server.vault.root import FileRoot, HeldRoot, make_root


def write(path: Path, data: bytes, *, mode: int = 0o600) -> Path:
    path.write_bytes(data)
    path.chmod(mode)
    return path


@given(secret=st.binary(max_size=64), context=st.binary(max_size=64))
def test_what_was_wrapped_is_unwrapped_in_its_context(
    secret: bytes, context: bytes
) -> None:
    root = HeldRoot(b"r" * 32)

    wrapped = root.wrap(secret, context)

    assert root.unwrap(wrapped, context) == secret
    with pytest.raises(WrongKeyError):
        root.unwrap(wrapped, context + b"x")


@given(data=st.binary(max_size=100))
def test_what_was_not_wrapped_is_refused(data: bytes) -> None:
    with pytest.raises(WrongKeyError, match="the root key does not open this"):
        HeldRoot(b"r" * 32).unwrap(data, b"")


def test_another_root_key_opens_nothing() -> None:
    wrapped = HeldRoot(b"r" * 32).wrap(b"secret", b"context")

    with pytest.raises(WrongKeyError):
        HeldRoot(b"q" * 32).unwrap(wrapped, b"context")


def test_a_new_root_key_is_a_file_of_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "vault.root"

    make_root(path)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(bytes.fromhex(path.read_text())) == 32
    assert [file.name for file in tmp_path.iterdir()] == ["vault.root"]
    assert FileRoot(path).unwrap(FileRoot(path).wrap(b"x", b""), b"") == b"x"


def test_two_root_keys_are_different(tmp_path: Path) -> None:
    make_root(tmp_path / "one")
    make_root(tmp_path / "two")

    assert (tmp_path / "one").read_bytes() != (tmp_path / "two").read_bytes()


def test_a_root_key_that_is_there_is_kept(tmp_path: Path) -> None:
    path = write(tmp_path / "vault.root", b"1f" * 32)

    make_root(path)

    assert path.read_bytes() == b"1f" * 32


def test_half_a_root_key_that_a_crash_left_is_no_obstacle(tmp_path: Path) -> None:
    write(tmp_path / "vault.root.new", b"1f1f")

    make_root(tmp_path / "vault.root", draw=lambda size: b"\x01" * size)

    assert (tmp_path / "vault.root").read_bytes() == b"01" * 32 + b"\n"


def test_a_root_key_without_a_place_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot write"):
        make_root(tmp_path / "missing" / "vault.root")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660], ids=oct)
def test_a_root_key_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = write(tmp_path / "vault.root", b"1f" * 32, mode=mode)

    with pytest.raises(WrongKeyError, match=f"chmod 600 {path}"):
        FileRoot(path)


@pytest.mark.parametrize(
    "data",
    [b"", b"1f" * 31, b"1f" * 33, b"1F" * 32, b"zz" * 32, b"1f" * 32 + b"\n\n", b"\0"],
    ids=["empty", "short", "long", "capitals", "no hex", "two lines", "nul"],
)
def test_a_file_that_holds_no_root_key_is_refused_without_quoting_it(
    tmp_path: Path, data: bytes
) -> None:
    path = write(tmp_path / "vault.root", data)

    with pytest.raises(WrongKeyError) as caught:
        FileRoot(path)

    assert str(caught.value) == f"{path} does not hold a root key: 32 bytes in hex"


def test_a_lost_root_key_is_told_with_what_it_means(tmp_path: Path) -> None:
    with pytest.raises(WrongKeyError, match="without it no event can be read"):
        FileRoot(tmp_path / "vault.root")


def test_the_text_of_a_root_key_does_not_show_it() -> None:
    key = os.urandom(32)

    assert key.hex() not in repr(HeldRoot(key))
