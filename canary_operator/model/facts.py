"""What the cluster knows that bears on evidence: the pods and births of both versions, and SLOs defined elsewhere.

Law: nouns only. What is not known is Absent, with the reason: an API server that cannot be asked never stops a hold.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from canary_operator.model.pods import VersionPods
from canary_operator.model.rollout import Body
from canary_operator.model.samples import Absent
from canary_operator.model.verdict import HoldReason


@dataclass(frozen=True, slots=True, order=True)
class SLORefKey:
    """An object that defines an SLO, in the Rollout's namespace or the cluster's own."""

    api_version: str
    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class Births:
    """When the ReplicaSets of both versions were created, Unix seconds in whole ones; None where nobody knows.

    Nothing of a version can have been counted before. A version that comes back may have its old ReplicaSet.
    """

    canary: float | None = None
    stable: float | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What was asked for one look.

    Args:

        pods: of both versions.

        births: of both versions.

        stable_revision: Argo's number of the stable version, by which a person can go back to it; None where nobody
            knows.

        definitions: the objects that were named; ConfigurationError where one cannot be there or is not, NoData where
            the API server does not say so now.
    """

    pods: VersionPods | Absent
    births: Births = Births()
    stable_revision: int | None = None
    definitions: Mapping[SLORefKey, Body | Absent] = field(default_factory=dict)


NO_FACTS = Facts(pods=Absent(HoldReason.NO_DATA, "the pods were not asked for"))
