"""What is refused before the application sees it, and by whom: the HTTP library.

Its own answers are plain text and name its version and Python's.  Here a request that
could not be read, and whatever the library raises outside the application, is answered
by the same problem documents as everything else.
"""

from __future__ import annotations

from aiohttp import web
from aiohttp.web_request import BaseRequest

from tallystick_server.errors import BadRequestError
from tallystick_server.web.problems import refusal, routed, unexpected


class ProblemHandler(web.RequestHandler):
    """Serves one connection; what the library refuses is a problem document."""

    __slots__ = ()

    def handle_error(
        self,
        request: BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer a request that was not understood, or an error of nobody's.

        The library logs it, and ends the connection where an answer has begun.
        """
        super().handle_error(request, status, exc, message)
        if status == 400:
            error = BadRequestError("this is no well-formed HTTP request")
            response = refusal(request, error)
        else:
            response = unexpected(request)
        response.force_close()
        return response

    async def finish_response(
        self,
        request: BaseRequest,
        resp: web.StreamResponse,
        start_time: float | None,
    ) -> tuple[web.StreamResponse, bool]:
        """Send an answer; one of the library's own is replaced."""
        if isinstance(resp, web.HTTPException):
            resp = routed(request, resp)
        return await super().finish_response(request, resp, start_time)


class ProblemServer(web.Server):
    """Makes a handler for each connection."""

    def __call__(self) -> ProblemHandler:
        """Make the handler of a new connection."""
        return ProblemHandler(self, loop=self._loop, **self._kwargs)


class ProblemRunner(web.AppRunner):
    """Runs an application behind a `ProblemServer`."""

    async def _make_server(self) -> web.Server:
        """Start the application, and serve it by our handlers."""
        made = await super()._make_server()
        return ProblemServer(
            made.request_handler, request_factory=made.request_factory, **self._kwargs
        )
