"""Whether a published checkpoint is witnessed by the policy of today.

What is published met the policy of its time; a policy that was tightened since asks
more of it.
"""

from __future__ import annotations

from functools import lru_cache

from tallystick_merkle.cosignature import open_checkpoint
from tallystick_merkle.errors import KernelError
from tallystick_merkle.keys import VerifierKey
from tallystick_merkle.policy import Policy


@lru_cache(maxsize=64)
def is_witnessed(note: bytes, key: VerifierKey, policy: Policy | None) -> bool:
    """Judge a published note of the log with `key`; the policy need not list it.

    A policy that asks nobody makes nothing witnessed.
    """
    if policy is None or not policy.asks_for_witnesses:
        return False
    keys = {entry.key for entry in policy.witnesses}
    try:
        opened = open_checkpoint(note, keys | {key})
    except KernelError:
        return False
    cosigners = [line.key for line in opened.verified if line.key in keys]
    return bool(cosigners) and policy.is_met_by(cosigners)
