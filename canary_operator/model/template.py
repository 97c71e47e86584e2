"""An AnalysisTemplate as it is kept: what its providers keep secret goes no further than where it is read.

Law: a secret is replaced by its hash, so that a change of it is still a change. What judging reads stays as it is.
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Any

from canary_operator.model.rollout import Body

# Of Prometheus' own fields these may hold a credential; of other providers everything may.
_SECRET = frozenset({"authentication", "headers"})
_USER = re.compile(r"(?<=//)[^/@]*(?=@)")


def without_secrets(body: Body) -> dict[str, Any]:
    """The template with a hash in place of each text that may be a credential of a provider of its metrics."""
    spec = body.get("spec")
    metrics = spec.get("metrics") if isinstance(spec, Mapping) else None
    if not isinstance(spec, Mapping) or not isinstance(metrics, list):
        return dict(body)
    return {**body, "spec": {**spec, "metrics": [_metric(metric) for metric in metrics]}}


def _metric(metric: Any) -> Any:
    provider = metric.get("provider") if isinstance(metric, Mapping) else None
    if not isinstance(provider, Mapping):
        return metric
    return {**metric, "provider": {name: _settings(name, each) for name, each in provider.items()}}


def _settings(provider: str, settings: Any) -> Any:
    if provider == "prometheus":
        return _fields(settings, lambda name: _hashed if name in _SECRET else _address if name == "address" else None)
    # Argo's own question for the verdict is told by its address; whatever else there is, nothing of it is read.
    if provider == "web":
        return _fields(settings, lambda name: _url if name == "url" else _hashed)
    return _hashed(settings)


def _fields(settings: Any, of_field: Callable[[str], Callable[[Any], Any] | None]) -> Any:
    if not isinstance(settings, Mapping):
        return settings
    changes = {name: change for name in settings if (change := of_field(name)) is not None}
    return {**settings, **{name: change(settings[name]) for name, change in changes.items()}}


def _hashed(value: Any) -> Any:
    """The same shape with a hash in place of each text; empty ones are no secrets."""
    match value:
        case Mapping():
            return {name: _hashed(each) for name, each in value.items()}
        case list():
            return [_hashed(each) for each in value]
        case str() if value:
            return f"sha256:{hashlib.sha256(value.encode(errors='surrogatepass')).hexdigest()}"
    return value


def _address(value: Any) -> Any:
    """The address; what stands before its host is a user's name and password."""
    return _USER.sub(lambda found: _hashed(found[0]), value) if isinstance(value, str) else value


def _url(value: Any) -> Any:
    return _address(value.partition("?")[0]) if isinstance(value, str) else value
