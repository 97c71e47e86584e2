"""The parts of an SLOPolicy that are about evidence: objectives, whose errors they are, risk, and guards.

Law: pydantic at the border; every number has its unit, its bound and the reason of its default. What a selector or a
referenced SLO means is read by slo/, not here; the rules for the API server say of it what can be said in CEL.
"""

from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from canary_operator.model.document import Between, Document, Duration, Number, rules

_IS_NUMBER = r"self.trim().matches('^[0-9]{1,9}([.][0-9]{1,12})?$')"
_ONE_SOURCE = "exactly one of indicator and sloRef is needed"
_PERCENT = "objective (percent) is needed with indicator, and comes from the SLO with sloRef"
# A rule is checked on the default {} as well, before the defaults within.
_IS_CUSTOM = "has(self.preset) && self.preset == 'custom'"
_HAS_MATCHERS = "has(self.custom) && size(self.custom) > 0"
_CUSTOM = "custom matchers are given with preset custom, and only then"
_TELLING = "custom: one matcher at least must name {hash} or {service}, or nothing tells the versions apart"
# What slo/ and cluster/definitions.py read, by kind.
_VERSIONS = {
    "ServiceLevelObjective": "pyrra.dev/v1alpha1",
    "PrometheusServiceLevel": "sloth.slok.dev/v1",
    "ConfigMap": "v1",
    "AnalysisTemplate": "argoproj.io/v1alpha1",
    "ClusterAnalysisTemplate": "argoproj.io/v1alpha1",
}


# Only slo/ can read PromQL; these are the mistakes that a regular expression sees.
_SELECTOR_RULES = rules(
    (
        r"!self.matches('^[ ]*[a-zA-Z_:][a-zA-Z0-9_:]*[ ]*[(]') && !self.trim().endsWith(']')",
        'must be a bare selector such as requests_total{a="b"}',
    ),
    (
        "!self.matches('^[^{]*(_sum|_seconds_total|_milliseconds_total|_bytes_total|_joules_total)[ ]*([{]|$)')",
        "the metric adds up amounts and counts no requests",
    ),
)
SelectorText = Annotated[str, Field(min_length=1, max_length=2_000, json_schema_extra=_SELECTOR_RULES)]


class RatioIndicator(Document):
    """Bad (or good) requests among all requests."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            ("has(self.bad) != has(self.good)", "allowed is exactly one of bad, good"),
            ("!has(self.bad) || self.bad != self.total", "bad and total are the same"),
            ("!has(self.good) || self.good != self.total", "good and total are the same"),
        )
    )

    bad: SelectorText | None = Field(
        default=None,
        description='Bare selector of bad requests, such as http_requests_total{status=~"5.."}. Either bad or good.',
    )
    good: SelectorText | None = Field(default=None, description="Bare selector of the good requests, instead of bad.")
    total: SelectorText = Field(description="Bare selector of all requests, such as http_requests_total.")


class LatencyIndicator(Document):
    """Requests slower than a threshold."""

    histogram: str = Field(
        min_length=1,
        max_length=2_000,
        json_schema_extra=rules(
            (
                "!self.matches('^[^{]*_(bucket|count|sum)[ ]*([{]|$)')",
                "allowed is the name without _bucket, _count or _sum",
            )
        ),
        description="Base name of the histogram with bare matchers, such as http_request_duration_seconds; no _bucket.",
    )
    threshold: str = Field(
        max_length=24,
        json_schema_extra=rules(
            (f"{_IS_NUMBER} && double(self.trim()) > 0.0", 'allowed is a number such as "0.5", more than 0')
        ),
        description="Slower than this is bad, in the unit of the histogram. Must be a bucket of the live histogram.",
    )


class Indicator(Document):
    """What is counted: exactly one of ratio and latency."""

    model_config = ConfigDict(
        json_schema_extra=rules(("has(self.ratio) != has(self.latency)", "allowed is exactly one of ratio, latency"))
    )

    ratio: RatioIndicator | None = Field(default=None, description="Bad requests among all requests.")
    latency: LatencyIndicator | None = Field(default=None, description="Requests slower than a threshold.")


class SLOReference(Document):
    """An SLO that is defined elsewhere, in the Rollout's namespace."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            *(
                (
                    f"self.kind != '{kind}' || self.apiVersion == '{version}'",
                    f"apiVersion: allowed is {version} for {kind}",
                )
                for kind, version in _VERSIONS.items()
            )
        )
    )

    api_version: str = Field(
        max_length=128,
        description="pyrra.dev/v1alpha1, sloth.slok.dev/v1, v1 (a ConfigMap with OpenSLO or a Sloth file) or "
        "argoproj.io/v1alpha1.",
    )
    kind: Literal[
        "ServiceLevelObjective", "PrometheusServiceLevel", "ConfigMap", "AnalysisTemplate", "ClusterAnalysisTemplate"
    ] = Field(description="Kind of the object.")
    name: str = Field(min_length=1, max_length=253, description="Name of the object.")
    entry: str = Field(
        default="",
        max_length=253,
        description="The SLO, objective or metric within the object; may be absent where there is only one.",
    )


