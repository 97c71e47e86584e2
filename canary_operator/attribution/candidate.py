"""One way to tell the versions apart, and what a preset is.

Law: nouns. Whether a way works only Prometheus can say.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from canary_operator.attribution.subject import Subject, Version
from canary_operator.model.indicator import Matcher, MatchKind

HASH_ADVICE = (
    "let Prometheus copy the hash from the pods: podTargetLabels: [rollouts-pod-template-hash] in the ServiceMonitor "
    "or PodMonitor"
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way to tell the versions of one Rollout apart.

    Args:

        preset: the name of the preset.

        canary: matchers of the canary's series, sorted; they name the namespace as the metric does.

        stable: matchers of the stable version's series.

        variant: tells the ways of one preset apart, "" for its usual one.

        pod_label: the label whose values are the version's own pods, so that there must be as many as pods; ""
            where the series are a proxy's. With preset pod-hash series may lack it.

        outlives: whether the series outlive a version: then a version's age says nothing about its series' age.
    """

    preset: str
    canary: tuple[Matcher, ...]
    stable: tuple[Matcher, ...]
    variant: str = ""
    pod_label: str = ""
    outlives: bool = False

    @property
    def name(self) -> str:
        """As people read it: ``istio (pod name)``."""
        return f"{self.preset} ({self.variant})" if self.variant else self.preset

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels in which a canary's series differs from a stable one's, sorted."""
        return tuple(sorted({each.label for each in {*self.canary} ^ {*self.stable}}))


@dataclass(frozen=True, slots=True)
class Unfit:
    """A way that is not tried, and why: one clause for a person."""

    preset: str
    reason: str


@dataclass(frozen=True, slots=True)
class Preset:
    """How one kind of metrics tells versions apart.

    Args:

        name: as in an SLOPolicy.

        ways: the ways for a subject, the likeliest first.

        metrics: beginnings of the names of the metrics that are told apart in this way and no other.

        routers: the routers whose metrics these are.

        advice: what helps where no series are found, a clause.
    """

    name: str
    ways: Callable[[Subject], Iterable[Candidate | Unfit]]
    metrics: tuple[str, ...] = ()
    routers: tuple[str, ...] = ()
    advice: str = HASH_ADVICE


Identity = Callable[[Version], tuple[Matcher, ...]]


def candidate(
    preset: str, subject: Subject, identity: Identity, *, variant: str = "", pod_label: str = "", outlives: bool = False
) -> Candidate:
    """A way in which both versions' matchers are made alike."""
    canary, stable = ordered(identity(subject.canary)), ordered(identity(subject.stable))
    return Candidate(preset, canary, stable, variant, pod_label, outlives)


def ordered(matchers: Iterable[Matcher]) -> tuple[Matcher, ...]:
    """The matchers as a Selector has them: sorted, each once."""
    return tuple(sorted({*matchers}, key=lambda each: (each.label, each.kind.value, each.value)))


def equal(label: str, value: str) -> Matcher:
    """``label="value"``."""
    return Matcher(label, MatchKind.EQUAL, value)


def like(label: str, pattern: str) -> Matcher:
    """``label=~"pattern"``; what comes from Kubernetes is escaped by the caller."""
    return Matcher(label, MatchKind.REGEX, pattern)
