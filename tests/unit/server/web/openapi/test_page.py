"""The page: well-formed, complete, without script, and with nothing from elsewhere."""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tallystick_server.web.openapi.markup import Html, inline, join, shown, tag
from tallystick_server.web.openapi.page import _count, write_page
from tests.fakes.openapi import described, operations
from tests.fakes.web import WebBench

WHOLE = described()
PAGE = write_page(WHOLE)
VOID = {"meta"}


class Reader(HTMLParser):
    """Reads a page: which elements there are, and whether they nest."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def values(self, name: str) -> list[str]:
        """Every value of an attribute."""
        return [held[name] or "" for _, held in self.elements if name in held]


def test_the_page_nests_and_has_one_of_each_id() -> None:
    reader = Reader(PAGE)
    ids = reader.values("id")

    assert reader.open == []
    assert len(set(ids)) == len(ids)
    assert [tag for tag, _ in reader.elements if tag in ("h1", "main", "nav")] == [
        "h1",
        "nav",
        "main",
    ]


def test_the_page_says_who_needs_a_token() -> None:
    needs = "Needs <code>Authorization: Bearer TOKEN</code>"
    articles = PAGE.split("<article")[1:]
    append, tile, front = (
        next(one for one in articles if f'id="{name}"' in one)
        for name in ("appendEntry", "getTile", "getIndex")
    )

    assert f"{needs}.</p>" in append
    assert f"{needs}, unless the log is for everybody.</p>" in tile
    assert needs not in front


def test_every_link_leads_to_a_place_of_the_page_or_to_the_document() -> None:
    reader = Reader(PAGE)
    ids = set(reader.values("id"))

    assert {link for link in reader.values("href") if link[1:] not in ids} == {
        "openapi.json"
    }


def test_the_page_tells_every_operation_schema_and_problem() -> None:
    ids = set(Reader(PAGE).values("id"))
    parts = WHOLE["components"]
    wanted = {
        *operations(WHOLE),
        *(f"schema-{name}" for name in parts["schemas"]),
        *(f"problem-{name}" for name in parts["responses"]),
    }

    assert wanted <= ids


def test_the_page_runs_nothing_and_loads_nothing() -> None:
    reader = Reader(PAGE)
    kinds = {kind for kind, _ in reader.elements}
    names = {name for _, held in reader.elements for name in held}

    assert not kinds & {"script", "img", "link", "iframe", "form", "object", "svg"}
    assert not {name for name in names if name.startswith("on")} | names & {
        "style",
        "src",
    }
    assert "url(" not in PAGE
    assert "@import" not in PAGE


async def test_the_policy_of_the_page_allows_its_own_style_alone(
    tmp_path: Path,
) -> None:
    async with WebBench(tmp_path) as bench:
        reply = await bench.get("/docs")

    (style,) = re.findall(r"<style>(.*?)</style>", reply.body.decode(), re.DOTALL)
    digest = b64encode(sha256(style.encode()).digest()).decode()
    assert reply.headers["content-security-policy"] == (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none';"
        " form-action 'none'; frame-ancestors 'none'"
    )
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert reply.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/openapi.json", "/docs"])
async def test_what_is_held_already_is_not_sent_again(
    tmp_path: Path, path: str
) -> None:
    async with WebBench(tmp_path) as bench:
        first = await bench.get(path)
        again = await bench.get(path)
        held = await bench.get(path, If_None_Match=first.headers["etag"])
        other = await bench.get(path, If_None_Match='"other"')
        whatever = await bench.get(path, If_None_Match="*")
        weak = await bench.get(
            path, If_None_Match=f'"other", W/{first.headers["etag"]}'
        )
        line = f'"other"\r\nIf-None-Match: {first.headers["etag"]}'
        twice = await bench.get(path, If_None_Match=line)
        asked = await bench.get(f"{path}?x=1")

    assert (first.status, first.body) == (200, again.body)
    assert first.headers["cache-control"] == "no-cache"
    assert (held.status, held.body) == (304, b"")
    assert held.headers["etag"] == first.headers["etag"]
    assert other.body == first.body
    assert [one.status for one in (whatever, weak, twice)] == [304, 304, 304]
    assert asked.is_problem(400, "bad-request")


async def test_the_document_that_is_served_is_the_document(tmp_path: Path) -> None:
    async with WebBench(tmp_path) as bench:
        reply = await bench.get("/openapi.json")
        front = await bench.get("/")

    assert reply.json() == WHOLE
    assert reply.headers["access-control-allow-origin"] == "*"
    assert b"/docs\n" in front.body
    assert b"/openapi.json\n" in front.body


def test_texts_are_escaped_wherever_they_stand() -> None:
    evil = '<script>"&'

    assert join(evil, Html("<b>")) == "&lt;script&gt;&quot;&amp;<b>"
    assert tag("p", evil, title=evil).count("<") == 2
    assert inline(f"a `{evil}` b").count("<") == 2
    assert shown(evil).count("<") == 4


@pytest.mark.parametrize(
    ("value", "said"),
    [(65_535, "65,535"), (2**62, "2^62"), (2**62 - 1, "2^62 − 1"), (2**53, "2^53")],
)
def test_large_numbers_are_told_as_powers(value: int, said: str) -> None:
    assert _count(value) == said