class Objective(Document):
    """One objective that a release must keep."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            ("has(self.indicator) != has(self.sloRef)", _ONE_SOURCE),
            ("has(self.indicator) == has(self.objective)", _PERCENT),
        )
    )

    name: str = Field(
        min_length=1,
        max_length=63,
        pattern=r"^[a-zA-Z0-9]([-a-zA-Z0-9_.]*[a-zA-Z0-9])?$",
        description="Its name in every message.",
    )
    objective: str | None = Field(
        default=None,
        max_length=24,
        json_schema_extra=rules(
            (
                f"{_IS_NUMBER} && double(self.trim()) > 0.0 && double(self.trim()) < 100.0",
                'allowed is a number such as "99.5", more than 0 and less than 100',
            )
        ),
        description="Share of requests that must be good, percent as text such as 99.5; absent with sloRef, which has "
        "its own.",
    )
    indicator: Indicator | None = Field(default=None, description="What is counted. Either indicator or sloRef.")
    slo_ref: SLOReference | None = Field(default=None, description="Where the SLO is defined, instead of indicator.")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.indicator is None) is (self.slo_ref is None):
            raise ValueError(_ONE_SOURCE)
        if (self.indicator is None) is not (self.objective is None):
            raise ValueError(_PERCENT)
        return self


class VersionMatcher(Document):
    """A matcher that tells one version's series."""

    label: str = Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$", max_length=128, description="Name of the label.")
    value: str = Field(
        max_length=512,
        description="Value of the label; {namespace}, {rollout}, {hash} and {service} are filled in for each version.",
    )


class Attribution(Document):
    """How the canary's series are told from stable's."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            (f"({_IS_CUSTOM}) == ({_HAS_MATCHERS})", _CUSTOM),
            (f"!({_HAS_MATCHERS}) || self.custom.exists(each, each.value.matches('[{{](hash|service)[}}]'))", _TELLING),
        )
    )

    preset: Literal["auto", "pod-hash", "pod-name", "istio", "nginx", "traefik", "linkerd", "contour", "custom"] = (
        Field(
            default="auto",
            description="Which labels tell the versions apart. Default auto: the first preset that has series of "
            "the stable version.",
        )
    )
    custom: tuple[VersionMatcher, ...] = Field(
        default=(),
        max_length=8,
        description="Matchers of the preset custom, of which at least one must name {hash} or {service}.",
    )

    @model_validator(mode="after")
    def _custom_is_given(self) -> Self:
        if (self.preset == "custom") is not bool(self.custom):
            raise ValueError(_CUSTOM)
        if self.custom and not any("{hash}" in each.value or "{service}" in each.value for each in self.custom):
            raise ValueError(_TELLING)
        return self


class Risk(Document):
    """How often the gate may be wrong, and what still counts as fine."""

    false_abort: Annotated[Number, Between(0, 0.5)] = Field(
        default=0.01,
        description="Probability that a healthy release is aborted, over all objectives and steps together. Default "
        "0.01: one needless abort in a hundred releases.",
    )
    false_promotion: Annotated[Number, Between(0, 0.5)] = Field(
        default=0.05,
        description="Probability that a weight passes although the canary is as bad as rejectRatio says. Default 0.05: "
        "the usual confidence of 95 %.",
    )
    tolerable_ratio: Annotated[Number, Between(0.99, 100)] = Field(
        default=1.25,
        description="Canary's bad ratio over stable's that is still fine. Default 1.25: what restarts and cold caches "
        "of a healthy release cost.",
    )
    reject_ratio: Annotated[Number, Between(1, 1000)] = Field(
        default=2.0,
        description="A canary with this many times the objective's budget must not be promoted. Default 2: it would "
        "spend the budget of a month in two weeks.",
    )
    max_excess_bad: int | None = Field(
        default=None,
        ge=1,
        description="Bad requests above stable's ratio that a release may cost before it is aborted. Absent: no bound.",
    )


class Guards(Document):
    """What must be right before evidence is believed."""

    max_telemetry_age: Duration = Field(
        default=45.0,
        description="The newest sample may be this old, or three scrape intervals if that is longer. Default 45s: "
        "three of the usual intervals of 15s.",
    )
    max_restarts: int = Field(
        default=3,
        ge=0,
        le=1000,
        description="Restarts of the canary's pods in this release above which it is CanaryUnhealthy. Default 3: one "
        "more than a slow dependency may cost at the start.",
    )
    min_share_of_weight: Annotated[Number, Between(0, 1)] = Field(
        default=0.5,
        description="The canary's share of requests, as a share of the step's weight, under which (or over whose "
        "inverse) the routing is taken to be wrong. Default 0.5: pods are few and load balancers uneven.",
    )
