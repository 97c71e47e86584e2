"""Preset nginx: ingress-nginx, which names the canary's upstream in a label of the stable Ingress' series.

Law: the canary's own Ingress and Service appear in no series; the label ``canary`` alone tells the versions apart.
"""

from collections.abc import Iterator

from canary_operator.attribution.candidate import Candidate, Preset, Unfit, candidate, equal, like
from canary_operator.attribution.subject import Subject, Version
from canary_operator.model.indicator import Matcher
from canary_operator.model.promql import any_of, escape_regex

_NAME = "nginx"
# How the controller's own labels are called: depends on honorLabels and on which labels its target has.
_SPELLINGS = (
    ("", "namespace", "service"),
    ("exported", "exported_namespace", "exported_service"),
    ("exported namespace", "exported_namespace", "service"),
)


def _ways(subject: Subject) -> Iterator[Candidate | Unfit]:
    if not subject.stable_ingresses:
        yield Unfit(_NAME, "the Rollout names no stable Ingress")
        return
    if reason := subject.no_services:
        yield Unfit(_NAME, reason)
        return
    for variant, namespace, service in _SPELLINGS:
        yield _spelt(subject, variant, namespace, service)


def _spelt(subject: Subject, variant: str, namespace: str, service: str) -> Candidate:
    def identity(version: Version) -> tuple[Matcher, ...]:
        backend = equal(service, subject.stable_service)
        return (
            equal(namespace, subject.namespace),
            *_own(namespace),
            _ingress(subject),
            backend,
            _upstream(subject, version),
        )

    return candidate(_NAME, subject, identity, variant=variant, outlives=True)


def _ingress(subject: Subject) -> Matcher:
    one, *more = subject.stable_ingresses
    return like("ingress", any_of(subject.stable_ingresses)) if more else equal("ingress", one)


def _own(namespace: str) -> tuple[Matcher, ...]:
    # Where the controller's namespace hides the Ingress', "namespace" would mean every Ingress of the controller.
    return (equal("exported_namespace", ""),) if namespace == "namespace" else ()


def _upstream(subject: Subject, version: Version) -> Matcher:
    if version == subject.stable:
        return equal("canary", "")
    # Namespace, Service and port. A longer Service name is not meant: it would be the canary of another stable Service.
    return like("canary", escape_regex(f"{subject.namespace}-{version.service}-") + ".+")


PRESET = Preset(
    _NAME,
    _ways,
    metrics=("nginx_ingress_controller_",),
    routers=("nginx",),
    advice="the controller must be 1.0.2 or newer, run with metrics, and be scraped with honorLabels: true at best",
)
