"""Tables of SLOs as the formats' own pages write them, with names of ours: import and injection of each."""

import contextlib
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from canary_operator.errors import ConfigurationError
from canary_operator.model.indicator import Latency, Opaque, SLORef
from canary_operator.model.promql import write_selector
from canary_operator.slo import injection, variables
from canary_operator.slo.sources import indicator_from

DATA = Path(__file__).parent / "data"
REFERENCES = {
    "pyrra": SLORef("ServiceLevelObjective", "shop", "slo"),
    "sloth": SLORef("PrometheusServiceLevel", "shop", "slo"),
    "openslo": SLORef("ConfigMap", "shop", "slo"),
    "analysis_template": SLORef("AnalysisTemplate", "shop", "t"),
    "expressions": SLORef("AnalysisTemplate", "shop", "t"),
}


def load(table):
    return yaml.safe_load((DATA / f"{table}.yaml").read_text())


CASES = [pytest.param(table, case, id=f"{table}: {case['sentence']}") for table in REFERENCES for case in load(table)]


def body_of(table, case):
    match table:
        case "pyrra":
            return {"apiVersion": "pyrra.dev/v1alpha1", "kind": "ServiceLevelObjective", "spec": case["spec"]}
        case "sloth" if case["file"]:
            document = {"version": "prometheus/v1", "service": "shop", "slos": [case["slo"]]}
            return config_map(document)
        case "sloth":
            spec = {"service": "shop", "slos": [case["slo"]]}
            return {"apiVersion": "sloth.slok.dev/v1", "kind": "PrometheusServiceLevel", "spec": spec}
        case "openslo":
            slo = {"apiVersion": "openslo/v1", "kind": "SLO", "metadata": {"name": "one"}, "spec": case["spec"]}
            return config_map(slo, *case["documents"])
    return template(metric_of(case))


def metric_of(case):
    metric = case.get("metric") or {"query": case["query"], "successCondition": "result[0] < 0.1"}
    conditions = {key: value for key, value in metric.items() if key != "query"}
    return {"name": "one", **conditions, "provider": {"prometheus": {"query": metric["query"]}}}


def template(*metrics):
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisTemplate", "spec": {"metrics": list(metrics)}}


def config_map(*documents):
    return {"apiVersion": "v1", "kind": "ConfigMap", "data": {"slo.yaml": yaml.safe_dump_all(documents)}}


def expressions_of(table, case):
    """Every expression of a case, its variables filled in, as the tables count them."""
    match table:
        case "pyrra":
            (inside,) = case["spec"]["indicator"].values()
            return {
                key: value["metric"] if isinstance(value, dict) else value
                for key, value in inside.items()
                if key not in ("grouping", "latency")
            }
        case "sloth":
            return [query for sli in case["slo"]["sli"].values() for key, query in sli.items() if key != "id"]
        case "openslo":
            metric = case["spec"]["indicator"]["spec"].get("ratioMetric") or {}
            sides = (metric.get(key) for key in ("good", "bad", "total", "raw"))
            return [side["metricSource"]["spec"]["query"] for side in sides if side]
        case "analysis_template":
            return case["metric"]["query"]
    return case["query"]


def described(found):
    if isinstance(found, Opaque):
        limit = {} if found.allowed is None else {"allowed": str(found.allowed)}
        return {"opaque": found.reason, "query": found.query, **limit}
    measure, told = found.measure, {"allowed": str(found.allowed)}
    if isinstance(measure, Latency):
        told |= {"histogram": write_selector(measure.histogram), "threshold": str(measure.threshold)}
    else:
        told |= {measure.events.value: list(map(write_selector, measure.part))}
        told |= {"total": list(map(write_selector, measure.total))}
    if found.window_seconds:
        told["window"] = found.window_seconds
    return told | ({"grouping": list(found.grouping)} if found.grouping else {})


@pytest.mark.parametrize(("table", "case"), CASES)
def test_every_definition_becomes_what_its_table_says(table, case):
    reference = REFERENCES["openslo" if case.get("file") else table]
    try:
        found = described(indicator_from(reference, body_of(table, case), case.get("args") or {}))
    except ConfigurationError as error:
        found = {"refused": str(error)}

    assert case["expected"] == found


