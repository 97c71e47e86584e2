"""What must be known about a Rollout to tell its two versions apart.

Law: nouns; "" is what Kubernetes does not say.
"""

from dataclasses import dataclass

from canary_operator.model.indicator import Matcher


@dataclass(frozen=True, slots=True)
class Version:
    """One of the two versions: its pod template hash and the Service that selects its pods, "" where there is none."""

    hash: str
    service: str


@dataclass(frozen=True, slots=True)
class Custom:
    """A user's own matchers, in whose values {namespace}, {rollout}, {hash} and {service} are filled in.

    Args:

        canary: what is asked for the canary.

        stable: the same for the stable version; often the same matchers.
    """

    canary: tuple[Matcher, ...]
    stable: tuple[Matcher, ...]


@dataclass(frozen=True, slots=True)
class Subject:
    """A Rollout, as far as its series are concerned.

    Args:

        canary_service: of blue/green the previewService; "" where there is none. ``stable_service``: the activeService.

        stable_ingresses: the Ingresses that nginx splits.

        routers: the fields of ``trafficRouting`` that name a router, such as ``istio``.

        istio_subsets: whether Istio splits by subsets of one host.

        custom: the matchers of the preset custom, None where the user gave none.
    """

    namespace: str
    rollout: str
    canary_hash: str
    stable_hash: str
    canary_service: str = ""
    stable_service: str = ""
    stable_ingresses: tuple[str, ...] = ()
    routers: tuple[str, ...] = ()
    istio_subsets: bool = False
    custom: Custom | None = None

    @property
    def canary(self) -> Version:
        """The new version."""
        return Version(self.canary_hash, self.canary_service)

    @property
    def stable(self) -> Version:
        """The version that served before."""
        return Version(self.stable_hash, self.stable_service)

    @property
    def no_services(self) -> str:
        """Why Services do not tell the versions apart, "" where they do."""
        if not self.canary_service or not self.stable_service:
            return "the Rollout does not name a Service for each version"
        return "both versions have one Service" if self.canary_service == self.stable_service else ""
