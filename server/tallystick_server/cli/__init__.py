"""The operator's command line: `tallystick server …`, or `python -m tallystick_server`.

    init          make a log
    serve         serve all logs of a data directory
    fsck          check what is stored, all of it
    config check  show the effective configuration
    token …       add, list and revoke tokens

Errors are one line on stderr; exit codes are an interface (see `cli.boundary`).
"""

from tallystick_server.cli.app import app

__all__ = ["app"]
