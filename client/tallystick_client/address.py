"""Where a log is: from the server's URL, the log's name and the policy.

server  https://log.example        the base URL of a Tallystick server
log     cloudtrail                 a name: [a-z0-9][a-z0-9-]{0,62}
origin  the one log of the policy, or the one named
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from urllib.parse import urlsplit

from tallystick_client.errors import UsageError
from tallystick_merkle.exchange.appending import LogAddress
from tallystick_merkle.policy import Policy

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}", re.ASCII)
_TOKEN = re.compile(r"[!-~]{1,1024}", re.ASCII)


def log_address(server: str, log: str, *, origin: str, token: str = "") -> LogAddress:
    """Put together the address of a log on a server.

    Raises UsageError for a URL, a name or a token that cannot be one.
    """
    base = check_url(server)
    if _NAME.fullmatch(log) is None:
        raise UsageError(f"{log!r} is not the name of a log: a-z, 0-9 and '-', max 63")
    if token and _TOKEN.fullmatch(token) is None:
        raise UsageError("the token holds a space or a character that is not ASCII")
    return LogAddress(origin, f"{base}/v1/logs/{log}", f"{base}/t/{log}", token)


def check_url(url: str) -> str:
    """Return a base URL without its last slash; raise UsageError for another kind.

    A name or password inside the URL is refused, because URLs are shown in errors.
    """
    try:
        parts = urlsplit(url)
        has_host = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError as error:
        raise UsageError("the server's URL cannot be read") from error
    if parts.username is not None or parts.password is not None:
        raise UsageError("a URL must not hold a name or password: use a token file")
    if parts.scheme not in {"http", "https"} or not has_host:
        raise UsageError(f"{url!r} is not a URL like https://log.example")
    if parts.query or parts.fragment or not url.isascii() or not url.isprintable():
        raise UsageError(f"{url!r} is not a base URL: no query, no fragment")
    return url.rstrip("/")


def is_in_the_clear(url: str) -> bool:
    """Whether what is sent there can be read on its way to another machine."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        is_here = host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        is_here = False
    return parts.scheme == "http" and not is_here


def origin_of(policy: Policy, wanted: str | None = None) -> str:
    """Give the origin to ask for: the one named, or the only one of the policy."""
    origins = list(dict.fromkeys(log.key.name for log in policy.logs))
    if wanted is not None:
        if wanted not in origins:
            raise UsageError(f"the policy lists no log with origin {wanted!r}")
        return wanted
    if len(origins) != 1:
        raise UsageError(
            f"the policy lists {len(origins)} logs: name one with --origin"
        )
    return origins[0]
