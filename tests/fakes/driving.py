"""Drive an exchange by hand: no sleep, no sockets, every step written down."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from tallystick_merkle.exchange.base import Exchange, Pause, Reply, Request

T = TypeVar("T")


class Driver:
    """Answers an exchange's requests with a function and remembers all of it.

    `steps` holds each step as it was yielded: a tuple of requests, or a Pause.
    """

    def __init__(self, answer: Callable[[Request], Reply]) -> None:
        self._answer = answer
        self.steps: list[tuple[Request, ...] | Pause] = []

    @property
    def pauses(self) -> list[Pause]:
        """The pauses, in order."""
        return [step for step in self.steps if isinstance(step, Pause)]

    @property
    def urls(self) -> list[list[str]]:
        """The URLs asked for, step by step."""
        return [
            [request.url for request in step]
            for step in self.steps
            if not isinstance(step, Pause)
        ]

    def run(self, exchange: Exchange[T]) -> T:
        """Drive an exchange to its result; its exceptions pass through."""
        replies: tuple[Reply, ...] | None = None
        while True:
            try:
                step = exchange.send(replies) if replies is not None else next(exchange)
            except StopIteration as done:
                result: T = done.value
                return result
            self.steps.append(step)
            replies = () if isinstance(step, Pause) else tuple(map(self._answer, step))


def drive(exchange: Exchange[T], answer: Callable[[Request], Reply]) -> T:
    """Drive an exchange whose steps are of no interest."""
    return Driver(answer).run(exchange)
