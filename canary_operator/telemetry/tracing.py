"""Traces: a span for each look at a Rollout, with the verbs of the cycle as its children.

Law: whoever does not configure it pays nothing: no function is wrapped then, and OpenTelemetry is not imported.
"""

import asyncio
import dataclasses
import functools
import threading
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

import requests

import canary_operator
from canary_operator.errors import ConfigurationError
from canary_operator.model.gate import GateStatus
from canary_operator.model.rollout import RolloutRef
from canary_operator.settings import Tracing

if TYPE_CHECKING:
    from _typeshed import DataclassInstance
    from opentelemetry.sdk.trace import TracerProvider

    Verbs = TypeVar("Verbs", bound=DataclassInstance)

# What a receiver may take: spans are dropped rather than kept for one that is away.
_SEND_SECONDS = 5.0

Look = Callable[[RolloutRef], Awaitable[float]]


def begin(settings: Tracing) -> "Traces | None":
    """Begin to trace; None where no endpoint is configured.

    Raises:

        ConfigurationError: if OpenTelemetry is not installed.
    """
    if settings.endpoint is None:
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise ConfigurationError(
            "tracing.endpoint: OpenTelemetry is not installed; install canary-operator[otel], or remove the endpoint"
        ) from error
    session = requests.Session()
    # As for providers: nothing of the environment says through whom the operator speaks.
    session.trust_env = False
    exporter = OTLPSpanExporter(settings.endpoint, timeout=_SEND_SECONDS, session=session)
    provider = _provider(settings.sample_ratio)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return Traces(provider)


def _provider(sample_ratio: float) -> "TracerProvider":
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio

    told = {"service.name": "canary-operator", "service.version": canary_operator.__version__}
    # The program ends by itself, and waits for no receiver.
    sampler = ParentBasedTraceIdRatio(sample_ratio)
    return TracerProvider(sampler, Resource.create(told), shutdown_on_exit=False)


class Traces:
    """Puts spans around what is looked at and around each verb."""

    def __init__(self, provider: "TracerProvider") -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("canary_operator", canary_operator.__version__)

    def around_look(self, look: Look) -> Look:
        """The same look, within a span that names the Rollout."""

        @functools.wraps(look)
        async def traced(ref: RolloutRef) -> float:
            with self._tracer.start_as_current_span(
                "look", attributes={"namespace": ref.namespace, "rollout": ref.name}
            ):
                return await look(ref)

        return traced

    def around(self, verbs: "Verbs") -> "Verbs":
        """The same verbs, the fields of a dataclass, each within a span of its name."""
        names = [field.name for field in dataclasses.fields(verbs)]
        return dataclasses.replace(verbs, **{name: self._within(name, getattr(verbs, name)) for name in names})

    def _within(self, name: str, verb: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(verb)
        def at_once(*args: Any) -> Any:
            with self._tracer.start_as_current_span(name):
                return verb(*args)

        @functools.wraps(verb)
        async def in_time(*args: Any) -> Any:
            with self._tracer.start_as_current_span(name):
                result = await verb(*args)
            _tell(result)
            return result

        return in_time if asyncio.iscoroutinefunction(verb) else at_once

    def close(self, seconds: float) -> None:
        """Send what is left, for so long at most; a receiver that is away keeps nobody."""
        closing = threading.Thread(target=self._provider.shutdown, name="traces", daemon=True)
        closing.start()
        closing.join(seconds)


def _tell(result: object) -> None:
    """Write on the look's span what the gate says, as soon as a verb has come to it."""
    if not isinstance(result, GateStatus):
        return
    from opentelemetry import trace

    said = {"verdict": result.verdict or "", "reason": result.reason, "phase": result.phase}
    trace.get_current_span().set_attributes(said)
