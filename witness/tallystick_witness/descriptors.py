"""File descriptors: enough for every connection, and some that no client can take.

A process without a free descriptor cannot write its anchor anew.  So the soft limit is
raised as far as it has to be, and where the hard limit is too low, fewer connections
are taken.
"""

from __future__ import annotations

import resource

RESERVED = 128
"""Descriptors beyond the connections: the store, the anchor, files, newcomers."""


def make_room(connections: int) -> int:
    """Raise this process's limit for so many connections; give how many fit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return connections
    wanted = connections + RESERVED
    if soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        soft = max(soft, most)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return max(1, min(connections, soft - RESERVED))
