"""Preset pod-name: the pods' names hold the hash.

Law: for metrics of the pods themselves.
"""

from collections.abc import Iterator

from canary_operator.attribution import pods
from canary_operator.attribution.candidate import Candidate, Preset, Unfit
from canary_operator.attribution.subject import Subject

_NAME = "pod-name"


def _ways(subject: Subject) -> Iterator[Candidate | Unfit]:
    yield pods.by_name(_NAME, subject)
    yield pods.by_name(_NAME, subject, variant="exported", prefix="exported_")


PRESET = Preset(_NAME, _ways)
