"""Compression: who wants it, what is kept, and that the loop goes on meanwhile."""

from __future__ import annotations

import asyncio
import gzip
import random
import threading
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick_server.web import compressed
from tallystick_server.web.compressed import (
    INLINE_BYTES,
    BundleCache,
    accepts_gzip,
    pays,
)


@pytest.mark.parametrize(
    "header",
    [
        "gzip",
        "gzip, identity",
        "deflate, GZIP;q=0.1",
        "*",
        "br;q=1, *;q=0.001",
        "gzip ; q = 0.5",
        "identity;q=0, gzip;q=1.000",
    ],
)
def test_gzip_is_taken(header: str) -> None:
    assert accepts_gzip(header)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "identity",
        "br, deflate",
        "gzip;q=0",
        "gzip;q=0.000, *",
        "*;q=0",
        "gzip2",
        "x gzip",
        "gzip;q=2",
        "gzip;q=-1",
        "gzip;level=9",
        ",,,",
        "br," * 200 + "gzip",
    ],
)
def test_gzip_is_not_taken(header: str) -> None:
    assert not accepts_gzip(header)


@given(st.text(max_size=600))
def test_no_header_makes_it_raise(header: str) -> None:
    assert accepts_gzip(header) in (True, False)


async def test_what_is_kept_is_bounded_and_the_oldest_use_goes_first() -> None:
    noise = random.Random(1)
    bundles = [noise.randbytes(1000) for _ in range(4)]
    cache = BundleCache(most_bytes=3_200)
    for index in range(3):
        await cache.compress(bundles[index], keep_as=("log", index))
    cache.find(("log", 0))

    await cache.compress(bundles[3], keep_as=("log", 3))

    held = [cache.find(("log", index)) is not None for index in range(4)]
    assert held == [True, False, True, True]


async def test_a_bundle_kept_twice_counts_once() -> None:
    cache = BundleCache(most_bytes=1_500)
    data = random.Random(1).randbytes(1000)
    for _ in range(5):
        await cache.compress(data, keep_as=("log", 0))

    assert cache.find(("log", 0)) is not None


async def test_nothing_is_kept_without_room_and_without_a_name() -> None:
    cache = BundleCache(most_bytes=0)

    packed = await cache.compress(b"data", keep_as=("log", 0))
    await BundleCache().compress(b"data", keep_as=None)

    assert gzip.decompress(packed) == b"data"
    assert cache.find(("log", 0)) is None


class Packer:
    """Compresses, and remembers in which thread."""

    def __init__(self) -> None:
        self.threads: list[int] = []

    def __call__(self, data: bytes) -> bytes:
        self.threads.append(threading.get_ident())
        return gzip.compress(data, 1)


async def test_a_large_bundle_is_compressed_beside_the_loop() -> None:
    pack = Packer()
    cache = BundleCache(pack=pack)

    await cache.compress(b"x" * INLINE_BYTES, keep_as=None)
    await cache.compress(b"x" * (INLINE_BYTES + 1), keep_as=None)

    assert pack.threads[0] == threading.get_ident() != pack.threads[1]


async def test_many_at_once_ask_for_one_bundle_and_it_is_packed_once() -> None:
    pack = Packer()
    cache = BundleCache(pack=pack)
    data = b"x" * (INLINE_BYTES + 1)

    packed = await asyncio.gather(
        *(cache.compress(data, keep_as=("log", 0)) for _ in range(20))
    )

    assert len(pack.threads) == 1
    assert len(set(packed)) == 1


def test_the_same_bytes_are_always_packed_alike() -> None:
    assert compressed.pack(b"entries") == compressed.pack(b"entries")


def test_compressing_pays_for_text_and_not_for_what_looks_random() -> None:
    noise = b"".join(sha256(b"%d" % number).digest() for number in range(500))

    assert pays(b'{"eventName": "PutObject"}\n' * 50)
    assert not pays(noise)
    assert not pays(noise + b" " * 10_000)  # the beginning decides
    assert not pays(b"x")
