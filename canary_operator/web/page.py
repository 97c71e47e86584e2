"""The read-only page: which address shows what.

Law: GET and HEAD, and nothing that changes anything.
"""

import secrets

from aiohttp import web

from canary_operator.web.frame import Frame
from canary_operator.web.guarding import Handler, errors_as_pages, guarded
from canary_operator.web.one_gate import OneGate, Sources
from canary_operator.web.overview import Overview
from canary_operator.web.rows import Rows
from canary_operator.web.streams import Streams


class Page:
    """Serves the page.

    Args:

        sources: where everything that is shown comes from.

        url: the external address, None where there is none.

        streams: who is told of news; None for what is usual.
    """

    def __init__(self, sources: Sources, url: str | None, streams: Streams | None = None) -> None:
        self._url = url
        # Another process begins its revisions anew, so each has a name of its own.
        self._streams = streams or Streams(sources.board, secrets.token_hex(4))
        self._frame = Frame(sources.clock)
        rows = Rows(sources.sight, sources.board, self._frame.drawing)
        self._overview = Overview(self._frame, rows, sources.board, self._streams)
        self._gate = OneGate(self._frame, sources, self._streams)

    def add_to(self, app: web.Application) -> None:
        """Serve the page in an application."""
        for path, handler in {
            "/": self._overview.page,
            "/gates/{namespace}/{name}": self._gate.page,
            "/gates/{namespace}/{name}/decisions": self._gate.decisions,
            "/static/{path:.+}": self._frame.static,
        }.items():
            self._add(app, path, handler, head=True)
        self._add(app, "/live", self._overview.live, head=False)
        self._add(app, "/live/{namespace}/{name}", self._gate.live, head=False)
        app.middlewares.append(errors_as_pages(self._frame.error))
        app.on_shutdown.append(self._close)

    def _add(self, app: web.Application, path: str, handler: Handler, *, head: bool) -> None:
        app.router.add_get(path, guarded(handler, self._url), allow_head=head)

    async def _close(self, _: web.Application) -> None:
        self._streams.close()
