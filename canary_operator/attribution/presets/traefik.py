"""Preset traefik: what Traefik says about the Services that a TraefikService or an HTTPRoute weighs.

Law: Traefik joins namespace, Service and port with dashes, so names that differ only in where they are cut are one.
"""

import re
from collections.abc import Iterator

from canary_operator.attribution.candidate import Candidate, Preset, Unfit, candidate, like
from canary_operator.attribution.subject import Subject, Version
from canary_operator.model.indicator import Matcher
from canary_operator.model.promql import escape_regex

_NAME = "traefik"
# Before namespace and Service stands, in newer versions, the route. A port that is named with a dash cannot be told
# from a longer Service name; an HTTPRoute has only numbers.
_PROVIDERS = (("", "[a-z0-9]+", "kubernetescrd"), ("(.+-svc-)?", "[0-9]+", "kubernetesgateway"))


def _ways(subject: Subject) -> Iterator[Candidate | Unfit]:
    if reason := subject.no_services:
        yield Unfit(_NAME, reason)
        return
    for before, port, provider in _PROVIDERS:
        for label in ("service", "exported_service"):
            variant = provider if label == "service" else f"{provider}, exported"
            yield _named(subject, label, (before, f"-{port}@{provider}"), variant)


def _named(subject: Subject, label: str, around: tuple[str, str], variant: str) -> Candidate:
    def identity(version: Version) -> tuple[Matcher, ...]:
        return (like(label, _written(subject.namespace, version.service).join(around)),)

    return candidate(_NAME, subject, identity, variant=variant, outlives=True)


def _written(namespace: str, service: str) -> str:
    # Traefik writes several dashes as one.
    return escape_regex(re.sub("-+", "-", f"{namespace}-{service}"))


PRESET = Preset(
    _NAME,
    _ways,
    metrics=("traefik_service_",),
    routers=("traefik",),
    advice="Traefik must run with metrics on services (addServicesLabels)",
)
