"""Refuse what another reader on the way could have cut into other requests.

Where a proxy may see another end of a request (RFC 9112 §6.1), or another protocol,
nothing that follows on the connection is read.
"""

from __future__ import annotations

from aiohttp import HttpVersion10, HttpVersion11, hdrs, http_parser, web
from aiohttp.typedefs import Handler

from tallystick_witness.errors import EncodedError, UsageError

_VERSIONS = (HttpVersion11, HttpVersion10)


@web.middleware
async def refuse_doubtful(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse a request whose framing is doubtful, and end its connection.

    A version that we do not speak is not even answered: the answer would claim it.
    """
    if request.version not in _VERSIONS:
        request.protocol.force_close()
        raise EncodedError("HTTP/1.1 or HTTP/1.0 is spoken here")
    coding = request.headers.get(hdrs.TRANSFER_ENCODING)
    if coding is not None and (
        coding.lower() != "chunked" or request.version < HttpVersion11
    ):
        request.protocol.close()
        raise EncodedError("the only transfer encoding taken is chunked, of HTTP/1.1")
    return await handler(request)


def check_parser() -> None:
    """Raise UsageError unless requests are read by the parser that was tested.

    The HTTP library has a second one, which takes more than a proxy may.
    """
    if http_parser.HttpRequestParser is http_parser.HttpRequestParserPy:
        raise UsageError(
            "the HTTP library lacks its compiled parser: unset AIOHTTP_NO_EXTENSIONS, "
            "or install aiohttp from a wheel"
        )
