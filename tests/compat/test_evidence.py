"""The same pods, scraped and told by every server: the same counts, the same verdicts."""

import functools

import pytest

from canary_operator import engine
from canary_operator.model.samples import Absent, Answer, Query, RawQuery
from canary_operator.model.verdict import HoldReason
from tests.builders import CANARY, STABLE, T0
from tests.compat import replay
from tests.compat.replay import Server
from tests.compat.script import (
    CONVERTED,
    END,
    FAILING,
    HEALTHY,
    LAST,
    NAMESPACES,
    PODS,
    TICK,
    slow,
    truth,
)
from tests.scenarios.world import World


@functools.cache
def judged(server: Server, namespace: str) -> World:
    """A release that is over, as far as the script goes."""
    return replay.release(server, namespace).until(END + 1)


@pytest.mark.parametrize("namespace", NAMESPACES)
def test_every_request_is_counted_once_at_every_look(server, namespace):
    looks = [(at, counts) for at, counts in replay.counts(judged(server, namespace)) if at >= 2 * TICK]

    # A look knows of what was scraped up to the last end of a tick, which was one tick before.
    assert looks == [(at, expected(namespace, at - TICK)) for at, _ in looks]
    assert looks[-1][0] == (END if namespace != FAILING else 3 * TICK)


def expected(namespace, until):
    return {
        name: tuple((each.bad, each.total) for each in (of(namespace, CANARY, until), of(namespace, STABLE, until)))
        for name, of in (("availability", truth), ("latency", slow))
    }


@pytest.mark.parametrize("namespace", [HEALTHY, CONVERTED])
def test_a_healthy_canary_may_be_promoted(server, namespace):
    world = judged(server, namespace)

    assert world.verdict == ("Promote", "EvidenceSufficient")
    assert {verdict for _, verdict, _ in world.verdicts} == {"Hold", "Promote"}


@pytest.mark.parametrize("server", ["prometheus-3", "thanos"], indirect=True)
def test_native_histograms_are_asked_for_where_there_are_no_others(server):
    _, latency = judged(server, CONVERTED).status.evidence

    assert latency.queries[0].startswith("http_request_duration_seconds{")


def test_a_failing_canary_is_aborted_at_the_first_look_that_knows_of_it(server):
    world = judged(server, FAILING)

    assert world.is_aborted
    assert world.verdicts[-1] == (3 * TICK, "Abort", "CanaryRegression")


def test_all_servers_say_the_same_word_for_word(stand):
    said = {}
    for name in stand.running.servers:
        with stand.opened(name) as server:
            said[name] = [[told(decision) for *_, decision in judged(server, each).decisions] for each in NAMESPACES]

    first, *others = said.values()
    assert others
    assert [name for name, words in said.items() if words != first] == []


def told(decision):
    status = decision.status
    return status.verdict, status.reason, status.message, [each.message for each in status.evidence]


def test_asking_for_several_rollouts_at_once_gets_what_asking_alone_gets(server):
    questions = [question for each in NAMESPACES for question in asked(server, each)]
    alone = {question: server.ask([question])[question] for question in questions}

    together = server.ask(questions)

    assert all(isinstance(answer, Answer) for answer in (*alone.values(), *together.values()))
    assert {question: told_apart(answer) for question, answer in together.items()} == {
        question: told_apart(answer) for question, answer in alone.items()
    }
    assert sum(len(answer.series) for answer in alone.values()) > 50


def told_apart(answer):
    """The series without an order, which VictoriaMetrics has none of; as text, because its end of a series is a NaN."""
    return {repr(each) for each in (*answer.series, *answer.native)}


def asked(server, namespace):
    """What a gate asks at its last look but one."""
    world = replay.release(server, namespace).until(2 * TICK - 1)
    return [question for question in engine.plan(world.snapshot(), T0 + LAST) if isinstance(question, RawQuery)]


@pytest.mark.parametrize("promql", ["sum(", "no_such_function(up)"])
def test_a_query_that_cannot_be_run_is_the_querys_own_fault(server, promql):
    query = Query("default", promql, T0 + END)

    match server.ask([query])[query]:
        case Absent(reason):
            assert reason is HoldReason.CONFIGURATION_ERROR
        case answer:
            pytest.fail(f"{promql} was answered: {answer}")


def test_a_template_gets_the_same_number(server):
    selector = f'http_requests_total{{namespace="{HEALTHY}",rollouts_pod_template_hash="{STABLE}",path="/"}}'
    query = Query("default", f"sum({selector})", T0 + END)

    (series,) = server.ask([query])[query].series
    shown = sum(
        pod.shown(END).total for pod in PODS if (pod.namespace, pod.version) == (HEALTHY, STABLE) and pod.lives(END)
    )

    assert [sample.value for sample in series.samples] == [shown]
