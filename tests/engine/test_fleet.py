"""Whose turn it is, and that a place counts only once every older one is written down."""

import dataclasses

import pytest

from canary_operator.engine import fleet
from canary_operator.model import durations
from canary_operator.model.fleet import Aborted, Brake, Fleet, FleetRules, Peer, parse_peer
from canary_operator.model.gate import GateStatus
from canary_operator.model.rollout import RolloutRef
from canary_operator.model.verdict import HoldReason
from tests.builders import NAME, NAMESPACE, T0, a_rollout, a_snapshot

OURS = RolloutRef(NAMESPACE, NAME)
A, B, C = (RolloutRef("shop", name) for name in "abc")
X, Y = (RolloutRef("till", name) for name in "xy")


def begun(*refs: RolloutRef) -> list[Peer]:
    """They have begun in this order."""
    return [Peer(ref, since=T0 + number) for number, ref in enumerate(refs)]


@pytest.mark.parametrize(
    ("peers", "cluster", "namespace", "running"),
    [
        ([], 1, 1, ()),
        (begun(B, A), 1, None, (B,)),
        (begun(B, A, X), 2, None, (B, A)),
        (begun(B, A, X), None, 1, (B, X)),
        (begun(B, A, X, C), 2, 1, (B, X)),
        (begun(B, A, X), None, None, (B, A, X)),
        ([Peer(A), *begun(B)], 1, None, (B,)),
        # Of two that began at the same moment the name decides, whoever tells it.
        ([Peer(B, T0), Peer(A, T0)], 1, None, (A,)),
    ],
)
def test_those_that_began_first_go_on_as_many_as_may(peers, cluster, namespace, running):
    assert fleet.turns(peers[::-1], FleetRules(cluster, namespace)) == running


def snapshot(since: float | None, *running: RolloutRef, mode: str = "enforce", cluster: int = 1):
    status = GateStatus(in_progress_since=None if since is None else durations.format_micro_time(since))
    found = a_snapshot(a_rollout(mode=mode), status=status)
    return dataclasses.replace(found, fleet=Fleet(FleetRules(per_cluster=cluster), running))


@pytest.mark.parametrize(
    ("since", "running", "reason", "until"),
    [
        (None, (), HoldReason.COLLECTING, T0 + 10),
        (T0, (OURS,), HoldReason.COLLECTING, T0 + 10),
        (T0 - 9.9, (OURS,), HoldReason.COLLECTING, T0 + 0.1),
        (T0 - 60, (A,), HoldReason.FLEET_LIMIT, float("inf")),
        (None, (A,), HoldReason.FLEET_LIMIT, float("inf")),
        # What the others know is about a release before this one.
        (None, (OURS,), HoldReason.COLLECTING, T0 + 10),
    ],
)
def test_a_place_counts_once_every_older_one_is_known(since, running, reason, until):
    (delay,) = fleet.delays(snapshot(since, *running), T0)

    assert delay.finding.reason is reason
    assert delay.until == pytest.approx(until)


def test_whose_turn_it_is_waits_for_nobody():
    assert fleet.delays(snapshot(T0 - 10, OURS), T0) == ()
    assert fleet.delays(snapshot(T0 - 10, A, OURS, cluster=2), T0) == ()


def test_what_is_only_observed_needs_no_place_and_says_who_would_be_ahead():
    assert fleet.delays(snapshot(None, mode="observe"), T0) == ()
    (delay,) = fleet.delays(snapshot(None, A, mode="observe"), T0)
    assert delay.finding.reason is HoldReason.FLEET_LIMIT


def aborted(ref: RolloutRef, at: float) -> Aborted:
    return Aborted(ref, T0 + at, "CanaryRegression")


@pytest.mark.parametrize(
    ("aborts", "until"),
    [
        ([], None),
        ([aborted(A, -10)], None),
        ([aborted(A, -10), aborted(B, -60)], None),
        ([aborted(A, -10), aborted(B, -59)], 1),
        ([aborted(A, 0), aborted(B, -10), aborted(X, -20), aborted(Y, -59)], 50),
    ],
)
def test_a_brake_is_on_until_fewer_aborts_are_recent(aborts, until):
    known = Fleet(FleetRules(brake=Brake(2, 60.0)), aborted=tuple(aborts))

    found = fleet.delays(dataclasses.replace(a_snapshot(), fleet=known), T0)

    assert [delay.until - T0 for delay in found] == ([] if until is None else [until])


def test_the_newest_aborts_are_known_at_least_as_many_as_count():
    peers = [
        Peer(RolloutRef("shop", f"{n:02}"), aborted=Aborted(RolloutRef("shop", f"{n:02}"), n, "")) for n in range(40)
    ]

    assert [each.at for each in fleet.newest(peers, Brake(20, 60.0))] == list(range(39, 19, -1))
    assert len(fleet.newest(peers, Brake(1, 60.0))) == 10
    assert fleet.newest(peers, None) == ()


JUDGING = {"phase": "Judging", "mode": "enforce", "inProgressSince": "2026-09-14T10:00:00.5Z"}
ABORT = {"at": "2026-09-14T10:00:01Z", "reason": "ConditionsFailed", "podHash": "x"}


@pytest.mark.parametrize(
    ("status", "peer"),
    [
        ({}, Peer(A)),
        (JUDGING, Peer(A, T0 + 0.5)),
        (JUDGING | {"phase": "Ended"}, Peer(A)),
        (JUDGING | {"mode": "observe"}, Peer(A)),
        (JUDGING | {"lastAbort": ABORT}, Peer(A, T0 + 0.5, Aborted(A, T0 + 1, "ConditionsFailed"))),
        ({"phase": "Idle", "lastAbort": ABORT}, Peer(A, None, Aborted(A, T0 + 1, "ConditionsFailed"))),
        (JUDGING | {"inProgressSince": "tomorrow"}, Peer(A)),
        (JUDGING | {"inProgressSince": 7}, Peer(A)),
        (JUDGING | {"lastAbort": "me"}, Peer(A)),
        (JUDGING | {"lastAbort": {"at": "2026-09-14T10:00:01Z"}}, Peer(A)),
        (JUDGING | {"lastAbort": {"at": 7, "reason": ""}}, Peer(A)),
    ],
)
def test_what_a_gate_has_told_is_read_and_what_cannot_be_read_keeps_nobody_waiting(status, peer):
    assert parse_peer(A, status) == peer
