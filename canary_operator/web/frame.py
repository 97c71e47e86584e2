"""What all pages have in common: how a template becomes an answer, and the files that it refers to.

Law: an answer has every header that ``guarding`` asks for. No page knows where it is served.
"""

from collections.abc import Callable
from typing import Any

from aiohttp import web

from canary_operator.web.assets import load_assets
from canary_operator.web.drawing import Drawing
from canary_operator.web.guarding import HEADERS

_FOR_EVER = "public, max-age=31536000, immutable"


class Frame:
    """Draws answers. ``clock`` says Unix seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._assets = load_assets()
        self.drawing = Drawing(self._assets)

    def page(self, request: web.Request, template: str, **values: Any) -> web.Response:
        """Answer with a page."""
        return self._answer(request, template, 200, values)

    def error(self, request: web.Request, status: int, sentence: str) -> web.Response:
        """Answer with a sentence about what went wrong."""
        return self._answer(request, "error.html", status, {"status": status, "sentence": sentence})

    async def static(self, request: web.Request) -> web.Response:
        """Answer with a file; a browser may keep what it names by its hash."""
        asset = self._assets.find(request.match_info["path"])
        if asset is None:
            raise web.HTTPNotFound
        etag = f'"{asset.digest}"'
        named = request.query.get("v") == asset.digest
        headers = {**HEADERS, "ETag": etag, "Cache-Control": _FOR_EVER if named else "no-cache"}
        if request.headers.get("If-None-Match") == etag:
            return web.Response(status=304, headers=headers)
        response = web.Response(body=asset.content, content_type=asset.content_type, charset="utf-8", headers=headers)
        response.enable_compression()
        return response

    def _answer(self, request: web.Request, template: str, status: int, values: dict[str, Any]) -> web.Response:
        html = self.drawing.draw(
            template, root=root_from(request.path), now=self._clock(), assets=self._assets.version, **values
        )
        # What it shows is old in a second, and no shared cache should keep it.
        headers = {**HEADERS, "Cache-Control": "no-store"}
        response = web.Response(status=status, text=html, content_type="text/html", headers=headers)
        response.enable_compression()
        return response


def root_from(path: str) -> str:
    """The way from a page to the root: relative, since a proxy may serve the page under a path that is not told."""
    return "../" * (path.count("/") - 1) or "./"
