"""What the HTTP library refuses by itself, answered and logged as all else.

Its own answers name its version and Python's, and its log lines hold the bytes that
came.  Here both are one plain line.
"""

from __future__ import annotations

import logging

from aiohttp import hdrs, web

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    hdrs.SERVER: "tallystick",  # else the HTTP library names itself and its version
}
"""On every answer."""

_log = logging.getLogger(__name__)


class PlainHandler(web.RequestHandler):
    """Serves one connection; what the library refuses is one line of text."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what was not understood; ends the connection where one has begun."""
        super().handle_error(request, status, exc, message)
        text = (
            "this is no well-formed HTTP request" if status < 500 else "internal error"
        )
        response = web.Response(status=status, text=text + "\n")
        response.force_close()
        return response

    async def finish_response(
        self,
        request: web.BaseRequest,
        resp: web.StreamResponse,
        start_time: float | None,
    ) -> tuple[web.StreamResponse, bool]:
        """Send an answer, whoever made it, with the headers of all."""
        resp.headers.update(HEADERS)
        return await super().finish_response(request, resp, start_time)

    def log_exception(self, *args: object, **kw: object) -> None:
        """Log an error of ours at length, and one of the client's as a fact."""
        error = kw.get("exc_info")
        if type(error).__module__.startswith("aiohttp.http"):
            _log.info("malformed request")
        else:
            super().log_exception(*args, **kw)


class PlainServer(web.Server):
    """Makes a handler for each connection."""

    def __call__(self) -> PlainHandler:
        """Make the handler of a new connection."""
        return PlainHandler(self, loop=self._loop, **self._kwargs)


class PlainRunner(web.AppRunner):
    """Runs an application behind a `PlainServer`."""

    async def _make_server(self) -> web.Server:
        """Start the application, and serve it by our handlers."""
        made = await super()._make_server()
        return PlainServer(
            made.request_handler, request_factory=made.request_factory, **self._kwargs
        )
