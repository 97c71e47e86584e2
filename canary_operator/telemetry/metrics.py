"""The operator's own metrics: what it does, what it asks, what it hears. Those about Rollouts are in gates.py.

Law: whatever is counted has happened. A series that can be known beforehand begins at 0.
"""

import functools
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

import canary_operator
from canary_operator import archive, notifications
from canary_operator.cluster.calls import Call
from canary_operator.model.decision import Action, ActionKind, Applied, Outcome
from canary_operator.model.look import Look
from canary_operator.model.rollout import RolloutRef
from canary_operator.model.verdict import HoldReason
from canary_operator.prometheus.providers import ANSWERED, Exchange
from canary_operator.telemetry.gates import Gates

# A second series for each counter, of no use to anybody who scrapes.
disable_created_metrics()  # type: ignore[no-untyped-call]


class Telemetry:
    """The operator's own metrics."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        counter, gauge = functools.partial(Counter, registry=registry), functools.partial(Gauge, registry=registry)
        self.looks = counter("canary_operator_reconcile", "Looks at Rollouts.", ["result"])
        self.look_seconds = Histogram(
            "canary_operator_reconcile_duration_seconds", "Duration of a look.", registry=registry
        )
        self._gates = Gates(registry)
        self._actions = counter("canary_operator_actions", "Writes to Rollouts.", ["action", "outcome"])
        self._providers = _Providers(registry)
        self._requests = counter(
            "canary_operator_api_requests",
            "Requests to the API server, the watches' own apart.",
            ["verb", "resource", "status"],
        )
        self._lag = gauge("canary_operator_queue_lag_seconds", "Lateness of the most overdue Rollout.")
        self._leads = gauge("canary_operator_leader", "1 while this replica may write to Rollouts and gates.")
        self._watched = gauge(
            "canary_operator_watch_up", "1 while somebody listens to the changes of a kind.", ["resource"]
        )
        self.listed = gauge(
            "canary_operator_last_listing_timestamp_seconds",
            "When every kind was last listed as a whole, Unix seconds; 0 before the first time.",
        )
        self._notifications = counter(
            "canary_operator_notifications", "News of verdicts, by what became of them.", ["target", "outcome"]
        )
        self._archive = _Archive(registry)
        build = gauge("canary_operator_build_info", "The running version.", ["version"])
        build.labels(canary_operator.__version__).set(1)
        self._pre_set()

    def _pre_set(self) -> None:
        # A counter that appears with its first event loses that event in every rate().
        for result in ("ok", "error"):
            self.looks.labels(result)
        for kind in ActionKind:
            for outcome in Outcome:
                self._actions.labels(kind.value, outcome.value)

    def expect(self, provider: str) -> None:
        """Begin the series of a provider at zero."""
        self._providers.expect(provider)

    def expect_target(self, target: str) -> None:
        """Begin the series of somebody who is notified at zero."""
        for outcome in notifications.Outcome:
            self._notifications.labels(target, outcome.value)

    def notified(self, target: str, outcome: notifications.Outcome) -> None:
        """Count what became of one piece of news."""
        self._notifications.labels(target, outcome.value).inc()

    def expect_place(self, place: str, behind: Callable[[], int]) -> None:
        """Begin the series of a place for records; ``behind`` is called from the thread that is scraped in."""
        self._archive.expect(place, behind)

    def archived(self, place: str, outcome: archive.Outcome, records: int) -> None:
        """Count records that have come to their end."""
        self._archive.records.labels(place, outcome.value).inc(records)

    def archive_failed(self, place: str, trouble: archive.Trouble) -> None:
        """Count what has failed and is tried again."""
        self._archive.failures.labels(place, trouble.value).inc()

    def late_by(self, lag: Callable[[], float]) -> None:
        """Tell the lateness of the most overdue Rollout; ``lag`` is called from the thread that is scraped in."""
        self._lag.set_function(lag)

    def leads(self, may_write: Callable[[], bool]) -> None:
        """Tell whether this replica may write; ``may_write`` is called from the thread that is scraped in."""
        self._leads.set_function(may_write)

    def watches(self, resource: str, is_heard: Callable[[], bool]) -> None:
        """Tell whether a kind is listened to; ``is_heard`` is called from the thread that is scraped in."""
        self._watched.labels(resource).set_function(is_heard)

    def asked(self, exchange: Exchange) -> None:
        """Count a request to a provider, or the questions that it was not asked."""
        self._providers.count(exchange)

    def requested(self, call: Call, status: str) -> None:
        """Count a request to the API server; called from threads."""
        resource = "/".join(filter(None, (call.resource.plural, call.subresource)))
        self._requests.labels(call.verb.value, resource, status).inc()

    def acted(self, action: Action, applied: Applied) -> None:
        """Count a write whose outcome is known."""
        self._actions.labels(action.kind.value, applied.outcome.value).inc()

    def looked(self, look: Look) -> None:
        """Tell where a gate stands, and count a change of its verdict."""
        self._gates.looked(look)

    def forget(self, ref: RolloutRef) -> None:
        """Remove the series of a Rollout that is gone."""
        self._gates.forget(ref)


class _Archive:
    """What becomes of records besides the API server."""

    def __init__(self, registry: CollectorRegistry) -> None:
        prefix = "canary_operator_audit"
        self.records = Counter(
            f"{prefix}_records",
            "Records for places besides the API server, by what became of them.",
            ["place", "outcome"],
            registry=registry,
        )
        self.failures = Counter(
            f"{prefix}_failures", "Failures that are tried again.", ["place", "trouble"], registry=registry
        )
        self._waiting = Gauge(f"{prefix}_waiting", "Records that are not at a place yet.", ["place"], registry=registry)

    def expect(self, place: str, behind: Callable[[], int]) -> None:
        for outcome in archive.Outcome:
            self.records.labels(place, outcome.value)
        for trouble in archive.Trouble:
            self.failures.labels(place, trouble.value)
        self._waiting.labels(place).set_function(behind)


class _Providers:
    """What is asked of providers. Many questions may be one request."""

    def __init__(self, registry: CollectorRegistry) -> None:
        prefix = "canary_operator_prometheus"
        self._queries = Counter(
            f"{prefix}_queries",
            "Questions to providers, those that were not sent included.",
            ["provider", "outcome"],
            registry=registry,
        )
        self._requests = Counter(
            f"{prefix}_requests", "Requests to providers.", ["provider", "outcome"], registry=registry
        )
        self._seconds = Histogram(
            f"{prefix}_request_duration_seconds",
            "Duration of a request, waiting for others and for a turn included.",
            ["provider"],
            registry=registry,
        )
        self._united = Histogram(
            f"{prefix}_questions_per_request",
            "Questions that one request answers.",
            ["provider"],
            buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500),
            registry=registry,
        )
        self._infos = Counter(
            f"{prefix}_infos", "Remarks on queries that came with answers.", ["provider"], registry=registry
        )
        self._up = Gauge(
            "canary_operator_metric_source_up",
            "1 if a provider answered what it was asked last; absent before it was asked for the first time.",
            ["provider"],
            registry=registry,
        )
        self._open = Gauge(
            f"{prefix}_circuit_open",
            "1 while a provider is left alone because it did not answer.",
            ["provider"],
            registry=registry,
        )

    def expect(self, provider: str) -> None:
        for outcome in (ANSWERED, HoldReason.TELEMETRY_UNAVAILABLE.value, HoldReason.CONFIGURATION_ERROR.value):
            self._queries.labels(provider, outcome)
            self._requests.labels(provider, outcome)
        for metric in (self._seconds, self._united, self._infos, self._open):
            metric.labels(provider)

    def count(self, exchange: Exchange) -> None:
        provider = exchange.provider
        self._queries.labels(provider, exchange.outcome).inc(exchange.questions)
        self._open.labels(provider).set(exchange.is_open)
        # A query that is refused was answered: that is no fault of the provider.
        self._up.labels(provider).set(exchange.outcome != HoldReason.TELEMETRY_UNAVAILABLE.value)
        if exchange.seconds is not None:
            self._requests.labels(provider, exchange.outcome).inc()
            self._seconds.labels(provider).observe(exchange.seconds)
            self._united.labels(provider).observe(exchange.questions)
            self._infos.labels(provider).inc(exchange.infos)
