"""Preset pod-hash: the pods' hash is a label of their series.

Law: for metrics of the pods themselves.
"""

from collections.abc import Iterator

from canary_operator.attribution import pods
from canary_operator.attribution.candidate import Candidate, Preset, Unfit
from canary_operator.attribution.subject import Subject

_NAME = "pod-hash"


def _ways(subject: Subject) -> Iterator[Candidate | Unfit]:
    yield pods.by_hash(_NAME, subject)
    yield pods.by_hash(_NAME, subject, variant="exported", prefix="exported_")


PRESET = Preset(_NAME, _ways)
