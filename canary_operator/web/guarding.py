"""What stands around every page: who is answered, with which headers, and how a mistake is told.

Law: pages are for browsers. Argo takes a body with status 200 that is not JSON for a success, so nobody gets a page
who has not asked for one; a host that is not ours gets none, because a name that anybody can point at this address
would let foreign scripts read it.
"""

import ipaddress
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from urllib.parse import urlsplit

import structlog
from aiohttp import web
from aiohttp.typedefs import Middleware

log = structlog.get_logger()

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
# Names that nobody outside can give to an address of their choice.
_LOCAL_NAMES = ("localhost", "svc", "local", "internal")


def guarded(handler: Handler, url: str | None) -> Handler:
    """A handler that answers browsers under our own names; ``url`` is the external address, None without one."""
    own = urlsplit(url).hostname if url else None

    async def answer(request: web.Request) -> web.StreamResponse:
        if not wants_page(request):
            raise web.HTTPNotAcceptable(reason="this is a page; ask for it with Accept: text/html")
        if not _is_ours(request.host, own):
            raise web.HTTPMisdirectedRequest(reason="the page is not served under this name; web.url says which is")
        return await handler(request)

    return answer


def wants_page(request: web.Request) -> bool:
    """Whether whoever asks reads HTML or events; without a word on it nobody does."""
    accepted = request.headers.get("Accept", "")
    return any(kind in accepted for kind in ("text/html", "text/event-stream", "*/*"))


def _is_ours(host: str, own: str | None) -> bool:
    try:
        name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return False
    if name == own or "." not in name:
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name.rpartition(".")[2] in _LOCAL_NAMES
    return True


Draw = Callable[[web.Request, int, str], web.Response]


def errors_as_pages(draw: Draw) -> Middleware:
    """A middleware that tells browsers of mistakes with a page and a sentence; others are told as ever."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPException as error:
            if "text/html" not in request.headers.get("Accept", ""):
                raise
            response = draw(request, error.status, _sentence(request, error))
            response.headers.update({name: error.headers[name] for name in ("Allow",) if name in error.headers})
            return response
        except Exception as error:
            if "text/html" not in request.headers.get("Accept", ""):
                raise
            log.error("request_failed", path=request.path, error=type(error).__name__)
            return draw(request, 500, "Something went wrong that nobody has foreseen; the operator's log says more.")

    return middleware


def _sentence(request: web.Request, error: web.HTTPException) -> str:
    match error.status:
        case 404 if error.reason == HTTPStatus.NOT_FOUND.phrase:
            return "There is no such page."
        case 405:
            return f"The page only shows: {request.method} is not among what it answers."
        case _:
            return f"{error.reason[:1].upper()}{error.reason[1:]}."
