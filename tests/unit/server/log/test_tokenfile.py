"""The token file of another version is refused, and both versions are named."""

from pathlib import Path

import pytest

from tallystick_server.errors import UsageError
from tallystick_server.log.tokenfile import format_tokens, read_tokens


@pytest.mark.parametrize("found", [0, 2])
def test_a_token_file_of_another_format_is_refused(tmp_path: Path, found: int) -> None:
    path = tmp_path / "tokens.json"
    path.write_bytes(format_tokens([]).replace(b'"format": 1', b'"format": %d' % found))

    with pytest.raises(UsageError, match=f"tokens.json: .* format {found} .* knows 1"):
        read_tokens(path)


@pytest.mark.parametrize("found", [b"true", b"1.0", b'"1"', b"null"])
def test_a_format_that_is_no_number_is_refused(tmp_path: Path, found: bytes) -> None:
    path = tmp_path / "tokens.json"
    path.write_bytes(format_tokens([]).replace(b'"format": 1', b'"format": ' + found))

    with pytest.raises(UsageError, match="not a token file"):
        read_tokens(path)
