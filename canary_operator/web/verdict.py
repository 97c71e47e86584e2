"""GET /v1/verdict: the gate's verdict, for the `web` metric of an AnalysisTemplate.

Argo Rollouts up to 1.9.1 takes every body with the status 200 that is not JSON for a success, so nothing here is
anything but JSON. Whoever may ask is answered with 200 and `wait` even if the question is wrong: Argo counts any other
status as an error, and aborts a healthy release after some of them.

Law: read-only. The token is in no log and in no answer.
"""

import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from aiohttp import web

from canary_operator.engine import answering
from canary_operator.engine.answering import Answer, Query, Word
from canary_operator.model.rollout import RolloutRef

log = structlog.get_logger()

Ask = Callable[[Query], Answer]

_NEEDED = ("ns", "name", "uid", "hash", "stable")
_KNOWN = (*_NEEDED, "step")
# Longer than any name, uid or hash.
_LONGEST = 253


@dataclass(frozen=True, slots=True)
class Door:
    """Lets in who has the token. ``token_file`` is None where nobody is let in."""

    token_file: Path | None
    ask: Ask

    async def verdict(self, request: web.Request) -> web.Response:
        """Answer one question."""
        refusal = self._refusal(request.headers.get("Authorization", ""))
        if refusal is not None:
            return refusal
        query = _query(request)
        if isinstance(query, str):
            return _json(200, _problem("BadRequest", query))
        return _json(200, answering.document(self.ask(query)))

    def _refusal(self, authorization: str) -> web.Response | None:
        if self.token_file is None:
            return _json(404, _problem("NotServed", "web.verdict.tokenFile is not configured: nothing is answered"))
        token = _read(self.token_file)
        if not token:
            return _json(503, _problem("NotServed", "the file of web.verdict.tokenFile cannot be read or is empty"))
        scheme, _, given = authorization.partition(" ")
        known = hmac.compare_digest(given.strip().encode("utf-8", "surrogateescape"), token)
        if scheme.lower() != "bearer" or not known:
            problem = _problem("Unauthorized", "the header Authorization must be Bearer and the configured token")
            return _json(401, problem, {"WWW-Authenticate": "Bearer"})
        return None


@web.middleware
async def always_json(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Turn whatever is raised into JSON: unknown paths, other methods, and what should not happen."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        allow = {name: error.headers[name] for name in ("Allow",) if name in error.headers}
        return _json(error.status, _problem("BadRequest", f"{request.method} {request.path}: {error.reason}"), allow)
    except Exception as error:  # noqa: BLE001 - what is not foreseen is an error of one answer
        log.error("request_failed", path=request.path, error=type(error).__name__)
        return _json(500, _problem("InternalError", "the operator's log says more"))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes().strip()
    except OSError as error:
        log.error("verdict_token_unreadable", path=str(path), message=error.strerror)
        return b""


def _query(request: web.Request) -> Query | str:
    """The question, or what is wrong with it."""
    given = request.query
    unknown = sorted(set(given) - set(_KNOWN))
    repeated = sorted(name for name in set(given) if len(given.getall(name)) > 1)
    missing = [name for name in _NEEDED if not given.get(name)]
    too_long = sorted(name for name, value in given.items() if len(value) > _LONGEST)
    wrong = {"unknown": unknown, "given twice": repeated, "missing": missing, "too long": too_long}
    if any(wrong.values()):
        told = "; ".join(f"{what}: {', '.join(names)}" for what, names in wrong.items() if names)
        return f"parameters {told}; needed are {', '.join(_NEEDED)}, and step where the analysis is a step"
    ref = RolloutRef(given["ns"], given["name"])
    return Query(ref, given["uid"], given["hash"], given["stable"], given.get("step", ""))


def _problem(reason: str, message: str) -> Mapping[str, Any]:
    return answering.document(Answer(Word.WAIT, reason, message))


def _json(status: int, document: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> web.Response:
    return web.json_response(document, status=status, headers={"Cache-Control": "no-store", **(headers or {})})
