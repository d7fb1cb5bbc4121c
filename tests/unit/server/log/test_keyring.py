"""A signing key is read from a file of its owner's, and never overwritten."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from tallystick_merkle.checkpoint import Checkpoint
from tallystick_merkle.cosignature import open_log_checkpoint
from tallystick_merkle.keys import KeyType, SigningKey, format_skey, make_signing_key
from tallystick_server.errors import UsageError, WrongKeyError
from tallystick_server.log.keyring import KeySigner, read_key, write_key

NAME = "log.example/events"


def key(type: KeyType = KeyType.ED25519) -> SigningKey:  # noqa: A002 -- the field's own word
    return make_signing_key(name=NAME, type=type, seed=b"k" * 32)


def test_a_key_reads_as_written_and_is_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "a.skey"

    write_key(path, key())

    assert read_key(path) == key()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "a.skey"
    path.write_text("something that is there")

    with pytest.raises(UsageError, match="never overwritten"):
        write_key(path, key())

    assert path.read_text() == "something that is there"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601])
def test_a_key_that_others_may_read_or_change_is_refused(
    tmp_path: Path, mode: int
) -> None:
    path = tmp_path / "a.skey"
    write_key(path, key())
    path.chmod(mode)

    with pytest.raises(WrongKeyError, match="chmod 600"):
        read_key(path)


def test_a_key_that_is_missing_is_the_wrong_key(tmp_path: Path) -> None:
    with pytest.raises(WrongKeyError, match="No such file"):
        read_key(tmp_path / "a.skey")


@pytest.mark.parametrize("data", [b"", b"secret bytes", b"\xff", bytes(100_000)])
def test_a_file_without_a_key_is_refused_and_not_repeated(
    tmp_path: Path, data: bytes
) -> None:
    path = tmp_path / "a.skey"
    path.write_bytes(data)
    path.chmod(0o600)

    with pytest.raises(WrongKeyError, match="does not hold a signing key") as caught:
        read_key(path)

    assert "secret" not in str(caught.value)


def test_a_key_with_a_line_feed_or_without_is_the_same(tmp_path: Path) -> None:
    path = tmp_path / "a.skey"
    path.write_text(format_skey(key()))
    path.chmod(0o600)

    assert read_key(path) == key()


def test_a_signer_signs_checkpoints_as_its_log() -> None:
    signer = KeySigner(key())
    checkpoint = Checkpoint(NAME, 7, bytes(32))

    opened = open_log_checkpoint(
        signer.sign(checkpoint), origin=NAME, log_keys=(signer.key,)
    )

    assert opened.checkpoint == checkpoint


@pytest.mark.parametrize("type", [KeyType.COSIGNATURE, KeyType.MLDSA44])
def test_a_witness_key_signs_for_no_log(type: KeyType) -> None:  # noqa: A002 -- the field's own word
    with pytest.raises(WrongKeyError, match="not an Ed25519 log key"):
        KeySigner(key(type))
