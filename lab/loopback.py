"""Small HTTP requests to programs of the lab on this machine.

Law: never a proxy, always a timeout; failure is a value (None) for probes and an exception for calls.
"""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from lab.errors import CommandError

# Health endpoints of the control plane use certificates that each program makes for itself.
_UNVERIFIED = ssl.create_default_context()
_UNVERIFIED.check_hostname = False
_UNVERIFIED.verify_mode = ssl.CERT_NONE

_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=_UNVERIFIED))


def answers(url: str, *, token: str | None = None, timeout: float = 2.0) -> bool:
    """Say whether `url` answers with a success right now."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    request = urllib.request.Request(url, headers=headers)
    try:
        with _OPENER.open(request, timeout=timeout) as response:
            return 200 <= int(response.status) < 300
    except OSError:
        return False


def call(
    url: str,
    *,
    body: dict[str, Any] | None = None,
    parameters: dict[str, str] | None = None,
    method: str | None = None,
    timeout: float = 10.0,
) -> Any:
    """Send a JSON request and return the decoded answer (None when it is empty).

    Raises CommandError with the server's text when it refuses or cannot be reached.
    """
    if parameters:
        url = f"{url}?{urllib.parse.urlencode(parameters)}"
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, method=method)
    request.add_header("Content-Type", "application/json")
    return json.loads(_send(request, timeout) or b"null")


def _send(request: urllib.request.Request, timeout: float) -> bytes:
    try:
        with _OPENER.open(request, timeout=timeout) as response:
            return bytes(response.read())
    except urllib.error.HTTPError as error:
        said = error.read().decode(errors="replace")[:2000]
        raise CommandError(f"{request.full_url}: HTTP {error.code}: {said}") from error
    except OSError as error:
        raise CommandError(f"{request.full_url}: {error}") from error
