"""`fsck`: check all that is stored, entry by entry, against the public keys.

Exit codes: 0 sound, 1 damaged, 2 no such log or wrong usage.  It may run beside the
server, and then checks up to the head that was the last one at its beginning.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated

import typer

from tallystick_server.cli.bars import show_progress
from tallystick_server.cli.boundary import EXIT_INTEGRITY, bounded, show
from tallystick_server.cli.options import (
    ConfigOption,
    DataOption,
    JsonOption,
    load_settings,
)
from tallystick_server.config.load import Loaded
from tallystick_server.errors import IntegrityError, NotInitialisedError

_SHOWN = 20


@bounded
def fsck(
    log: Annotated[
        str | None, typer.Option("--log", help="Name of the log. Default: all.")
    ] = None,
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check stored logs whole: entries, tree, heads, checkpoint, idempotency keys."""
    from tallystick_server.log.paths import log_names, logs_directory

    loaded = load_settings(config, data)
    folder = loaded.settings.server.data
    names = [log] if log is not None else log_names(folder)
    if not names:
        raise NotInitialisedError(
            f"no log at {logs_directory(folder)}; make one with: tallystick server init"
        )
    reports = [_check(loaded, name) for name in names]
    is_sound = all(report["sound"] for report in reports)
    lines = [line for report in reports for line in _describe(report)]
    show({"sound": is_sound, "logs": reports}, lines, as_json=as_json)
    if not is_sound:
        raise typer.Exit(EXIT_INTEGRITY)


def _check(loaded: Loaded, name: str) -> dict[str, object]:
    """Check one log; a store that cannot even be opened is a finding too."""
    from tallystick_server.wiring.checking import check_stored

    try:
        with show_progress() as on_step:
            report = check_stored(
                loaded.settings.server.data,
                name,
                loaded.log(name),
                on_progress=lambda done, size: on_step(name, done, size),
            )
    except IntegrityError as error:
        problem = {"kind": "store", "text": str(error)}
        return {
            "log": name,
            "sound": False,
            "counts": {"store": 1},
            "problems": [problem],
        }
    return {
        "log": name,
        "sound": report.is_sound,
        "size": report.size,
        "root": report.root.hex(),
        "heads": report.heads,
        "keys": report.keys,
        "events": report.events,
        "doubts": report.doubt_count,
        "counts": {kind.value: count for kind, count in report.counts.items()},
        "problems": [asdict(problem) for problem in report.problems],
    }


def _describe(report: dict[str, object]) -> Iterator[str]:
    """Say for people what was found in one log."""
    problems = report["problems"]
    if report["sound"]:
        events = f" ({report['events']} events)" if report["events"] else ""
        yield (
            f"{report['log']}: sound: {report['size']} entries{events},"
            f" {report['heads']} heads, {report['keys']} idempotency keys;"
            f" root {report['root']}"
        )
        return
    yield f"{report['log']}: DAMAGED: {report['counts']}"
    for problem in problems[:_SHOWN] if isinstance(problems, list) else []:
        yield f"  {problem['kind']}: {problem['text']}"
