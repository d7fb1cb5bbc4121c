"""The read path of a log (c2sp.org/tlog-tiles): static resources.

    GET /t/{log}/checkpoint                    the published checkpoint
    GET /t/{log}/tile/<L>/<N>[.p/<W>]          hash tile
    GET /t/{log}/tile/entries/<N>[.p/<W>]      entry bundle

The path is taken raw, parsed to integers and compared with its one true spelling;
everything else is not there.  What exists follows from the committed size alone, so
holders of promised heads can check too: a partial tile never goes away, it is cut from
the wider one, and a full tile is not there before it is full (D3).

Anybody may read the checkpoint; tiles and bundles of a log of events need a token,
unless the log is public (see `gating`).
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping
from hashlib import sha256

from aiohttp import hdrs, web

from tallystick_merkle.errors import MalformedError
from tallystick_merkle.tile import Tile, parse_tile_path, tile_width
from tallystick_server.errors import NotFoundError, UnavailableError
from tallystick_server.log.log import Log
from tallystick_server.web.compressed import accepts_gzip, pays
from tallystick_server.web.gating import admit_reader, read_headers
from tallystick_server.web.headers import PUBLIC, is_held
from tallystick_server.web.services import SERVICES, Services, find_log
from tallystick_server.web.unsent import CountedResponse

_IMMUTABLE = "public, max-age=31536000, immutable"
TILE_HEADERS = {
    hdrs.CONTENT_TYPE: "application/octet-stream",
    hdrs.CACHE_CONTROL: _IMMUTABLE,
    **PUBLIC,
}
"""Headers of hash tiles: partial ones never change either, their width is a name."""

BUNDLE_HEADERS = {**TILE_HEADERS, hdrs.VARY: hdrs.ACCEPT_ENCODING}
"""Headers of bundles as they are."""

PACKED_HEADERS = {**BUNDLE_HEADERS, hdrs.CONTENT_ENCODING: "gzip"}
"""Headers of compressed bundles."""

CHECKPOINT_HEADERS = {
    hdrs.CONTENT_TYPE: "text/plain; charset=utf-8",
    hdrs.CACHE_CONTROL: "no-cache",
    **PUBLIC,
}
"""Headers of the checkpoint: to be asked for again each time."""


async def get_checkpoint(request: web.Request) -> web.Response:
    """Serve the published checkpoint, if there is one yet."""
    published = find_log(request).log.published
    if published is None:
        raise NotFoundError("nothing was published yet")
    tag = f'"{b64encode(sha256(published.note).digest()[:12]).decode()}"'
    headers = {**CHECKPOINT_HEADERS, hdrs.ETAG: tag}
    if is_held(request, tag):
        return web.Response(status=304, headers=headers)
    return web.Response(body=published.note, headers=headers)


async def get_tile(request: web.Request) -> web.Response:
    """Serve a hash tile or an entry bundle."""
    hosted = find_log(request)
    admit_reader(request, hosted)
    log = hosted.log
    tile = _find_tile(log, request.rel_url.raw_path)
    if not tile.is_bundle:
        return web.Response(
            body=log.reader.tile(tile), headers=read_headers(hosted, TILE_HEADERS)
        )
    services = request.app[SERVICES]
    services.unsent.check()

    def admit() -> None:
        """Read it only for somebody who is there, and while there is room."""
        if request.transport is None:
            raise UnavailableError("the client is gone")
        services.unsent.check()

    if accepts_gzip(request.headers.get(hdrs.ACCEPT_ENCODING, "")):
        body, headers = await _packed_bundle(services, log, tile, admit)
    else:
        body = await services.bundles.read(log.reader.bundle, tile, admit=admit)
        headers = BUNDLE_HEADERS
    return CountedResponse(
        body, headers=read_headers(hosted, headers), unsent=services.unsent
    )


def _find_tile(log: Log, raw_path: str) -> Tile:
    """Read the tile that a raw path names; raise NotFoundError unless it exists."""
    try:
        tile = parse_tile_path(raw_path.removeprefix(f"/t/{log.name}/"))
    except MalformedError as error:
        raise NotFoundError("no such tile") from error
    if tile.width > tile_width(tile.level, tile.index, log.head.size):
        raise NotFoundError("no such tile yet")
    return tile


async def _packed_bundle(
    services: Services, log: Log, tile: Tile, admit: Callable[[], None]
) -> tuple[bytes, Mapping[str, str]]:
    """Give a bundle compressed, where that pays; full ones are kept."""
    cache = services.bundles
    name = (log.name, tile.index) if tile.is_full else None
    found = cache.find(name) if name is not None else None
    if found is not None:
        return found, PACKED_HEADERS
    data = await cache.read(log.reader.bundle, tile, admit=admit)
    if not pays(data):
        return data, BUNDLE_HEADERS
    with services.unsent.holding(len(data)):  # while it waits for its turn
        return await cache.compress(data, keep_as=name), PACKED_HEADERS
