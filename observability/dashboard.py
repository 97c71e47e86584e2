"""The Grafana dashboard: which questions it asks, and how the answers are drawn.

To add a panel, add it to a row. The end-to-end tests ask every question of a Prometheus that scrapes an operator, and
every one must have an answer.

Law: asks for the operator's own metrics and no others. Ids and places follow from the order.
"""

import enum
from dataclasses import dataclass
from typing import assert_never

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, statetimeline, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import BigValueTextMode, LegendDisplayMode, LegendPlacement
from grafana_foundation_sdk.models.dashboard import (
    AnnotationQuery,
    DashboardCursorSync,
    DataSourceRef,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

UID = "canary-operator"

_SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
# What is chosen at the top of the page.
_CHOSEN = 'namespace=~"$namespace",rollout=~"$rollout"'
_WIDTH = 24
_HEIGHT = 8

_AnyPanel = timeseries.Panel | stat.Panel | statetimeline.Panel


class Kind(enum.Enum):
    """How an answer is drawn."""

    LINES = "lines"
    NUMBER = "number"
    # Of the only series.
    NAME = "name"
    STATES_OVER_TIME = "states over time"


@dataclass(frozen=True, slots=True)
class Query:
    """One question in PromQL, and how the series of its answer are called."""

    promql: str
    legend: str


@dataclass(frozen=True, slots=True)
class Panel:
    """Questions whose answers are drawn together.

    Args:

        unit: Grafana's name of the unit, such as ``s`` or ``percentunit``.
    """

    title: str
    queries: tuple[Query, ...]
    unit: str = "short"
    kind: Kind = Kind.LINES


def _quantiles(metric: str, by: str = "", over: str = "$__rate_interval") -> tuple[Query, ...]:
    """Ask for the middle and the slowest hundredth of a histogram."""
    labels = f"le, {by}" if by else "le"
    name = f"{{{{{by}}}}} " if by else ""
    return tuple(
        Query(f"histogram_quantile({q}, sum by ({labels}) (increase({metric}_bucket[{over}])))", f"{name}{told}")
        for q, told in (("0.5", "half of them"), ("0.99", "99 of 100"))
    )


_JUDGED = 'state=~"Hold|Promote|Abort"'
_WAITS = 'mode="enforce",state="Hold",reason!~"Collecting|FleetLimit|Frozen|LowTraffic|Override|WarmUp"'

GATES = (
    Panel(
        "Releases that are judged",
        (Query(f"count(canary_operator_gate_state{{{_CHOSEN},{_JUDGED}}}) or vector(0)", "releases"),),
        kind=Kind.NUMBER,
    ),
    Panel(
        "Held for a person",
        (Query(f"count(canary_operator_gate_state{{{_CHOSEN},{_WAITS}}}) or vector(0)", "releases"),),
        kind=Kind.NUMBER,
    ),
    Panel("Version", (Query("max by (version) (canary_operator_build_info)", "{{version}}"),), kind=Kind.NAME),
    Panel(
        "Where each gate stands",
        (
            Query(
                f"max by (namespace, rollout, state, reason) (canary_operator_gate_state{{{_CHOSEN}}})",
                "{{namespace}}/{{rollout}} {{state}} {{reason}}",
            ),
        ),
        kind=Kind.STATES_OVER_TIME,
    ),
    Panel(
        "Changes of the verdict",
        (
            Query(
                f"sum by (verdict, reason) (increase(canary_operator_decisions_total{{{_CHOSEN}}}[$__rate_interval]))",
                "{{verdict}} {{reason}}",
            ),
        ),
    ),
)

EVIDENCE = (
    Panel(
        "Bad requests",
        (
            Query(
                f"max by (namespace, rollout, evidence, role) (canary_operator_bad_ratio{{{_CHOSEN}}})",
                "{{rollout}} {{evidence}} {{role}}",
            ),
            Query(
                f"max by (namespace, rollout, evidence) (canary_operator_allowed_bad_ratio{{{_CHOSEN}}})",
                "{{rollout}} {{evidence}} allowed",
            ),
        ),
        unit="percentunit",
    ),
    Panel(
        "Requests in evidence",
        (
            Query(
                f"max by (namespace, rollout, evidence, role) (canary_operator_evidence_requests{{{_CHOSEN}}})",
                "{{rollout}} {{evidence}} {{role}}",
            ),
        ),
    ),
    Panel(
        "How near an abort or a promotion is",
        (
            Query(
                "max by (namespace, rollout, evidence, towards) "
                f"(canary_operator_evidence_progress_ratio{{{_CHOSEN}}})",
                "{{rollout}} {{evidence}} {{towards}}",
            ),
        ),
        unit="percentunit",
    ),
    Panel(
        "Time to a decision",
        _quantiles("canary_operator_time_to_decision_seconds", by="verdict", over="$__range"),
        unit="s",
    ),
)

OPERATOR = (
    Panel(
        "Looks a second",
        (Query("sum by (result) (rate(canary_operator_reconcile_total[$__rate_interval]))", "{{result}}"),),
    ),
    Panel("Duration of a look", _quantiles("canary_operator_reconcile_duration_seconds"), unit="s"),
    Panel(
        "Lateness",
        (
            Query("max(canary_operator_queue_lag_seconds)", "most overdue Rollout"),
            Query("time() - max(canary_operator_last_listing_timestamp_seconds)", "since the last listing"),
        ),
        unit="s",
    ),
    Panel("Replicas that may write", (Query("sum(canary_operator_leader)", "holders of the Lease"),)),
    Panel("Watches", (Query("min by (resource) (canary_operator_watch_up)", "{{resource}}"),)),
    Panel(
        "Writes to Rollouts",
        (
            Query(
                "sum by (action, outcome) (increase(canary_operator_actions_total[$__rate_interval]))",
                "{{action}} {{outcome}}",
            ),
        ),
    ),
    Panel(
        "Requests to the API server a second",
        (
            Query(
                "sum by (verb, resource, status) (rate(canary_operator_api_requests_total[$__rate_interval]))",
                "{{verb}} {{resource}} {{status}}",
            ),
        ),
    ),
    Panel(
        "Notifications",
        (
            Query(
                "sum by (target, outcome) (increase(canary_operator_notifications_total[$__rate_interval]))",
                "{{target}} {{outcome}}",
            ),
        ),
    ),
    Panel(
        "Records at other places",
        (
            Query("max by (place) (canary_operator_audit_waiting)", "{{place}} waiting"),
            Query(
                "sum by (place, outcome) (increase(canary_operator_audit_records_total[$__rate_interval]))",
                "{{place}} {{outcome}}",
            ),
            Query(
                "sum by (place, trouble) (increase(canary_operator_audit_failures_total[$__rate_interval]))",
                "{{place}} failed: {{trouble}}",
            ),
        ),
    ),
)

PROVIDERS = (
    Panel(
        "Providers",
        (
            Query("min by (provider) (canary_operator_metric_source_up)", "{{provider}} answers"),
            Query("max by (provider) (canary_operator_prometheus_circuit_open)", "{{provider}} is left alone"),
        ),
    ),
    Panel(
        "Questions to providers a second",
        (
            Query(
                "sum by (provider, outcome) (rate(canary_operator_prometheus_queries_total[$__rate_interval]))",
                "{{provider}} {{outcome}}",
            ),
        ),
    ),
    Panel(
        "Requests to providers a second",
        (
            Query(
                "sum by (provider, outcome) (rate(canary_operator_prometheus_requests_total[$__rate_interval]))",
                "{{provider}} {{outcome}}",
            ),
        ),
    ),
    Panel(
        "Duration of a request",
        _quantiles("canary_operator_prometheus_request_duration_seconds", by="provider"),
        unit="s",
    ),
)

ROWS = (("Gates", GATES), ("Evidence", EVIDENCE), ("Operator", OPERATOR), ("Providers", PROVIDERS))

DECISIONS = (
    "sum by (namespace, rollout, verdict, reason) "
    f"(increase(canary_operator_decisions_total{{{_CHOSEN}}}[$__interval])) > 0"
)

VARIABLES = {
    "namespace": "label_values(canary_operator_gate_state, namespace)",
    "rollout": 'label_values(canary_operator_gate_state{namespace=~"$namespace"}, rollout)',
}


def page() -> str:
    """Return the whole dashboard as Grafana's JSON."""
    return JSONEncoder(sort_keys=True, indent=2).encode(_dashboard().build()) + "\n"


def _dashboard() -> dashboard.Dashboard:
    told = dashboard.Dashboard("canary-operator").uid(UID).tags(["canary-operator"]).time("now-1h", "now")
    told = told.refresh("30s").tooltip(DashboardCursorSync.CROSSHAIR).timezone("browser")
    told = told.with_variable(dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
    for name, query in VARIABLES.items():
        told = told.with_variable(_variable(name, query))
    told = told.annotation(_Decisions())
    number = 0
    for title, panels in ROWS:
        number += 1
        told = told.with_row(dashboard.Row(title).id(number))
        for panel, width in zip(panels, _widths(panels), strict=True):
            number += 1
            told = told.with_panel(_drawn(panel).id(number).span(width))
    return told


def _variable(name: str, query: str) -> dashboard.QueryVariable:
    everything = VariableOption(selected=True, text="All", value="$__all")
    chosen = dashboard.QueryVariable(name).label(name.capitalize()).query(query).datasource(_SOURCE)
    chosen = chosen.multi(True).include_all(True).all_value(".*").current(everything)
    return chosen.refresh(VariableRefresh.ON_TIME_RANGE_CHANGED).sort(VariableSort.ALPHABETICAL_ASC)


class _Decisions(dashboard.AnnotationQuery):
    """A mark for each change of a verdict; the builder has no word for what Prometheus is asked."""

    def build(self) -> AnnotationQuery:
        return AnnotationQuery("Verdicts", _SOURCE, enable=True, icon_color="blue", expr=DECISIONS)


def _widths(panels: tuple[Panel, ...]) -> list[int]:
    """Numbers side by side, everything else two in a line."""
    small = {Kind.NUMBER, Kind.NAME}
    numbers = sum(panel.kind in small for panel in panels)
    return [_WIDTH // numbers if panel.kind in small else _WIDTH // 2 for panel in panels]


def _drawn(panel: Panel) -> _AnyPanel:
    drawn = _of_kind(panel.kind).title(panel.title).unit(panel.unit).datasource(_SOURCE)
    for index, query in enumerate(panel.queries):
        asked = prometheus.Dataquery().expr(query.promql).legend_format(query.legend).ref_id(chr(ord("A") + index))
        drawn = drawn.with_target(asked.datasource(_SOURCE))
    return drawn


def _of_kind(kind: Kind) -> _AnyPanel:
    match kind:
        case Kind.NUMBER:
            return stat.Panel().height(_HEIGHT // 2).text_mode(BigValueTextMode.VALUE)
        case Kind.NAME:
            return stat.Panel().height(_HEIGHT // 2).text_mode(BigValueTextMode.NAME)
        case Kind.STATES_OVER_TIME:
            return statetimeline.Panel().height(_HEIGHT).merge_values(True)
        case Kind.LINES:
            return timeseries.Panel().height(_HEIGHT).min(0).legend(_below())
        case _:
            assert_never(kind)


def _below() -> common.VizLegendOptions:
    legend = common.VizLegendOptions().show_legend(True).display_mode(LegendDisplayMode.LIST)
    return legend.placement(LegendPlacement.BOTTOM)
