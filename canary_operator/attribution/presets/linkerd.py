"""Preset linkerd: what the pods' own proxies say about requests that come in.

Law: outbound series of the same pods are requests to others.
"""

from collections.abc import Iterator

from canary_operator.attribution import pods
from canary_operator.attribution.candidate import Candidate, Preset, Unfit, equal
from canary_operator.attribution.subject import Subject

_NAME = "linkerd"
_INBOUND = equal("direction", "inbound")


def _ways(subject: Subject) -> Iterator[Candidate | Unfit]:
    yield pods.by_hash(_NAME, subject, _INBOUND, variant="pod hash")
    yield pods.by_name(_NAME, subject, _INBOUND, variant="pod name")


PRESET = Preset(
    _NAME,
    _ways,
    metrics=("response_total", "response_latency_ms"),
    advice="the proxies' targets need the label pod or rollouts_pod_template_hash, and namespace; "
    "for an application's own metric of this name set preset pod-hash",
)
