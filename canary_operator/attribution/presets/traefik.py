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
# Newer versions write the route before the Service of an HTTPRoute. A port that is named with a dash cannot be told
# from a longer Service name; an HTTPRoute has only numbers.
_PROVIDERS = (
    ("IngressRoute", "", "-[a-z0-9]+@kubernetescrd"),
    ("HTTPRoute", "", "-[0-9]+@kubernetesgateway"),
    ("HTTPRoute by name", ".+-svc-", "-[0-9]+@kubernetesgateway"),
)


def _ways(subject: Subject) -> Iterator[Candidate | Unfit]:
    if reason := subject.no_services:
        yield Unfit(_NAME, reason)
        return
    for variant, before, behind in _PROVIDERS:
        yield _named(subject, "service", (before, behind), variant)
        yield _named(subject, "exported_service", (before, behind), f"{variant}, exported")


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
