"""`vault status`, `vault rotate`, `vault backup`, `vault restore`: the subjects' keys.

Exit codes: 0 done, 1 damaged or set back, 2 wrong usage, a root key that is missing or
does not fit, or a vault that somebody else has open, 5 the disk.
"""

from __future__ import annotations

from pathlib import Path
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
from tallystick_server.config.model import ServerSettings
from tallystick_server.errors import IntegrityError, UsageError

app = typer.Typer(
    help="Guard the keys of data subjects.", no_args_is_help=True, add_completion=False
)


@app.command("status")
@bounded
def status(
    deep: Annotated[bool, typer.Option("--deep", help="Open every key.")] = False,
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the vault, beside its server too, and what the logs need of it."""
    settings = load_settings(config, data).settings.server
    answer, problems = _look(settings, is_deep=deep)
    lines = [
        f"vault       {answer['vault']}",
        f"generation  {answer['generation']}",
        f"keys        {answer['keys']} ({answer['count']} ever made)",
        f"root key    {answer['root_key']}",
        *(["every key opens"] if deep else []),
        *problems,
    ]
    show({**answer, "problems": problems}, lines, as_json=as_json)
    if problems:
        raise typer.Exit(EXIT_INTEGRITY)


@app.command("rotate")
@bounded
def rotate(
    backup: Annotated[
        Path | None,
        typer.Option(help="Where the backup goes: a directory that does not exist."),
    ] = None,
    no_backup: Annotated[
        bool,
        typer.Option(
            "--no-backup",
            help="Take none. Danger: with the disk all events' contents are gone.",
        ),
    ] = False,
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Seal all keys anew and destroy the old data key; the server must be stopped."""
    from tallystick_server.vault.paths import vault_directory
    from tallystick_server.vault.root import FileRoot
    from tallystick_server.vault.rotation import RotationOrder
    from tallystick_server.vault.rotation import rotate as run
    from tallystick_server.wiring.vaulting import root_of

    if (backup is None) != no_backup:
        raise UsageError("give either --backup DIR or --no-backup")
    settings = load_settings(config, data).settings.server
    order = RotationOrder(vault_directory(settings.data), backup)
    with show_progress() as on_step:
        made = run(order, FileRoot(root_of(settings)), on_step)
    answer = {
        "vault": made.vault_id.hex(),
        "generation": made.generation,
        "keys": made.state.rows,
        "backup": None if backup is None else str(backup),
    }
    lines = [f"generation {made.generation}: {made.state.rows} keys sealed anew"]
    if backup is not None:
        lines.append(f"backup at {backup}")
    lines.append("Older backups still open what was erased since: destroy them.")
    show(answer, lines, as_json=as_json)


@app.command("backup")
@bounded
def backup(
    to: Annotated[Path, typer.Option("--to", help="A directory that does not exist.")],
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Copy the vault while it is served, and open every key of the copy."""
    from tallystick_server.vault.copying import back_up
    from tallystick_server.vault.paths import vault_directory
    from tallystick_server.vault.root import FileRoot
    from tallystick_server.wiring.vaulting import root_of

    settings = load_settings(config, data).settings.server
    directory, root = vault_directory(settings.data), FileRoot(root_of(settings))
    with show_progress() as on_step:
        made = back_up(directory, root, to, on_step)
    answer = {
        "backup": str(to),
        "vault": made.vault_id.hex(),
        "generation": made.generation,
        "keys": made.state.rows,
        "count": made.state.count,
    }
    lines = [
        f"{made.state.rows} keys, every one opened",
        f"backup at {to}; the root key is not in it, keep a copy of that elsewhere",
    ]
    show(answer, lines, as_json=as_json)


@app.command("restore")
@bounded
def restore(
    source: Annotated[Path, typer.Option("--from", help="A backup of the vault.")],
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring the vault back, every key opened; needs the root key."""
    from tallystick_server.vault.paths import vault_directory
    from tallystick_server.wiring.vaulting import restore_vault

    settings = load_settings(config, data).settings.server
    with show_progress() as on_step:
        made = restore_vault(settings, source, on_step)
    answer = {
        "vault": made.vault_id.hex(),
        "generation": made.generation,
        "keys": made.state.rows,
        "count": made.state.count,
    }
    place = vault_directory(settings.data)
    show(answer, [f"{made.state.rows} keys at {place}"], as_json=as_json)


def _look(
    settings: ServerSettings, *, is_deep: bool
) -> tuple[dict[str, object], list[str]]:
    """Open the vault for reading; give what there is to know, and what is wrong."""
    from contextlib import closing

    from tallystick_server.vault.base import check_mark
    from tallystick_server.vault.opening import open_vault
    from tallystick_server.vault.paths import vault_directory
    from tallystick_server.vault.root import FileRoot
    from tallystick_server.wiring.vaulting import read_marks, root_of

    directory, root = vault_directory(settings.data), root_of(settings)
    problems: list[str] = []
    logs: list[dict[str, object]] = []
    marks = read_marks(settings.data)  # before the vault: it only gets newer
    with (
        show_progress() as on_step,
        closing(open_vault(directory, FileRoot(root), read_only=True)) as vault,
    ):
        state, generation = vault.state(), vault.generation
        if is_deep:
            try:
                state = vault.check_rows(lambda done, all_: on_step("keys", done, all_))
            except IntegrityError as error:
                problems.append(str(error))
        for name, mark in marks.items():
            logs.append({"log": name, "needs": 0 if mark is None else mark.count})
            try:
                if mark is not None:
                    check_mark(vault, mark, needed_by=f"the log {name}")
            except IntegrityError as error:
                problems.append(str(error))
    answer: dict[str, object] = {
        "vault": generation.vault_id.hex(),
        "generation": generation.number,
        "keys": state.rows,
        "count": state.count,
        "root_key": str(root),
        "deep": is_deep,
        "logs": logs,
    }
    return answer, problems
