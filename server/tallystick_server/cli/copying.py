"""`backup` and `restore`: take a copy of logs elsewhere, and bring it back for reading.

Exit codes: 0 done, 1 damaged, 2 wrong usage or something in the way, 5 the disk.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tallystick_server.cli.bars import show_progress
from tallystick_server.cli.boundary import bounded, show
from tallystick_server.cli.options import (
    ConfigOption,
    DataOption,
    JsonOption,
    load_settings,
)
from tallystick_server.errors import NotInitialisedError

LogsOption = Annotated[
    list[str] | None,
    typer.Option("--log", help="Name of a log; may be repeated. Default: all."),
]


@bounded
def backup(
    to: Annotated[Path, typer.Option("--to", help="A directory that does not exist.")],
    log: LogsOption = None,
    check: Annotated[
        bool, typer.Option("--check", help="Check every entry of the copy, as fsck.")
    ] = False,
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Copy logs while they are served: no keys, no tokens, no anchor."""
    from tallystick_server.clock import SystemClock
    from tallystick_server.log.paths import log_names, logs_directory
    from tallystick_server.wiring.backing import BackupOrder, back_up
    from tallystick_server.wiring.opening import read_policy

    loaded = load_settings(config, data)
    folder = loaded.settings.server.data
    names = log or log_names(folder)
    if not names:
        raise NotInitialisedError(
            f"no log at {logs_directory(folder)}; make one with: tallystick server init"
        )
    policies = {name: read_policy(loaded.log(name).policy) for name in names}
    with show_progress() as on_step:
        made = back_up(
            BackupOrder(folder, policies, to, is_checked=check), SystemClock(), on_step
        )
    rows = [
        {
            "log": one.name,
            "origin": one.origin,
            "size": one.size,
            "root": one.root.hex(),
            "bytes": one.bytes,
        }
        for one in made.logs
    ]
    lines = [
        f"{one.name}: {one.size} entries, root {one.root.hex()}, {one.bytes} bytes"
        for one in made.logs
    ]
    answer = {"backup": str(to), "checked": check, "logs": rows}
    show(answer, [*lines, f"backup at {to}"], as_json=as_json)


@bounded
def restore(
    source: Annotated[Path, typer.Option("--from", help="A backup.")],
    log: LogsOption = None,
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring logs back from a backup, checked entry by entry; they are read-only."""
    from tallystick_server.clock import SystemClock
    from tallystick_server.wiring.restoring import RestoreOrder, restore

    folder = load_settings(config, data).settings.server.data
    with show_progress() as on_step:
        logs = restore(
            RestoreOrder(source, folder, frozenset(log or ())), SystemClock(), on_step
        )
    rows = [
        {
            "log": one.name,
            "origin": one.origin,
            "size": one.size,
            "root": one.root.hex(),
        }
        for one in logs
    ]
    lines = [f"{one.name}: {one.size} entries, root {one.root.hex()}" for one in logs]
    lines.append(
        f"read-only below {folder}: serve reads with tallystick server serve, or let a "
        "log take over with tallystick server promote"
    )
    show({"data": str(folder), "logs": rows}, lines, as_json=as_json)
