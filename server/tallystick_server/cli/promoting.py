"""`promote`: let a restored log take over from its original.

Exit codes: 0 done, 1 a witness has seen more or something else, 2 wrong key or usage,
or not confirmed: then nothing was changed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tallystick_server.cli.boundary import bounded, show
from tallystick_server.cli.options import (
    ConfigOption,
    DataOption,
    JsonOption,
    LogOption,
    load_settings,
)


@bounded
def promote(
    *,
    log: LogOption,
    key: Annotated[Path, typer.Option("--key", help="The log's signing key, 0600.")],
    original_is_stopped: Annotated[
        bool,
        typer.Option(
            "--original-is-stopped",
            help="Yes: nothing else signs for this log, nor ever will. Danger: if it"
            " does, one of the two is lost.",
        ),
    ] = False,
    without_witnesses: Annotated[
        bool,
        typer.Option(
            "--without-witnesses",
            help="Yes: nobody can tell whether this is the newest state. Danger: if it"
            " is not, this forks the log for good.",
        ),
    ] = False,
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a restored log sign: its next start has to be confirmed by its witnesses."""
    import asyncio

    from tallystick_server.clock import SystemClock
    from tallystick_server.wiring.promoting import PromoteOrder, promote_by_asking

    loaded = load_settings(config, data)
    server = loaded.settings.server
    order = PromoteOrder(
        server.data,
        log,
        loaded.log(log),
        key,
        is_original_stopped=original_is_stopped,
        is_unwitnessed=without_witnesses,
    )

    installed, marker = asyncio.run(
        promote_by_asking(order, SystemClock(), timeout_s=server.witness_timeout_s)
    )
    answer = {
        "log": log,
        "origin": installed.name,
        "size": marker.size,
        "root": marker.root.hex(),
        "state": marker.state.value,
    }
    first = f"{log}: promoted at size {answer['size']}, root {answer['root']}"
    then = (
        "not confirmed yet: its next start takes entries once its witnesses have "
        "cosigned a head that it made. Next: tallystick server serve"
    )
    show(answer, [first, then], as_json=as_json)
