"""Which analyses of a Rollout ask for the gate's verdict, and which AnalysisRun does so now."""

import pytest

from canary_operator.engine import native
from canary_operator.engine.native import VERDICT_PATH
from canary_operator.model.rollout import TemplateRef
from tests.builders import a_blue_green, a_rollout, a_snapshot, a_template, pause, set_weight

URL = f"http://canary-operator.canary-operator:8080{VERDICT_PATH}?ns={{{{args.ns}}}}&name={{{{args.name}}}}"


def web(url, name="gate"):
    return {"name": name, "provider": {"web": {"url": url}}}


TEMPLATES = {
    TemplateRef("errors"): a_template(),
    TemplateRef("gate", cluster=True): {"spec": {"metrics": [web(URL)]}},
    TemplateRef("both"): a_template({**web(URL), "name": "a"}, {"name": "b", "provider": {"job": {}}}),
    TemplateRef("team"): {"spec": {"templates": [{"templateName": "gate", "clusterScope": True}]}},
    TemplateRef("circle"): {"spec": {"templates": [{"templateName": "circle"}]}},
    TemplateRef("elsewhere"): {
        "spec": {"metrics": [web("http://other/v1/verdicts"), web("http://other/?p=/v1/verdict")]}
    },
    TemplateRef("prefixed"): {"spec": {"metrics": [web(f"https://ops.example.com/canary{VERDICT_PATH}")]}},
    TemplateRef("empty"): {"spec": {}},
}


def by(name, *, cluster=False):
    return {"templates": [{"templateName": name, **({"clusterScope": True} if cluster else {})}]}


GATE = by("gate", cluster=True)


def canary(*steps, background=None, step=None, run="Running", background_run="Running"):
    body = a_rollout(steps, status={"currentPodHash": "new"})
    if background is not None:
        body["spec"]["strategy"]["canary"]["analysis"] = background
        body["status"]["canary"]["currentBackgroundAnalysisRunStatus"] = {"name": "beside", "status": background_run}
    body["status"]["currentStepIndex"] = step
    body["status"]["canary"]["currentStepAnalysisRunStatus"] = {"name": "inline", "status": run}
    return a_snapshot(body, templates=TEMPLATES)


def blue_green(pre=None, post=None, **runs):
    body = a_blue_green()
    asked = {"prePromotionAnalysis": pre, "postPromotionAnalysis": post}
    body["spec"]["strategy"]["blueGreen"] |= {place: each for place, each in asked.items() if each is not None}
    body["status"]["blueGreen"] = {f"{place}AnalysisRunStatus": run for place, run in runs.items()}
    return a_snapshot(body, templates=TEMPLATES)


@pytest.mark.parametrize(
    ("analysis", "asks"),
    [
        (GATE, True),
        (by("team"), True),
        (by("both"), True),
        (by("prefixed"), True),
        (by("errors"), False),
        (by("gate"), False),  # of the namespace, and there is none
        (by("elsewhere"), False),
        (by("circle"), False),
        (by("empty"), False),
        ({}, False),
    ],
    ids=str,
)
def test_an_analysis_asks_if_a_metric_of_its_templates_leads_to_the_verdict(analysis, asks):
    assert native.asks(canary({"analysis": analysis}, step=0)) is asks
    assert native.asks(canary(pause(), background=analysis, step=0)) is (asks and bool(analysis))
    assert native.asks(blue_green(pre=analysis)) is asks
    assert native.asks(blue_green(post=analysis)) is asks


STEPS = (set_weight(20), {"analysis": GATE}, {"analysis": by("errors")}, pause())


@pytest.mark.parametrize(
    ("release", "run"),
    [
        (canary(*STEPS, step=1), "inline"),
        (canary(*STEPS, step=1, run="Pending"), "inline"),
        (canary(*STEPS, step=1, run=""), "inline"),
        (canary(*STEPS, step=1, run="Successful"), ""),
        (canary(*STEPS, step=1, run="Inconclusive"), ""),
        (canary(*STEPS, step=0), ""),
        (canary(*STEPS, step=2), ""),
        (canary(*STEPS, step=3), ""),
        (canary(*STEPS, step=4), ""),
        (canary(*STEPS, step=2, background=GATE), ""),
        (canary(*STEPS, step=1, background=GATE), "inline"),
        (blue_green(pre=GATE, post=GATE), ""),
        (blue_green(pre=GATE, prePromotion={"name": "pre", "status": "Running"}), "pre"),
        (blue_green(pre=by("errors"), prePromotion={"name": "pre", "status": "Running"}), ""),
        (
            blue_green(
                GATE,
                GATE,
                prePromotion={"name": "a", "status": "Successful"},
                postPromotion={"name": "b", "status": ""},
            ),
            "b",
        ),
    ],
)
def test_the_run_that_lasts_until_it_is_answered_asks_about_its_place(release, run):
    assert native.asked_by(release) == run


@pytest.mark.parametrize(
    ("release", "watched"),
    [
        (canary(*STEPS, step=2, background=GATE), True),
        (canary(*STEPS, step=2, background=GATE, background_run="Failed"), False),
        (canary(*STEPS, step=2, background=by("errors")), False),
        (canary(*STEPS, step=2), False),
        (canary(*STEPS, step=0, background=GATE), False),
        (canary(*STEPS, step=3, background=GATE), False),
        (canary(*STEPS, step=4, background=GATE), False),
        (blue_green(pre=GATE, prePromotion={"name": "pre", "status": "Running"}), False),
    ],
)
def test_a_background_analysis_asks_for_a_judgement_while_an_analysis_of_argos_lasts(release, watched):
    assert native.is_watched(release) is watched
