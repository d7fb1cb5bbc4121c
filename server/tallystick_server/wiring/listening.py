"""Where the server listens: a bound socket, and TLS if it is configured."""

from __future__ import annotations

import socket
import ssl

from tallystick_server.config.model import ServerSettings, split_listen
from tallystick_server.errors import UsageError


def bind(settings: ServerSettings) -> socket.socket:
    """Bind the socket; nothing is accepted yet. Raises UsageError."""
    host, port = split_listen(settings.listen)
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        bound = socket.socket(family, socket.SOCK_STREAM)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind((host, port))
        except OSError:
            bound.close()
            raise
    except OSError as error:
        raise UsageError(
            f"cannot listen on {settings.listen}: {error.strerror}"
        ) from error
    return bound


def make_tls(settings: ServerSettings) -> ssl.SSLContext | None:
    """Load certificate and key; None where neither is configured."""
    if settings.tls_cert is None or settings.tls_key is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(settings.tls_cert, settings.tls_key)
    except OSError as error:  # SSLError is one
        reason = error.strerror or "not a certificate and its key"
        raise UsageError(
            f"cannot use {settings.tls_cert} and {settings.tls_key}: {reason}"
        ) from error
    return context
