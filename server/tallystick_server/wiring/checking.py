"""Open one log for a check of all that it stores, beside its writer or without one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tallystick_server.config.model import LogSettings
from tallystick_server.log.fsck import FsckReport, Known
from tallystick_server.log.inspection import inspect_log
from tallystick_server.wiring.opening import read_policy, read_vkeys


def check_stored(
    data: Path,
    name: str,
    settings: LogSettings,
    *,
    on_progress: Callable[[int, int], None] | None = None,
) -> FsckReport:
    """Check a whole log against its entries, its public keys and its policy.

    Raises StartError for a log that cannot be opened at all, StoreError when the
    machine fails.
    """
    key, next_key, recovery_key = read_vkeys(data, name)
    known = Known(key, next_key, recovery_key, read_policy(settings.policy))
    return inspect_log(data, name, known, on_progress=on_progress)
