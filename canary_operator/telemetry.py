"""Every metric of the operator, and how it logs.

Law: all names stand here. Whatever is counted has happened. Series of a Rollout go with it.
"""

import logging
import sys

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

import canary_operator
from canary_operator.cluster.calls import Call
from canary_operator.model.decision import Action, ActionKind, Applied, Outcome
from canary_operator.model.look import Look
from canary_operator.model.rollout import RolloutRef
from canary_operator.model.verdict import HoldReason
from canary_operator.prometheus.providers import ANSWERED, Exchange


class Telemetry:
    """The operator's own metrics."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.looks = Counter("canary_operator_reconcile", "Looks at Rollouts.", ["result"], registry=self.registry)
        self.look_seconds = Histogram(
            "canary_operator_reconcile_duration_seconds", "Duration of a look.", registry=self.registry
        )
        self._decisions = Counter(
            "canary_operator_decisions",
            "Changes of the verdict.",
            ["namespace", "rollout", "verdict", "reason"],
            registry=self.registry,
        )
        self._actions = Counter(
            "canary_operator_actions", "Writes to Rollouts.", ["action", "outcome"], registry=self.registry
        )
        self._providers = _Providers(self.registry)
        self._requests = Counter(
            "canary_operator_api_requests",
            "Requests to the API server, the watches' own apart.",
            ["verb", "resource", "status"],
            registry=self.registry,
        )
        self.lag = Gauge(
            "canary_operator_queue_lag_seconds", "Lateness of the most overdue Rollout.", registry=self.registry
        )
        build = Gauge("canary_operator_build_info", "The running version.", ["version"], registry=self.registry)
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
        """Count a change of the verdict."""
        if look.verdict_changed:
            self._decisions.labels(
                look.ref.namespace, look.ref.name, look.status.verdict or "", look.status.reason
            ).inc()

    def forget(self, ref: RolloutRef) -> None:
        """Remove the series of a Rollout that is gone."""
        self._decisions.remove_by_labels({"namespace": ref.namespace, "rollout": ref.name})


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
        if exchange.seconds is not None:
            self._requests.labels(provider, exchange.outcome).inc()
            self._seconds.labels(provider).observe(exchange.seconds)
            self._united.labels(provider).observe(exchange.questions)
            self._infos.labels(provider).inc(exchange.infos)


def configure_logging() -> None:
    """JSON lines on stdout; what kopf and the clients say passes through the same formatter."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processor=structlog.processors.JSONRenderer())
    )
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    # kopf says every event of every object; the verdicts are what an operator's operator wants to read.
    logging.getLogger("kopf").setLevel(logging.WARNING)
    # It watches in a thread on purpose; the signals are the program's.
    logging.getLogger("kopf._core.reactor.running").setLevel(logging.ERROR)
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