@pytest.mark.parametrize(("table", "case"), CASES)
def test_every_expression_is_injected_or_refused_with_a_reason(table, case, identity):
    values = {".window": "5m"} | {f"args.{name}": value for name, value in (case.get("args") or {}).items()}

    def injected(query):
        try:
            return injection.inject(variables.fill(query, values), identity)
        except ConfigurationError as error:
            return {"refused": str(error)}

    found = expressions_of(table, case)
    if isinstance(found, dict):
        found = {key: injected(query) for key, query in found.items()}
    else:
        found = injected(found) if isinstance(found, str) else list(map(injected, found))

    assert case["injected"] == found


def test_the_tables_hold_at_least_150_expressions():
    found = [expressions_of(table, case) for table in REFERENCES for case in load(table)]

    assert sum(1 if isinstance(each, str) else len(each) for each in found) >= 150


def test_what_stays_opaque_is_still_promql_that_can_be_asked():
    for table in REFERENCES:
        for case in load(table):
            if "opaque" in case["expected"]:
                injection.selectors(case["expected"]["query"])


RATIO = {"ratio": {"bad": 'hits_total{code=~"5.."}', "total": "hits_total"}}
LATENCY = {"latency": {"histogram": 'rt_seconds{job="a"}', "threshold": "0.5"}}


@pytest.mark.parametrize(
    ("indicator", "expected"),
    [
        (RATIO, {"bad": ['hits_total{code=~"5.."}'], "total": ["hits_total"]}),
        ({"ratio": {"good": "ok_total", "total": "hits_total"}}, {"good": ["ok_total"], "total": ["hits_total"]}),
        (LATENCY, {"histogram": 'rt_seconds{job="a"}', "threshold": "0.5"}),
        (
            {"ratio": {"good": 'rt_bucket{le="1"}', "total": "rt_count"}},
            {"histogram": "rt", "threshold": "1"},
        ),
    ],
)
def test_an_inline_indicator_is_read(indicator, expected):
    found = indicator_from(SLORef("SLOPolicy", "shop", "p", "o"), {"objective": "99.5", "indicator": indicator})

    assert {"allowed": "1/200", **expected} == described(found)


@pytest.mark.parametrize(
    ("indicator", "reason"),
    [
        ({}, "exactly one of ratio, latency"),
        ({**RATIO, **LATENCY}, "exactly one of ratio, latency"),
        ({"quantile": {}}, "'quantile'; allowed is one of ratio, latency"),
        ({"ratio": {"bad": "a", "god": "b", "total": "c"}}, "'god'"),
        ({"ratio": {"bad": "a", "good": "b", "total": "c"}}, "exactly one of bad, good"),
        ({"ratio": {"bad": "a", "total": "a"}}, "bad and total are the same"),
        ({"ratio": {"bad": "rate(a[5m])", "total": "b"}}, "must be a bare selector"),
        ({"ratio": {"bad": "a offset 5m", "total": "b"}}, "another time"),
        ({"ratio": {"bad": "cpu_seconds_total", "total": "b"}}, "adds up amounts"),
        ({"latency": {"histogram": "rt_bucket", "threshold": "1"}}, "the name without _bucket"),
        ({"latency": {"histogram": 'rt{le="1"}', "threshold": "1"}}, "without le"),
        ({"latency": {"histogram": "rt", "threshold": "0"}}, "more than 0"),
        ({"latency": {"histogram": "rt", "threshold": "half"}}, "a number"),
    ],
)
def test_an_inline_indicator_is_refused_with_place_and_bound(indicator, reason):
    with pytest.raises(ConfigurationError) as caught:
        indicator_from(SLORef("SLOPolicy", "shop", "p", "o"), {"objective": "99.5", "indicator": indicator})

    assert str(caught.value).startswith("SLOPolicy/p:o: ")
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    "objective", ["100", "0", 100, "-1", "1e2", "nan", True, None, "", 10**400, float("nan"), float("inf"), "9" * 99]
)
def test_an_objective_without_a_budget_or_without_sense_is_refused(objective):
    with pytest.raises(ConfigurationError):
        indicator_from(SLORef("SLOPolicy", "shop", "p"), {"objective": objective, "indicator": RATIO})


def sloth(*names, objective=99):
    events = {"errorQuery": "sum(rate(bad_total[{{.window}}]))", "totalQuery": "sum(rate(t_total[{{.window}}]))"}
    slos = [{"name": name, "objective": objective, "sli": {"events": events}} for name in names]
    return {"apiVersion": "sloth.slok.dev/v1", "kind": "PrometheusServiceLevel", "spec": {"slos": slos}}


def test_an_entry_names_one_of_several_slos():
    found = indicator_from(SLORef("PrometheusServiceLevel", "shop", "s", "b"), sloth("a", "b"))

    assert str(found.source.reference) == "PrometheusServiceLevel/s:b"


