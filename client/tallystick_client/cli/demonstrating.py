"""`tallystick demo`: the whole story on one machine."""

from __future__ import annotations

import typer


def demo(context: typer.Context) -> None:
    """Start a log and two witnesses on this machine and show the whole story."""
