"""What all JSON answers of a log are read with, and how a token is shown to it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from tallystick_merkle.errors import ExchangeError, MalformedError
from tallystick_merkle.hashing import MAX_SIZE
from tallystick_merkle.receipt import MAX_PATH
from tallystick_merkle.spelling import parse_hash

_VISIBLE = re.compile(r"[!-~]+", re.ASCII)


def authorization(token: str) -> dict[str, str]:
    """Give the header that shows a token, or none for no token.

    Raises MalformedError for one that no header can hold.
    """
    if token and not _VISIBLE.fullmatch(token):
        raise MalformedError("token", "expected visible ASCII characters only")
    return {"Authorization": f"Bearer {token}"} if token else {}


def read_object(body: bytes) -> dict[str, object]:
    """Read a JSON object; raise ExchangeError for anything else."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ExchangeError("the log did not answer in JSON") from error
    if not isinstance(value, dict):
        raise ExchangeError("the log did not answer with a JSON object")
    return value


def text_of(body: Mapping[str, object], name: str) -> str:
    """Give a text of an answer; raise MalformedError where there is none."""
    value = body.get(name)
    if not isinstance(value, str):
        raise MalformedError("append answer", f"no text {name!r}")
    return value


def octets_of(body: Mapping[str, object], name: str) -> bytes:
    """Encode a text of an answer; JSON can spell texts that have no UTF-8."""
    try:
        return text_of(body, name).encode()
    except UnicodeEncodeError as error:
        raise MalformedError("append answer", f"{name!r} is no Unicode") from error


def number_of(body: Mapping[str, object], name: str) -> int:
    """Give an index or a size of an answer; raise MalformedError without one."""
    value = body.get(name)
    if type(value) is not int or not 0 <= value <= MAX_SIZE:
        raise MalformedError("append answer", f"no number {name!r}")
    return value


def hashes_of(body: Mapping[str, object], name: str) -> list[bytes]:
    """Give the hashes of a proof in an answer; raise MalformedError without them."""
    value = body.get(name)
    if not isinstance(value, list) or len(value) > MAX_PATH:
        raise MalformedError("batch answer", f"no list of hashes {name!r}")
    if not all(isinstance(item, str) for item in value):
        raise MalformedError("batch answer", f"no list of hashes {name!r}")
    return [
        parse_hash(item.encode("ascii", "replace"), what="batch answer", where=name)
        for item in value
    ]
