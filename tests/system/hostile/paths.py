"""Two hundred paths that lead to no tile, or to none yet, or only look like one."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

from tests.system.hostile.attack import Case, case

_ESCAPES = (
    "../../../../etc/passwd", "..%2f..%2fetc/passwd", "%2e%2e/%2e%2e/etc/passwd",
    "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "..%5c..%5cetc", "..%252f..%252fetc",
    "....//....//etc/passwd", "0/../../../checkpoint", "0/../0/000", "0/./000",
    "0//000", "/0/000", "//0/000", "0/000/", "0/000//", "0/000/.", "0/000/..",
    "0/000/../000", "0/%2e/000", "0%2f000", "%30/000", "0/%30%30%30", "0/00%30",
    "0/000%00", "0/000%0a", "0/000%0d%0a", "0/000%20", "0/000%2f", "0/000%3f",
    "0/000%23", "0/000;x", "0/000;/x", "0/000,", "0/000:", "0/000~", "0/000.bak",
    "0/000.gz", "0/000.json", "%c0%ae%c0%ae/000", "%ff%fe/000", "0/%e0%80%80",
    "0/000%", "0/000%2", "0/000%zz", "%u0030/000", "0/0\\00", "0\\000",
)  # fmt: skip

_LEVELS = (
    "", "-1", "+0", "00", "01", "007", "6", "7", "8", "9", "10", "63", "64", "99",
    "100", "255", "256", "65536", "4294967296", "18446744073709551616", "1" * 400,
    "0x0", "0b0", "0o0", "1e0", "0.0", "0,0", "0_0", "a", "Entries", "entries0",
    "ENTRIES", "data", "names", "issuer", "x000", "checkpoint", "null", "None", "true",
    "NaN", "inf", "*", "?", "'", '"', "<", "{0}", "$0", "`0`", "|0",
)  # fmt: skip

_INDEXES = (
    "", "0", "00", "0000", "00000", "1", "01", "001", "-01", "+01", "1000", "999",
    "x000", "x000/000", "x000/x000/000", "x001/", "x001", "x001/x000", "X001/000",
    "x1/000", "x01/000", "x0001/000", "x001/0", "x001/00", "x001/0000", "xx001/000",
    "x/000", "x-01/000", "x+01/000", "001/000", "x001/000/000", "x001//000",
    "x999/999", "x999/x999/999", "x999/x999/x999/x999/x999/x999/x999",
    "x018/x446/x744/x073/x709/x551/615", "x018/x446/x744/x073/x709/x551/616",
    "x000/" * 100 + "000", "x001/" * 1000 + "000", "0x0", "0e0", "0.0", "0_0", "aaa",
    "0a0", "a00", "00a", "' OR 1=1", "000'", "000--", "${jndi:x}", "{{7*7}}",
)  # fmt: skip

_WIDTHS = (
    ".p/0", ".p/00", ".p/01", ".p/001", ".p/256", ".p/257", ".p/1000",
    ".p/4294967297", ".p/18446744073709551617", ".p/-1", ".p/+1", ".p/1.0", ".p/1e0",
    ".p/0x1", ".p/1_0", ".p/", ".p", ".p/1/", ".p/1/1", ".p/1.p/1", ".P/1", ".p//1",
    ".p/ 1", ".p/a", ".p1", "p/1", "/p/1", "/.p/1", ".q/1", ".p/" + "1" * 400,
)  # fmt: skip

_BESIDE = (
    "tile", "tile/", "checkpoint/", "checkpoint%00", "Checkpoint", "checkpoint/..",
    "./checkpoint", "../x/checkpoint", "", "tiles/0/000", "%63heckpoint",
)  # fmt: skip

_DIGITS = ("٠٠٠", "०००", "０００", "𝟎𝟎𝟎", "〇〇〇", "⁰⁰⁰", "₀₀₀", "①②③", "Ⅻ00", "½00")


def names() -> Iterator[str]:
    """Give what follows `tile/`; none is the one spelling of a tile of a small log."""
    yield from _ESCAPES
    yield from (f"{level}/000" for level in _LEVELS)
    yield from (f"0/{index}" for index in _INDEXES)
    yield from (f"entries/{index}" for index in _INDEXES[:24])
    yield from (f"0/000{width}" for width in _WIDTHS)
    yield from (f"entries/000{width}" for width in _WIDTHS[:8])
    for digits in _DIGITS:
        yield f"0/{digits}"
        yield f"0/{quote(digits)}"
        yield f"{digits[0]}/000"
        yield f"0/000.p/{quote(digits[:1])}"


def tile_paths(read: str) -> Iterator[Case]:
    """Give a request for each; a path with a space or an odd byte is no request."""
    for name in names():
        yield case(f"tile {name[:60]}", ask(f"{read}/tile/{name}"), 400, 404)
    for name in _BESIDE:
        yield case(f"read {name}", ask(f"{read}/{name}"), 400, 404)


def ask(path: str) -> bytes:
    """Write a request that is the last one of its connection."""
    line = f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    return line.encode()
