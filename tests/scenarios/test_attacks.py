"""Releases that something around them spoils: each was once judged wrongly."""

import json
import math
from collections.abc import Callable

import pytest

from canary_operator.model.facts import SLORefKey
from canary_operator.model.samples import Absent
from canary_operator.model.verdict import HoldReason
from tests.builders import CANARY, TEMPLATES, a_rollout, pause, set_weight
from tests.scenarios.fleet import SCRAPE, Fleet, Version
from tests.scenarios.test_objectives import a_policy, a_world, canary, stable
from tests.scenarios.world import World

HELD = (set_weight(25), pause())


def outage(begin: float, end: float, ratio: float = 0.4) -> Callable[[float], float]:
    """What a shared dependency makes fail in both versions for a while."""
    return lambda at: ratio if begin <= at < end else 0.0


class Gappy(Fleet):
    """Scrapes of the canary between two times fail."""

    def __init__(self, begin: float, end: float) -> None:
        super().__init__(canary(), stable())
        self._gap = begin, end

    def _scrapes(self, version: Version, number: int, until: float) -> list[tuple[float, dict[str, int]]]:
        begin, end = self._gap
        pages = super()._scrapes(version, number, until)
        return [page for page in pages if version.hash != CANARY or not begin < page[0] < end]


@pytest.mark.parametrize(("begin", "end"), [(5, 35), (5, 50), (5, 65)])
def test_scrapes_that_fail_as_the_release_begins_never_turn_time_back(begin, end):
    world = a_world(Gappy(begin, end), steps=HELD, interval=5.0).release()

    world.until(240)

    assert world.verdict == ("Promote", "EvidenceSufficient")


def test_other_intervals_in_the_middle_of_a_release_never_turn_time_back():
    world = a_world(steps=(set_weight(25), pause("20m"))).release()

    for number, interval in enumerate((15.0, 40.0, 15.0, 7.0, 15.0)):
        world.interval = interval
        world.until(80 + 70 * number)

    assert world.verdict == ("Promote", "EvidenceSufficient")


def test_a_weight_of_one_hundred_is_a_tenth_where_the_full_weight_is_one_thousand():
    body = a_rollout((set_weight(100), pause()))
    del body["metadata"]["annotations"][TEMPLATES]
    body["spec"]["strategy"]["canary"]["trafficRouting"]["maxTrafficWeight"] = 1000
    shared = outage(100, 400)
    fleet = Fleet(canary(errors=shared), Version(stable().hash, pods=9, born=-3600.0, errors=shared))
    world = World(body, policy=a_policy(), fleet=fleet).release()

    world.until(390)

    assert world.verdict == ("Hold", "EnvironmentUnhealthy")


def test_an_outage_that_both_versions_had_is_no_evidence_once_stable_gets_no_requests():
    shared = outage(90, 210)
    steps = (set_weight(25), pause("60s"), set_weight(100), pause("2m"))
    world = a_world(Fleet(canary(errors=shared), stable(errors=shared)), steps=steps).release()

    world.until(1000)

    assert world.is_promoted
    assert "Abort" not in {verdict for _, verdict, _ in world.verdicts}


def test_an_outage_that_both_versions_had_is_no_evidence_while_the_version_bakes():
    shared = outage(90, 210)
    policy = a_policy(timing={"bake": "10m"})
    fleet = Fleet(canary(errors=shared), stable(errors=shared))
    world = a_world(fleet, policy, steps=(set_weight(25), pause("60s"))).release()

    world.until(1100)

    assert world.verdict == ("Promote", "EvidenceSufficient")


def test_at_full_weight_a_version_that_begins_to_fail_is_aborted_by_what_it_did_there():
    steps = (set_weight(25), pause("60s"), set_weight(100), pause("10m"))
    fleet = Fleet(canary(errors=lambda at: 0.1 if at > 330 else 0.0), stable(gone_at=200.0))
    world = a_world(fleet, steps=steps).release()

    world.until(420)

    assert world.verdict == ("Abort", "ObjectiveBreached")


def test_crashes_of_stable_are_seen_in_pods_of_several_containers():
    fleet = Fleet(
        canary(restarts=4, restarted_at=60.0, containers=2), stable(restarts=2, restarted_at=65.0, containers=2)
    )
    world = a_world(fleet, steps=HELD).release()

    world.until(120)

    assert world.verdict == ("Hold", "EnvironmentUnhealthy")


def test_crashes_of_both_versions_hold_no_longer_than_they_last():
    fleet = Fleet(canary(restarts=4, restarted_at=60.0), stable(restarts=2, restarted_at=65.0))
    world = a_world(fleet, steps=HELD).release()

    world.until(400)
    held = world.verdict
    world.until(700)

    assert held == ("Hold", "EnvironmentUnhealthy")
    assert world.verdict == ("Promote", "EvidenceSufficient")


def test_a_crash_of_stable_long_before_excuses_no_crashes_of_the_canary():
    fleet = Fleet(canary(restarts=4, restarted_at=900.0), stable(restarts=1, restarted_at=60.0))
    world = a_world(fleet, steps=HELD).release()

    world.until(1000)

    assert world.verdict == ("Abort", "CanaryUnhealthy")


