"""Random bytes come in order, none of them twice."""

from __future__ import annotations

from itertools import count

from hypothesis import given
from hypothesis import strategies as st

from tallystick_server.ingest.noise import PORTION, Noise


class Source:
    """Draws numbers of four bytes, each once; keeps what was asked for."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self._numbers = count()

    def __call__(self, size: int) -> bytes:
        self.asked.append(size)
        words = (next(self._numbers).to_bytes(4, "big") for _ in range(size // 4 + 1))
        return b"".join(words)[:size]


@given(st.lists(st.integers(1, 50).map(lambda n: 4 * n), min_size=1, max_size=200))
def test_no_byte_is_given_twice(sizes: list[int]) -> None:
    noise = Noise(Source())

    given_bytes = [noise(size) for size in sizes]

    assert [len(one) for one in given_bytes] == sizes
    words = [one[at : at + 4] for one in given_bytes for at in range(0, len(one), 4)]
    assert len(set(words)) == len(words)


def test_the_system_is_asked_once_for_many_small_portions() -> None:
    source = Source()
    noise = Noise(source)

    for _ in range(PORTION // 64):
        noise(64)

    assert source.asked == [PORTION]


def test_a_large_portion_is_drawn_by_itself() -> None:
    source = Source()
    noise = Noise(source)
    noise(16)

    assert len(noise(10 * PORTION)) == 10 * PORTION
    assert source.asked == [PORTION, 10 * PORTION]
