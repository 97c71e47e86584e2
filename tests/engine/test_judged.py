"""Which metrics judge a release: one analysis or several, templates that name templates, arguments of all of them."""

import pytest

from canary_operator.engine.judged import judged_metrics
from canary_operator.errors import ConfigurationError
from canary_operator.model.rollout import TemplateRef
from tests.builders import ARGS, TEMPLATES, a_metric, a_rollout, a_snapshot, a_template, pause, set_weight


def step(*templates, args=(), dry=()):
    named = [{"templateName": name} for name in templates]
    rules = [{"metricName": name} for name in dry]
    return {"analysis": {"templates": named, "args": list(args), "dryRun": rules}}


def judged(templates, *steps, annotations=None):
    body = a_rollout((set_weight(25), pause(), *steps), annotations=annotations)
    if annotations is None:
        del body["metadata"]["annotations"][TEMPLATES]
    known = {TemplateRef(name.removeprefix("c/"), cluster=name.startswith("c/")): t for name, t in templates.items()}
    return judged_metrics(a_snapshot(body, templates=known))


def names(found):
    return [metric.spec.name for metric in found]


def query(text, name="m"):
    return a_metric(name, provider={"prometheus": {"query": text}})


def test_templates_that_a_template_names_judge_too():
    found = judged(
        {
            "a": a_template(a_metric("x"), templates=[{"templateName": "b"}]),
            "b": a_template(a_metric("y"), templates=[{"templateName": "c", "clusterScope": True}]),
            "c/c": a_template(a_metric("z")),
        },
        step("a"),
    )

    assert [(each.spec.name, each.source) for each in found] == [
        ("x", "AnalysisTemplate/a"),
        ("y", "AnalysisTemplate/b"),
        ("z", "ClusterAnalysisTemplate/c"),
    ]


def test_an_argument_of_one_template_serves_the_others_of_its_analysis():
    found = judged(
        {"a": a_template(query("{{args.q}}")), "b": a_template(a_metric("y"), args=[{"name": "q", "value": "up"}])},
        step("a", "b"),
    )

    assert found[0].spec.query == "up"


def test_separate_analyses_are_separate_runs_and_told_apart_by_their_number():
    templates = {"a": a_template(a_metric("x")), "b": a_template(a_metric("x"), a_metric("y"))}

    assert names(judged(templates, step("a"), step("b"))) == ["x (analysis 1)", "x (analysis 2)", "y"]


def test_one_template_with_two_values_is_two_runs():
    templates = {"a": a_template(query("{{args.q}}"), args=[{"name": "q"}])}
    steps = [step("a", args=[{"name": "q", "value": value}]) for value in ("up", "down")]

    assert [each.spec.query for each in judged(templates, *steps)] == ["up", "down"]


def test_the_same_analysis_at_two_steps_is_one():
    assert names(judged({"a": a_template(a_metric("x"))}, step("a"), step("a"))) == ["x"]


def test_what_a_rollout_runs_dry_counts_in_no_other_analysis():
    templates = {"a": a_template(a_metric("x")), "b": a_template(a_metric("y"))}

    found = judged(templates, step("a", dry=["x"]), step("b"))

    assert [each.counts for each in found] == [False, True]


# Columns: templates, steps, annotations, part of the message.
MISTAKES = {
    "one name twice in one analysis": (
        {"a": a_template(a_metric("x")), "b": a_template(a_metric("x"))},
        [step("a", "b")],
        None,
        "AnalysisTemplate/a and AnalysisTemplate/b: two metrics have the same name 'x'",
    ),
    "one name twice in the annotation": (
        {"a": a_template(a_metric("x")), "b": a_template(a_metric("x"))},
        [],
        {TEMPLATES: "a,b"},
        "two metrics are called x: in AnalysisTemplate/a and in AnalysisTemplate/b",
    ),
    "two values of one argument": (
        {
            "a": a_template(args=[{"name": "q", "value": "1"}]),
            "b": a_template(a_metric("y"), args=[{"name": "q", "value": "2"}]),
        },
        [step("a", "b")],
        None,
        "Argument `q` specified multiple times with different values: '1', '2'",
    ),
    "a circle": (
        {"a": a_template(templates=[{"templateName": "a"}])},
        [step("a")],
        None,
        "spec.templates: templates name each other in a circle: a -> a",
    ),
    "a template that is not there": (
        {"a": a_template(templates=[{"templateName": "b"}])},
        [step("a")],
        None,
        "AnalysisTemplate b does not exist in namespace shop",
    ),
    "a mistake in a template that is named by another": (
        {"a": a_template(templates=[{"templateName": "b"}]), "b": a_template(a_metric("y", count="many"))},
        [step("a")],
        None,
        "AnalysisTemplate/b: spec.metrics[0].count: 'many'",
    ),
    "a dry-run rule for nobody": (
        {"a": a_template(a_metric("x"), dryRun=[{"metricName": "y"}])},
        [step("a")],
        None,
        "AnalysisTemplate/a: dryRun[0]: Rule didn't match any metric name(s)",
    ),
    "two dry-run rules of one name": (
        {"a": a_template(a_metric("x"), dryRun=[{"metricName": "x"}])},
        [step("a", dry=["x"])],
        None,
        "two Dry-Run metric rules have the same name 'x'",
    ),
    "an argument that nobody declares": (
        {"a": a_template(a_metric("x"), templates=[{"templateName": "b"}]), "b": a_template(args=[{"name": "q"}])},
        [],
        {TEMPLATES: "a", ARGS: '{"p": "1"}'},
        "no template declares p; declared are q",
    ),
}


@pytest.mark.parametrize(("templates", "steps", "annotations", "message"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_names_its_place(templates, steps, annotations, message):
    with pytest.raises(ConfigurationError) as caught:
        judged(templates, *steps, annotations=annotations)

    assert message in str(caught.value)


@pytest.mark.parametrize("templates", [(101,), (60, 41)], ids=["in one template", "in two"])
def test_more_metrics_than_a_release_may_be_judged_by_are_refused(templates):
    known = {
        f"t{at}": a_template(*(a_metric(f"m{at}-{number}") for number in range(count)))
        for at, count in enumerate(templates)
    }

    with pytest.raises(ConfigurationError, match=r"101 metrics; at most 100 may judge a release"):
        judged(known, *(step(name) for name in known))


def test_as_many_metrics_as_may_judge_a_release_do():
    assert len(judged({"t": a_template(*(a_metric(f"m{number}") for number in range(100)))}, step("t"))) == 100
