"""The long runs of tests/soak, made short: that they run, and that there is no mistake even in them."""

from __future__ import annotations

import pytest

from lab.cluster import Lab
from tests.faults.scenarios import SEED, Sees, scenario
from tests.soak import showing
from tests.soak.lanes import Pace
from tests.soak.releases import Shape
from tests.soak.running import KillsWish, kills
from tests.soak.soaking import SoakWish, soak

_QUICK = Pace(pause=30.0, silence=10.0)


@scenario(
    component="Everything at once",
    fault="the operator is killed a dozen times at drawn moments, while a Rollout of each kind releases",
    expected="every release ends as it must, no gate is skipped, nothing is done twice, the records are a chain",
)
@pytest.mark.timeout(900)
def test_a_dozen_kills_leave_no_mistake(cluster: Lab, seen: Sees) -> None:
    wish = KillsWish(points=12, releases=0, rollouts=len(Shape), seed=SEED, pace=_QUICK)

    found = kills(cluster, wish)

    assert found.mistakes == []
    assert found.killed.total() >= wish.points
    seen(showing.kills_in_words(found, wish))


@scenario(
    component="Everything at once",
    fault="a minute of drawn faults of every component, while a Rollout of each kind releases",
    expected="every release ends as it must, no gate is skipped, nothing is done twice, the records are a chain",
)
@pytest.mark.timeout(900)
@pytest.mark.xdist_group("own-lab")
def test_a_minute_of_faults_leaves_no_mistake(own_cluster: Lab, seen: Sees) -> None:
    wish = SoakWish(minutes=1, rollouts=len(Shape) + 1, seed=SEED, rest=5.0)

    found = soak(own_cluster, wish)

    assert found.mistakes == []
    assert found.faults
    seen(showing.soak_in_words(found, wish))
