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
_PROVIDERS = (("", "@kubernetescrd"), (".+-svc-", "@kubernetesgateway"))


def _ways(subject: Subject) -> Iterator[Candidate | Unfit]:
    if reason := subject.no_services:
        yield Unfit(_NAME, reason)
        return
    for before, provider in _PROVIDERS:
        for label in ("service", "exported_service"):
            yield _named(subject, label, before, provider)


def _named(subject: Subject, label: str, before: str, provider: str) -> Candidate:
    def identity(version: Version) -> tuple[Matcher, ...]:
        # A port that is named with a dash cannot be told from a longer Service name.
        return (like(label, f"{before}{_written(subject.namespace, version.service)}-[a-z0-9]+{provider}"),)

    variant = provider[1:] if label == "service" else f"{provider[1:]}, exported"
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
