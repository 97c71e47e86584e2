"""The traffic world from a test or a script.

Law: one method per thing that can be turned or read; names and units as in `lab.traffic.world`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from lab import loopback


class Tally(NamedTuple):
    """What really happened to a version, whatever Prometheus saw of it."""

    bad: int
    total: int


@dataclass(frozen=True, slots=True)
class WorldClient:
    """The world behind `url`."""

    url: str

    @property
    def metrics_url(self) -> str:
        """Return what Prometheus scrapes."""
        return f"{self.url}/metrics"

    def set_behaviour(
        self,
        namespace: str,
        rollout: str,
        version: str | None = None,
        *,
        error_ratio: float | None = None,
        latency_seconds: float | None = None,
        latency_sigma: float | None = None,
    ) -> None:
        """Change how `version` (an image or a pod template hash; None: all) answers from now on.

        It may be said before the version exists. `error_ratio` is 0..1, `latency_seconds` the
        median, `latency_sigma` the width of the lognormal distribution.
        """
        self._turn(
            "behaviour",
            namespace,
            rollout,
            version=version,
            error_ratio=error_ratio,
            latency_seconds=latency_seconds,
            latency_sigma=latency_sigma,
        )

    def set_rate(self, namespace: str, rollout: str, requests_per_second: float) -> None:
        """Change how many requests the users of a Rollout send."""
        self._turn("demand", namespace, rollout, requests_per_second=requests_per_second)

    def set_preview_rate(self, namespace: str, rollout: str, requests_per_second: float) -> None:
        """Change how many requests a blue/green preview gets (5 a second unless set)."""
        self._turn("demand", namespace, rollout, preview_requests_per_second=requests_per_second)

    def set_bursts(
        self,
        namespace: str,
        rollout: str,
        version: str | None = None,
        *,
        error_ratio: float,
        burst_seconds: float = 5.0,
        calm_seconds: float,
    ) -> None:
        """Let each pod of `version` fail by itself in bursts, so long and so far apart on average; calm 0 ends it."""
        self._turn(
            "behaviour",
            namespace,
            rollout,
            version=version,
            burst_error_ratio=error_ratio,
            burst_seconds=burst_seconds,
            calm_seconds=calm_seconds,
        )

    def set_routes(
        self, namespace: str, rollout: str, version: str | None, routes: Mapping[str, Mapping[str, float]]
    ) -> None:
        """Label requests of `version` with a `route`: of each its `share`, `error_ratio` and `latency_seconds`."""
        wish = {name: dict(route) for name, route in routes.items()}
        self._turn("behaviour", namespace, rollout, version=version, routes=wish)

    def age(self, namespace: str, rollout: str, *, seconds: int = 3600, requests_per_second: float) -> None:
        """Let the ready pods of a Rollout, without a request so far, have served for `seconds`, and go on serving.

        Prometheus gets what it would have scraped meanwhile with its next scrapes.
        """
        self._turn("age", namespace, rollout, seconds=seconds, requests_per_second=requests_per_second)

    def silence(self, namespace: str, rollout: str, version: str | None = None, *, silent: bool = True) -> None:
        """Export nothing for `version`, though it goes on serving; `silent=False` ends that."""
        self._turn("behaviour", namespace, rollout, version=version, silent=silent)

    def cut_off(self, namespace: str, rollout: str, version: str | None = None, *, cut: bool = True) -> None:
        """Make `version` a target that cannot be scraped (`up` 0); `cut=False` ends that."""
        self._turn("behaviour", namespace, rollout, version=version, unreachable=cut)

    def misroute(self, namespace: str, rollout: str, shares: Mapping[str, float] | None) -> None:
        """Route by `shares` (image or hash to 0..1) whatever Argo set; None obeys Argo again."""
        self._turn("shares", namespace, rollout, shares=None if shares is None else dict(shares))

    def totals(self, namespace: str, rollout: str) -> dict[str, Tally]:
        """Return the true counts by pod template hash, of pods that are gone too."""
        parameters = {"namespace": namespace, "rollout": rollout}
        answer = loopback.call(f"{self.url}/v1/totals", parameters=parameters)
        return {version: Tally(*counts) for version, counts in answer.items()}

    def _turn(self, what: str, namespace: str, rollout: str, **wish: Any) -> None:
        body = {"namespace": namespace, "rollout": rollout, **wish}
        loopback.call(f"{self.url}/v1/{what}", body=body)
