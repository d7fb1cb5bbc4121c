"""The schema of events and the taxonomy are served to anybody."""

from __future__ import annotations

from pathlib import Path

import pytest

from tallystick_server.ingest.envelope import envelope
from tallystick_server.ingest.taxonomy import format_taxonomy
from tests.fakes.web import WebBench


@pytest.mark.parametrize(
    ("path", "media", "document"),
    [
        ("/v1/schemas/event.json", "application/schema+json", envelope()),
        ("/v1/taxonomy", "application/json", format_taxonomy()),
    ],
    ids=["schema", "taxonomy"],
)
async def test_a_document_is_served_and_not_sent_again_where_it_is_held(
    tmp_path: Path, path: str, media: str, document: object
) -> None:
    async with WebBench(tmp_path) as bench:
        first = await bench.get(path)
        held = await bench.get(path, If_None_Match=first.headers["etag"])
        other = await bench.get(path, If_None_Match='"other"')
        asked = await bench.get(f"{path}?x=1")

    assert first.json() == document
    assert first.headers["content-type"] == media
    assert first.headers["access-control-allow-origin"] == "*"
    assert (held.status, held.body) == (304, b"")
    assert other.body == first.body
    assert asked.is_problem(400, "bad-request")
