"""Preset contour: what Envoy says about the cluster that Contour makes of each Service.

Law: namespace, Service and port are joined with underscores, which no name has.
"""

from collections.abc import Iterator

from canary_operator.attribution.candidate import Candidate, Preset, Unfit, candidate, like
from canary_operator.attribution.subject import Subject, Version
from canary_operator.model.indicator import Matcher
from canary_operator.model.promql import escape_regex

_NAME = "contour"


def _ways(subject: Subject) -> Iterator[Candidate | Unfit]:
    def identity(version: Version) -> tuple[Matcher, ...]:
        return (like("envoy_cluster_name", escape_regex(f"{subject.namespace}_{version.service}_") + "[0-9]+"),)

    if reason := subject.no_services:
        yield Unfit(_NAME, reason)
    else:
        yield candidate(_NAME, subject, identity, outlives=True)


PRESET = Preset(
    _NAME,
    _ways,
    metrics=("envoy_cluster_",),
    routers=("contour",),
    advice="the Envoys' targets need the label envoy_cluster_name; of Envoys that Contour does not run use custom",
)
