"""`serve`: run the server until it is told to stop."""

from __future__ import annotations

import gc
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TextIO

import typer

from tallystick_server.cli.boundary import bounded
from tallystick_server.cli.options import (
    ConfigOption,
    DataOption,
    load_settings,
)
from tallystick_server.config.load import Loaded
from tallystick_server.errors import UsageError

log = logging.getLogger(__name__)

_COLLECTOR = (50_000, 20, 100)
"""Requests leave hardly a cycle: to look for some a thousand times a second is work."""

ListenOption = Annotated[
    str | None,
    typer.Option(help="HOST:PORT; port 0 takes a free one, and the line says it."),
]
ReadOnlyOption = Annotated[
    bool, typer.Option("--read-only", help="Serve reads; take and sign nothing.")
]
InsecureOption = Annotated[
    bool,
    typer.Option(
        "--insecure-http",
        help="Serve plain HTTP to other machines. Tokens travel in the clear.",
    ),
]
CertificateOption = Annotated[Path | None, typer.Option(help="Certificate chain, PEM.")]
CertificateKeyOption = Annotated[Path | None, typer.Option(help="Its key, PEM.")]
LevelOption = Annotated[str | None, typer.Option(help="debug, info, warning or error.")]
NewAnchorOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="LOG",
        help="Begin the anchor of this log anew, this once. Only after its loss was"
        " explained.",
    ),
]
UnprovenOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="LOG",
        help="Sign for this log, this once, though no quorum of witnesses confirmed"
        " it. Danger: if it was set back, this forks it for good.",
    ),
]


@bounded
def serve(  # noqa: PLR0913 -- each option of the command is an argument
    *,
    data: DataOption = None,
    config: ConfigOption = None,
    listen: ListenOption = None,
    read_only: ReadOnlyOption = False,
    insecure_http: InsecureOption = False,
    tls_cert: CertificateOption = None,
    tls_key: CertificateKeyOption = None,
    log_level: LevelOption = None,
    new_anchor: NewAnchorOption = None,
    sign_unproven: UnprovenOption = None,
) -> None:
    """Serve all logs of the data directory."""
    flags = {
        "listen": listen,
        "read_only": read_only or None,
        "insecure_http": insecure_http or None,
        "tls_cert": None if tls_cert is None else str(tls_cert),
        "tls_key": None if tls_key is None else str(tls_key),
        "log_level": log_level,
    }
    _run(
        lambda: load_settings(config, data, **flags),
        new_anchor=frozenset(new_anchor or ()),
        unproven=frozenset(sign_unproven or ()),
    )


def _run(
    load: Callable[[], Loaded], *, new_anchor: frozenset[str], unproven: frozenset[str]
) -> None:
    """Load the configuration, now and on each SIGHUP, and serve."""
    import uvloop

    from tallystick_server.clock import SystemClock
    from tallystick_server.log.paths import log_names
    from tallystick_server.ops.logging import set_level, set_up_logging
    from tallystick_server.wiring.running import Permissions, check_permissions
    from tallystick_server.wiring.serving import Start
    from tallystick_server.wiring.serving import serve as run

    loaded = load()
    permissions = Permissions(new_anchor, unproven)
    check_permissions(permissions, loaded, log_names(loaded.settings.server.data))
    set_up_logging(loaded.settings.server.log_level)

    def reload() -> None:
        try:
            set_level(load().settings.server.log_level)
        except UsageError as error:
            log.error("configuration kept as it was", extra={"why": str(error)})  # noqa: TRY400 -- the message says it all

    async def main() -> None:
        gc.collect()
        gc.freeze()  # what was imported stays
        gc.set_threshold(*_COLLECTOR)
        await run(Start(loaded, SystemClock(), permissions, _announce, reload))

    try:
        uvloop.run(main())
    finally:
        _let_go()


def _announce(url: str) -> None:
    """Say on stdout that connections are accepted, and where.

    Where nobody can hear it, on a full disk or a closed pipe, entries are taken all
    the same.
    """
    try:
        sys.stdout.write(f"listening on {url}\n")
        sys.stdout.flush()
    except OSError as error:
        log.warning("stdout is lost", extra={"url": url, "why": error.strerror})
        _forget(sys.stdout)


def _let_go() -> None:
    """See that log lines that cannot be written do not become the exit code.

    Python ends with 120 when it cannot flush at its end; a supervisor would take that
    for a failure of the log.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            _forget(stream)


def _forget(stream: TextIO) -> None:
    """Let what a stream still holds go nowhere: its loss is no error of the process."""
    nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