def test_a_stricter_policy_in_the_middle_of_a_release_is_judged_by_evidence_of_its_own():
    world = a_world(Fleet(), a_policy(risk={"rejectRatio": "20"}), steps=(set_weight(25), pause("20m"))).release()

    world.until(200)
    before = world.verdict
    world.policies["strict"] = a_policy(risk={"rejectRatio": "1.2"})
    world.until(230)

    assert before == ("Promote", "EvidenceSufficient")
    assert world.verdict == ("Hold", "Collecting")


def test_a_definition_that_cannot_be_read_for_a_moment_loses_no_evidence():
    key = SLORefKey("pyrra.dev/v1alpha1", "ServiceLevelObjective", "api")
    indicator = {
        "ratio": {
            "errors": {"metric": 'http_requests_total{status=~"5.."}'},
            "total": {"metric": "http_requests_total"},
        }
    }
    body = {
        "apiVersion": key.api_version,
        "kind": key.kind,
        "metadata": {"name": "api", "namespace": "shop"},
        "spec": {"target": "99", "window": "4w", "indicator": indicator},
    }
    reference = {"apiVersion": key.api_version, "kind": key.kind, "name": key.name}
    policy = a_policy({"name": "imported", "sloRef": reference})
    world = a_world(policy=policy, definitions={key: body}, steps=HELD).release()

    world.until(100)
    before = world.status.requests
    world.definitions[key] = Absent(HoldReason.NO_DATA, "it cannot be read: timeout")
    world.until(130)
    held = world.verdict
    world.definitions[key] = body
    world.until(150)

    assert held == ("Hold", "NoData")
    assert world.status.requests > before > 0


def test_fewer_requests_at_a_lower_weight_are_no_missing_traffic():
    fleet = Fleet(canary(rate_at=lambda at: 4.0 if at < 200 else 0.1), stable(rate=4.0), seed=3)
    world = a_world(fleet, steps=(set_weight(50), pause("180s"), set_weight(2), pause())).release()

    world.until(600)

    assert "NoTraffic" not in {reason for _, _, reason in world.verdicts}


def test_a_canary_without_weight_is_not_said_to_be_down():
    world = a_world(Fleet(canary(rate=0.0), stable()), steps=(set_weight(0), pause())).release()

    world.until(120)

    assert world.verdict == ("Hold", "NoData")
    assert "the canary's weight is 0" in world.status.message


SPOILT = [("chosen", []), ("weight", []), ("strata", []), ("absent", []), ("askedAt", "x"), ("warmFrom", [])]


@pytest.mark.parametrize(("field", "value"), [*SPOILT, ("dispersion", [0, 0, 0, 0, []]), ("since", 1e400)])
def test_a_memory_that_cannot_be_read_is_forgotten_and_stops_nothing(field, value):
    world = a_world(steps=HELD).release().until(100)
    (evidence,) = world.status.evidence
    spoilt = evidence.model_copy(update={"memory": json.dumps(json.loads(evidence.memory) | {field: value})})
    world.memory = world.status.model_copy(update={"evidence": (spoilt,)}).model_dump_json(by_alias=True)

    world.until(130)

    assert world.verdict == ("Hold", "Collecting")


@pytest.mark.parametrize(("errors", "verdict"), [(0.0, ("Promote", "MaxHold")), (0.08, ("Hold", "MaxHold"))])
def test_what_speaks_against_the_canary_is_not_promoted_when_nothing_is_shown_in_time(errors, verdict):
    policy = a_policy(timing={"maxHold": "5m", "onMaxHold": "Promote"})
    fleet = Fleet(canary(rate=0.1, errors=lambda _: errors), stable(rate=0.1), seed=4)
    world = a_world(fleet, policy, steps=HELD).release()

    world.until(400)

    assert world.verdict == verdict


class Phased(Fleet):
    """The canary is scraped last in each tick, and requests fail at their own second."""

    def _scrapes(self, version: Version, number: int, until: float) -> list[tuple[float, dict[str, int]]]:
        pages = self._pages.setdefault((version.hash, number), [])
        phase, born = SCRAPE - 1 if version.hash == CANARY else (2, 5, 8)[number], int(max(version.born, -3600))
        at = int(pages[-1][0]) if pages else math.floor((born - phase) / SCRAPE) * SCRAPE + phase
        failed = pages[-1][1]["bad "] if pages else 0
        while at + SCRAPE <= until:
            failed += sum(round(10 * version.errors(second)) for second in range(max(at, born), at + SCRAPE))
            at += SCRAPE
            pages.append((float(at), {"bad ": failed, "good ": 10 * (at - born) - failed, "slow": 0}))
        return [page for page in pages if page[0] <= until]


@pytest.mark.parametrize("begin", [196, 200, 203, 205])
def test_the_edge_of_a_shared_outage_that_the_canarys_scrape_sees_first_aborts_nothing(begin):
    shared = outage(begin, 500)
    fleet = Phased(canary(errors=shared), stable(errors=shared))
    world = a_world(fleet, steps=(set_weight(25), pause("20m"))).release()

    world.until(400)

    assert "Abort" not in {verdict for _, verdict, _ in world.verdicts}
    assert world.verdict == ("Hold", "EnvironmentUnhealthy")


@pytest.mark.parametrize("begin", [196, 205])
def test_a_fault_of_the_canary_alone_that_begins_late_is_aborted_two_ticks_later(begin):
    fleet = Phased(canary(errors=outage(begin, 500)), stable())
    world = a_world(fleet, steps=(set_weight(25), pause("20m"))).release()

    world.until(begin + 4 * SCRAPE)

    assert world.verdict == ("Abort", "CanaryRegression")
