"""Preset istio: what the proxies of callers say about a Service, or what the pods' own proxies say.

Law: one reporter only; both tell the same requests.
"""

from collections.abc import Iterator

from canary_operator.attribution import pods
from canary_operator.attribution.candidate import Candidate, Preset, Unfit, candidate, equal
from canary_operator.attribution.subject import Subject, Version
from canary_operator.model.indicator import Matcher

_NAME = "istio"
_SERVER = equal("reporter", "destination")


def _ways(subject: Subject) -> Iterator[Candidate | Unfit]:
    yield _by_host(subject)
    yield pods.by_hash(_NAME, subject, _SERVER, variant="pod hash")
    yield pods.by_name(_NAME, subject, _SERVER, variant="pod name")


def _by_host(subject: Subject) -> Candidate | Unfit:
    # A caller's proxy also sees the connections that fail, which the pod's own never does.
    def identity(version: Version) -> tuple[Matcher, ...]:
        namespace = equal("destination_service_namespace", subject.namespace)
        return equal("reporter", "source"), namespace, equal("destination_service_name", version.service)

    if subject.istio_subsets:
        return Unfit(_NAME, "both versions are subsets of one host")
    if reason := subject.no_services:
        return Unfit(_NAME, reason)
    return candidate(_NAME, subject, identity, variant="host", outlives=True)


PRESET = Preset(
    _NAME,
    _ways,
    metrics=("istio_",),
    routers=("istio",),
    advice="with subsets the proxies' targets need the label pod or rollouts_pod_template_hash, and namespace",
)
