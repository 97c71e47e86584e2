"""Where traces go.

Law: off unless an endpoint is configured; what OpenTelemetry calls by environment variables is not repeated here.
"""

from pydantic import Field

from canary_operator.settings.sections import Address, Section


class Tracing(Section):
    """Spans of every look at a Rollout, sent as OTLP over HTTP. Needs the extra ``canary-operator[otel]``."""

    endpoint: Address | None = Field(
        default=None,
        description="Whole url of an OTLP receiver, such as `http://collector:4318/v1/traces`. Default none: no spans. "
        "Headers that a receiver asks for are read from OTEL_EXPORTER_OTLP_HEADERS.",
    )
    sample_ratio: float = Field(
        default=1.0,
        gt=0,
        le=1,
        description="Share of the looks that are traced, more than 0 to 1. Default 1, every look: seven spans each, so "
        "that 100 releases in progress are 47 spans a second.",
    )
