"""What the store knows of other gates, and who is woken by what they say."""

from typing import Any

import pytest

from canary_operator.cluster import kinds
from canary_operator.cluster.peers import Peers, Turns
from canary_operator.cluster.store import Store
from canary_operator.model.fleet import Brake, FleetRules, Peer
from canary_operator.model.rollout import RolloutRef
from tests.builders import a_rollout

Body = dict[str, Any]
A, B, C = (RolloutRef("shop", name) for name in "abc")
X = RolloutRef("till", "x")


def stored(store: Store, ref: RolloutRef, version: int = 1, **status: Any) -> None:
    """A Rollout and its gate, as the watch tells of them."""
    meta = {"namespace": ref.namespace, "name": ref.name, "resourceVersion": str(version)}
    body = a_rollout()
    body["metadata"] |= meta | {"uid": f"rollout {ref}"}
    store.put(kinds.ROLLOUTS, body)
    gate = {"metadata": meta | {"uid": f"gate {ref}", "generation": 1}, "spec": {}, "status": status}
    store.put(kinds.CANARY_GATES, gate)


def begun(second: int) -> Body:
    return {"phase": "Judging", "mode": "enforce", "inProgressSince": f"2026-09-14T10:00:{second:02}Z"}


def test_a_gate_that_ends_or_whose_rollout_goes_or_cannot_be_read_keeps_nobody_waiting() -> None:
    store = Store(rules=FleetRules(per_cluster=1))
    for second, ref in enumerate((A, B, C, X)):
        stored(store, ref, **begun(second))

    assert store.fleet(X).running == (A,)
    stored(store, A, 2, phase="Ended", mode="enforce")
    assert store.fleet(X).running == (B,)
    gone = {"metadata": {"namespace": "shop", "name": "b", "uid": "rollout shop/b", "resourceVersion": "2"}}
    store.remove(kinds.ROLLOUTS, gone)
    assert store.fleet(X).running == (C,)
    unreadable = a_rollout()
    unreadable["metadata"] |= {"name": "c", "uid": "rollout shop/c", "resourceVersion": "2"}
    unreadable["spec"]["strategy"]["canary"]["steps"] = [{"setWeight": "x"}]
    store.put(kinds.ROLLOUTS, unreadable)
    assert store.fleet(X).running == (X,)


def test_a_gate_that_is_found_before_its_rollout_counts_once_both_are_known() -> None:
    store = Store(rules=FleetRules(per_cluster=1))
    stored(store, B, **begun(5))
    meta = {"namespace": "shop", "name": "a", "resourceVersion": "1"}
    gate = {"metadata": meta | {"uid": "g", "generation": 1}, "spec": {}, "status": begun(1)}
    store.put(kinds.CANARY_GATES, gate)
    assert store.fleet(B).running == (B,)

    body = a_rollout()
    body["metadata"] |= meta | {"uid": "r"}
    store.put(kinds.ROLLOUTS, body)

    assert store.fleet(B).running == (A,)


@pytest.mark.parametrize(
    ("rules", "running"),
    [
        (FleetRules(), ()),
        (FleetRules(per_cluster=3), (A, B, X)),
        (FleetRules(per_namespace=2), (A, B)),
        (FleetRules(brake=Brake(1, 60.0)), ()),
    ],
)
def test_a_look_is_told_of_those_that_may_be_ahead_and_of_nobody_else(
    rules: FleetRules, running: tuple[RolloutRef, ...]
) -> None:
    peers = Peers(rules)
    for second, ref in enumerate((A, B, C, X)):
        if ref is not C:
            peers.put(Peer(ref, since=second))

    assert peers.around(C).running == running


def test_only_those_whose_turn_has_come_are_woken_and_only_once() -> None:
    peers, woken = Peers(FleetRules(per_cluster=1)), []
    turns = Turns(lambda: peers.running, woken.append)
    for second, ref in enumerate((A, B, C)):
        peers.put(Peer(ref, since=second))
        turns.looked(None)  # type: ignore[arg-type]
    assert woken == [A]

    peers.put(Peer(A))
    turns.looked(None)  # type: ignore[arg-type]
    turns.looked(None)  # type: ignore[arg-type]
    assert woken == [A, B]

    peers.put(Peer(B))
    turns.forget(B)
    assert woken == [A, B, C]


def test_a_status_that_changes_nothing_for_others_is_no_news() -> None:
    peers = Peers(FleetRules(per_cluster=1))
    peers.put(Peer(A, since=1.0))
    before = peers.running

    peers.put(Peer(A, since=1.0))

    assert peers.running is before