@pytest.mark.parametrize("entry", ["", "c"])
def test_several_slos_and_none_named_is_refused_with_their_names(entry):
    with pytest.raises(ConfigurationError, match="one SLO of a, b"):
        indicator_from(SLORef("PrometheusServiceLevel", "shop", "s", entry), sloth("a", "b"))


def test_the_digest_is_of_the_meaning():
    reference = SLORef("PrometheusServiceLevel", "shop", "s")
    first, second, third = (
        indicator_from(reference, body)
        for body in (sloth("a"), {**sloth("renamed"), "metadata": {"labels": {}}}, sloth("a", objective=98))
    )

    assert first.source.digest == second.source.digest
    assert first.source.digest != third.source.digest


def test_an_object_of_another_kind_is_refused():
    with pytest.raises(ConfigurationError, match=r"allowed is pyrra.dev/ServiceLevelObjective"):
        indicator_from(SLORef("ServiceLevelObjective", "shop", "s"), sloth("a"))
    with pytest.raises(ConfigurationError, match="kind"):
        indicator_from(SLORef("Secret", "shop", "s"), {})


def test_an_indicator_is_found_by_its_name_in_the_same_config_map():
    spec = {"ratioMetric": {"counter": True, "bad": source("bad_total"), "total": source("t_total")}}
    sli = {"apiVersion": "openslo/v1", "kind": "SLI", "metadata": {"name": "errors"}, "spec": spec}
    slo = {
        "apiVersion": "openslo/v1",
        "kind": "SLO",
        "metadata": {"name": "one"},
        "spec": {"indicatorRef": "errors", "objectives": [{"target": 0.9}]},
    }
    reference = SLORef("ConfigMap", "shop", "c")

    found = indicator_from(reference, config_map(sli, slo))

    assert described(found) == {"allowed": "1/10", "bad": ["bad_total"], "total": ["t_total"]}
    with pytest.raises(ConfigurationError, match="the name of an SLI in the same ConfigMap"):
        indicator_from(reference, config_map(slo))


def source(query):
    return {"metricSource": {"type": "Prometheus", "spec": {"query": query}}}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: &x [1]\nb: *x", "aliases"),
        ("a: [", "not YAML"),
        ("a: 2020-13-99T00:00:00Z", "not YAML"),
        ("[" * 5000, "nested more than 50 deep"),
        ("- " * 5000, "nested more than 50 deep"),
        ("a: {b: " * 5000, "nested more than 50 deep"),
        ("x" * 200_001, "200000 characters"),
        ("kind: SLO", "there is no OpenSLO v1 SLO"),
        ("apiVersion: openslo/v1alpha\nkind: SLO\nmetadata: {name: a}", "there is no OpenSLO v1 SLO"),
        ("", "there is no OpenSLO v1 SLO"),
    ],
)
def test_a_config_map_that_cannot_be_read_says_why(text, reason):
    body = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"slo.yaml": text}}

    with pytest.raises(ConfigurationError, match=reason):
        indicator_from(SLORef("ConfigMap", "shop", "c"), body)


# Anything at all may stand in an object that others write; None, booleans and huge numbers included.
JUNK = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.sampled_from(["", "99", "28d", "hits_total", "rate(a[5m])", "{{.window}}", "result[0] < {{args.x}}", "one"]),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.sampled_from(["a", "metric"]), inner)),
    max_leaves=4,
)


def spoiled(value, junk, draw):
    """The value with one of its parts, at any depth, replaced."""
    keys = list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    if not keys or draw(st.integers(0, 4)) == 0:
        return junk
    key = draw(st.sampled_from(keys))
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[key] = spoiled(value[key], junk, draw)
    return copy


@given(st.data())
@settings(max_examples=80, deadline=None)
def test_an_object_with_anything_in_it_is_read_or_refused_and_nothing_else(data):
    table, case = data.draw(st.sampled_from([parameter.values for parameter in CASES]))
    reference = REFERENCES["openslo" if case.get("file") else table]
    case = {**case, **{key: spoiled(case[key], data.draw(JUNK), data.draw) for key in ("spec", "slo") if key in case}}
    try:
        body = body_of(table, case)
    except (yaml.YAMLError, TypeError):
        return
    body = body if data.draw(st.booleans()) else spoiled(body, data.draw(JUNK), data.draw)
    if isinstance(body, dict):
        with contextlib.suppress(ConfigurationError):
            indicator_from(reference, body, case.get("args") or {})
