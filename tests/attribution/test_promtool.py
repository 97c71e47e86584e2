"""What every preset asks for, evaluated by Prometheus' own engine among everything else that is scraped."""

from dataclasses import replace

import pytest

from canary_operator.attribution import choosing
from lab.programs import cache
from tests.attribution.promtool import Expected, evaluated, written
from tests.attribution.shapes import SHAPES, Names, strangers, versions

pytestmark = pytest.mark.e2e

OWN = Names(rollout="api.eu")
OTHERS = [
    # Equal pod templates have equal hashes in every namespace.
    replace(OWN, namespace="shop-eu"),
    replace(OWN, namespace="sho"),
    # Names that begin with ours, or that our dot would match if it were a pattern.
    Names(
        rollout="api.eu-v2",
        canary_hash="5b8f9d7c6d",
        stable_hash="6c9d8f7b5b",
        canary_service="api-v2-canary",
        stable_service="api-v2",
    ),
    replace(
        OWN,
        rollout="apiseu",
        canary_hash="7f6b5c4d9d",
        stable_hash="8d7c6b5f4f",
        canary_service="api-canary-2",
        stable_service="api2",
    ),
    # The version before stable: its pods are gone, their series are still in the answer.
    replace(
        OWN, canary_hash="7c9f5d8b64", stable_hash="54d8cbf6c7", canary_service="gone-canary", stable_service="gone"
    ),
]


@pytest.fixture(scope="session")
def promtool():
    return cache.install(only=("promtool",)).programs["promtool"]


def way_of(name, subject, selector):
    trial = choosing.trial(name.partition(" ")[0], subject, selector)
    return next(way for way in trial.candidates if way.name == name)


@pytest.mark.parametrize("name", SHAPES)
def test_prometheus_returns_the_versions_series_and_no_others(promtool, tmp_path, name):
    shape = SHAPES[name]
    way = way_of(name, OWN.subject(custom=shape.custom), shape.selector)
    canary, stable = versions(shape, OWN)
    beside = [one for one in strangers(shape, OWN, OTHERS) if one not in [*canary, *stable]]
    metric = shape.selector.metric
    expected = [
        Expected(choosing.rendered(shape.selector, way.canary), [written(metric, one) for one in canary]),
        Expected(choosing.rendered(shape.selector, way.stable), [written(metric, one) for one in stable]),
        Expected(choosing.stable_query(shape.selector, way), ["{}"], float(len(stable))),
    ]
    everything = {written(metric, one): None for one in [*canary, *stable, *beside]}
    assert len(everything) > len(canary) + len(stable)

    answer = evaluated(promtool, tmp_path, list(everything), expected)

    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_a_version_without_series_has_an_empty_answer(promtool, tmp_path):
    way = way_of("pod-hash", OWN.subject(), SHAPES["pod-hash"].selector)
    other = [written("http_requests_total", one) for one in versions(SHAPES["pod-hash"], OTHERS[0])[0]]

    answer = evaluated(
        promtool, tmp_path, other, [Expected(choosing.stable_query(SHAPES["pod-hash"].selector, way), [])]
    )

    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_a_wrong_expectation_is_noticed(promtool, tmp_path):
    answer = evaluated(promtool, tmp_path, ["up"], [Expected("up", [])])

    assert answer.returncode == 1
