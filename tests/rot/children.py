"""Do what may end the process in a process of its own."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")

LONGEST_S = 120


@dataclass(frozen=True)
class Died:
    """A child that was ended: by which signal."""

    signal: int


def in_child(work: Callable[[], T]) -> T | Died:
    """Fork, do the work there, and give its result; an exception there is raised here.

    A child that hangs is ended, and counts as dead.
    """
    read_end, write_end = os.pipe()
    child = os.fork()
    if not child:
        os.close(read_end)
        _work(work, write_end)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as answer:
        data = answer.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return Died(os.WTERMSIG(status))
    result: tuple[bool, T] = pickle.loads(data)  # noqa: S301 -- our own child wrote it
    is_done, value = result
    if not is_done:
        raise AssertionError(f"the child failed:\n{value}")
    return value


def _work(work: Callable[[], object], write_end: int) -> None:
    """Work and answer; never return."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(LONGEST_S)
    try:
        try:
            answer = (True, work())
        except BaseException:  # noqa: BLE001 -- top of a process: told to the parent
            answer = (False, traceback.format_exc())
        with os.fdopen(write_end, "wb") as out:
            pickle.dump(answer, out)
    except BaseException:  # noqa: BLE001 -- what cannot be told is shown
        traceback.print_exc(file=sys.__stderr__)
    finally:
        os._exit(0)
