"""What can happen next: every move of every party, and what the model makes of it.

A party that runs acts before time goes on; whoever may be late is frozen, deaf or dead by a fault. At one moment all
orders are possible.

Law: pure; a move is a name and the state after it.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace

import jsonpatch

from canary_operator.model.pause import FIRST_SHIFT_SECONDS
from tests.builders import T0
from tests.protocol import controller, people, truth
from tests.protocol.nouns import Cycle, Frozen, Lease, Objects, Replica, Reply, State, text_of
from tests.protocol.operator import Done, Operator, Waiting
from tests.protocol.scopes import LEASE, Scope

RENEWALS = 3
INSTANT = 1e-6
# A hold is over after a hundred years.
NEVER = T0 + FIRST_SHIFT_SECONDS / 2


@dataclass(frozen=True, slots=True)
class Move:
    """Something that happens. ``order`` is when a calm world does it, first things first."""

    name: str
    state: State
    order: int = 0


class Moves:
    """All moves of a scope."""

    def __init__(self, scope: Scope, operator: Operator) -> None:
        self.scope = scope
        self.operator = operator
        self.spare = LEASE / RENEWALS

    # What everybody does who works.

    def duties(self, state: State, answers: tuple[str, ...]) -> Iterator[Move]:
        """What those who run do at this moment.

        What touches only the gate and its records commutes with what touches only the Rollout: of the orders of
        such two one is enough.
        """
        for index, replica in enumerate(state.replicas):
            if replica.moves and self._writes_down(replica):
                yield Move(f"{replica.name} {self._asks(replica)}", self._answered(state, index, lost=False), 4)
                return
        yield from self.of_argo(state)
        for index, replica in enumerate(state.replicas):
            if replica.moves:
                yield from self._replica(state, index, replica, answers)

    def _writes_down(self, replica: Replica) -> bool:
        at = None if replica.cycle is None else self.operator.at(replica.cycle)
        return isinstance(at, Waiting) and at.request.verb in {"remember", "get_gate", "record", "list_records"}

    def of_argo(self, state: State) -> Iterator[Move]:
        """What Argo's controller does at this moment."""
        argo, stored = state.argo, state.cluster.objects.rollout
        if argo.in_hand:
            yield Move("Argo keeps what it wrote", replace(state, argo=controller.has_kept(argo)), 0)
        if argo.heard != stored:
            yield Move("Argo hears", replace(state, argo=controller.has_heard(argo, stored)), 1)
        if argo.due and not argo.in_hand:
            yield Move("Argo looks", self._reconciled(state), 2)

    def _reconciled(self, state: State) -> State:
        argo, objects = replace(state.argo, due=False), state.cluster.objects
        result = controller.written(argo, state.now, objects.rollout)
        if result is None:
            return replace(state, argo=argo)
        cached, before, after = map(self.operator.rollout, (argo.cache, objects.rollout, result))
        argo = controller.has_written(argo, result, self.scope.falls_back)
        told = truth.by_argo(state.truth, cached, before, after)
        return replace(self._stored(state, replace(objects, rollout=result)), argo=argo, truth=told)

    def _replica(self, state: State, index: int, replica: Replica, answers: tuple[str, ...]) -> Iterator[Move]:
        name, objects = replica.name, state.cluster.objects
        if replica.cycle is not None:
            # What is heard meanwhile is used by the next look, and heard before it.
            yield Move(f"{name} {self._asks(replica)}", self._answered(state, index, lost=False), 4)
        else:
            if replica.objects != objects and not replica.deaf and self._holds(state, replica):
                yield Move(f"{name} hears", _put(state, index, _told(replica, objects)), 3)
            if self._is_due(state, replica):
                yield from self._looks(state, index, replica, answers)
        if self.scope.leased:
            yield from self._leads(state, index, replica)

    def _asks(self, replica: Replica) -> str:
        assert replica.cycle is not None
        at = self.operator.at(replica.cycle)
        assert isinstance(at, Waiting)
        return f"{at.request.verb} {at.action.kind.value if at.action else ''}".strip()

    def _is_due(self, state: State, replica: Replica) -> bool:
        return self._holds(state, replica) and (replica.news or replica.next_look <= state.now)

    def _holds(self, state: State, replica: Replica) -> bool:
        return not self.scope.leased or replica.fence - state.now > self.spare

    def _looks(self, state: State, index: int, replica: Replica, answers: tuple[str, ...]) -> Iterator[Move]:
        # No two looks have the very same time.
        state = replace(state, now=round(state.now + INSTANT, 6))
        asks = self.operator.asks(replica.objects, state.now)
        for answer in answers if asks else ("",):
            seen = self.operator.rollout(replica.objects.rollout)
            told = truth.heard(state.truth, answer, seen)
            cycle = Cycle(replica.objects, state.now, answer)
            begun = replace(replica, cycle=cycle, news=False)
            at = self._over(begun, state.now)
            yield Move(f"{replica.name} looks {answer}", replace(_put(state, index, at), truth=told), 5)

    def _over(self, replica: Replica, now: float) -> Replica:
        """The replica after its cycle went on, which may have ended it."""
        assert replica.cycle is not None
        at = self.operator.at(replica.cycle)
        if not isinstance(at, Done):
            return replica
        objects = replace(replica.objects, gate=at.gate)
        again = max(at.next_look, now + 1.0) if at.failed else at.next_look
        return replace(replica, cycle=None, objects=objects, next_look=again)

    # One request.

    def _answered(self, state: State, index: int, *, lost: bool, fenced: bool = True) -> State:
        """The replica's request reaches the API server; its reply may be lost."""
        replica = state.replicas[index]
        assert replica.cycle is not None
        at = self.operator.at(replica.cycle)
        assert isinstance(at, Waiting)
        if fenced and at.request.writes and not self._holds(state, replica):
            return self._replied(state, index, Reply(answered=False))
        state, answer = self._served(state, at, replica, late=not fenced and not self._holds(state, replica))
        if at.request.verb == "get_rollout" and at.decision is None:
            # What is read to tell what became of an action is what is known from there on.
            found = replace(replica.objects, rollout=answer)
            state = _put(state, index, replace(replica, objects=found))
        return self._replied(state, index, Reply(answered=False) if lost else Reply(answered=True, text=answer))

    def _replied(self, state: State, index: int, reply: Reply) -> State:
        replica = state.replicas[index]
        assert replica.cycle is not None
        cycle = replace(replica.cycle, replies=(*replica.cycle.replies, reply))
        return _put(state, index, self._over(replace(replica, cycle=cycle), state.now))

    def _served(self, state: State, at: Waiting, replica: Replica, *, late: bool) -> tuple[State, str]:
        objects = state.cluster.objects
        match at.request.verb:
            case "get_rollout":
                return state, objects.rollout
            case "get_gate":
                return state, objects.gate
            case "list_records":
                return state, f"[{','.join(state.cluster.records)}]"
            case "remember" if at.request.known not in {"", objects.gate}:
                return state, "Stale"
            case "remember":
                told = truth.remembered(state.truth, objects.gate, at.request.text)
                return replace(self._stored(state, replace(objects, gate=at.request.text)), truth=told), "Applied"
            case "record":
                return self._recorded(state, at.request.text)
            case "patch":
                return self._patched(state, at, replica, late=late)
        raise AssertionError(at.request.verb)

    def _recorded(self, state: State, text: str) -> tuple[State, str]:
        # A record is named by its place in the chain: a place that is taken refuses another.
        places = [json.loads(each)["sequence"] for each in state.cluster.records]
        if json.loads(text)["sequence"] in places:
            return state, "Stale"
        cluster = replace(state.cluster, records=(*state.cluster.records, text))
        return replace(state, cluster=cluster, truth=truth.recorded(state.truth, text)), "Applied"

    def _patched(self, state: State, at: Waiting, replica: Replica, *, late: bool) -> tuple[State, str]:
        objects = state.cluster.objects
        try:
            body = jsonpatch.apply_patch(json.loads(objects.rollout), json.loads(at.request.text))
        except jsonpatch.JsonPatchException:
            return state, "Stale"
        assert at.decision is not None
        assert replica.cycle is not None
        before, wish = self.operator.rollout(objects.rollout), replica.cycle.objects.wish
        told = truth.patched(state.truth, at.decision, at.snapshot.rollout, before, wish, late=late)
        return replace(self._stored(state, replace(objects, rollout=text_of(body))), truth=told), "Applied"

    def _stored(self, state: State, objects: Objects) -> State:
        return replace(state, cluster=replace(state.cluster, objects=objects))

    # The Lease.

    def _leads(self, state: State, index: int, replica: Replica) -> Iterator[Move]:
        lease = state.cluster.lease
        if lease.holder == replica.name:
            if replica.fence - state.now <= LEASE - LEASE / RENEWALS:
                yield Move(f"{replica.name} renews", self._leased(state, index), 3)
        elif replica.cycle is None and (not lease.holder or state.now - replica.lease_since > LEASE):
            yield Move(f"{replica.name} takes the Lease", self._leased(state, index), 3)

    def _leased(self, state: State, index: int) -> State:
        replica, lease = state.replicas[index], state.cluster.lease
        taken = Lease(replica.name, lease.version + 1)
        after = replace(replica, fence=state.now + LEASE, lease_version=taken.version, lease_since=state.now)
        if lease.holder != replica.name:
            # Whoever begins to write lists everything first: what another replica has written counts.
            after = replace(_told(after, state.cluster.objects), news=True)
        return self._seen(replace(_put(state, index, after), cluster=replace(state.cluster, lease=taken)))

    def _seen(self, state: State) -> State:
        """Everybody who runs sees the Lease as it is now."""
        version = state.cluster.lease.version
        return replace(state, replicas=tuple(_sees(each, version, state.now) for each in state.replicas))

    # What may go wrong, and what people may do.

    def troubles(self, state: State) -> Iterator[Move]:
        """Faults and people."""
        if state.faults:
            for index, replica in enumerate(state.replicas):
                for move in self._faults(state, index, replica):
                    yield replace(move, state=replace(move.state, faults=state.faults - 1))
        if state.acts:
            for act in self.scope.acts:
                yield from self._acts(state, act)
        yield from self.recoveries(state)

    def _acts(self, state: State, act: str) -> Iterator[Move]:
        objects = state.cluster.objects
        after = people.done(act, objects)
        if after is not None:
            told = truth.by_person(state.truth, act, objects, after, self.operator.rollout)
            yield Move(f"a person {act}", replace(self._stored(state, after), truth=told, acts=state.acts - 1))

    def _faults(self, state: State, index: int, replica: Replica) -> Iterator[Move]:
        wanted, name = self.scope.faults, replica.name
        if not replica.moves:
            return
        if "crash" in wanted:
            yield Move(f"{name} crashes", _put(state, index, _dead(replica)))
        if "stop" in wanted and self._holds(state, replica) and replica.cycle is None:
            lease = replace(state.cluster.lease, holder="", version=state.cluster.lease.version + 1)
            stopped = _put(state, index, _dead(replica))
            yield Move(f"{name} stops", self._seen(replace(stopped, cluster=replace(state.cluster, lease=lease))))
        if "deaf" in wanted and not replica.deaf:
            yield Move(f"{name} becomes deaf", _put(state, index, replace(replica, deaf=True)))
        yield from self._faults_of_a_request(state, index, replica)

    def _faults_of_a_request(self, state: State, index: int, replica: Replica) -> Iterator[Move]:
        wanted, name = self.scope.faults, replica.name
        if replica.cycle is None:
            return
        at = self.operator.at(replica.cycle)
        assert isinstance(at, Waiting)
        if "freeze" in wanted:
            yield Move(f"{name} freezes", _put(state, index, replace(replica, frozen=Frozen.BEFORE)))
        if not at.request.writes or not self._holds(state, replica):
            return
        if "freeze" in wanted:
            yield Move(f"{name} freezes as it sends", _put(state, index, replace(replica, frozen=Frozen.SENT)))
        if "lose" in wanted:
            yield Move(f"the reply to {name} is lost: {at.request.verb}", self._answered(state, index, lost=True))
        if "drop" in wanted:
            dropped = self._replied(state, index, Reply(answered=False))
            yield Move(f"the request of {name} is lost: {at.request.verb}", dropped)

    def recoveries(self, state: State) -> Iterator[Move]:
        """Who stood still goes on, who is dead is started anew."""
        for index, replica in enumerate(state.replicas):
            name = replica.name
            if not replica.alive:
                yield Move(f"{name} starts", self._started(state, index), 6)
            elif replica.frozen is Frozen.SENT:
                thawed = self._thawed(state, index)
                yield Move(
                    f"{name} wakes, what it sent lands", self._answered(thawed, index, lost=False, fenced=False), 6
                )
            elif replica.frozen is Frozen.BEFORE:
                yield Move(f"{name} wakes", self._thawed(state, index), 6)
            elif replica.deaf:
                yield Move(f"{name} hears again", _put(state, index, replace(replica, deaf=False)), 6)

    def _thawed(self, state: State, index: int) -> State:
        return self._seen(_put(state, index, replace(state.replicas[index], frozen=Frozen.NO)))

    def _started(self, state: State, index: int) -> State:
        name, lease = state.replicas[index].name, state.cluster.lease
        fresh = Replica(name, state.cluster.objects, next_look=state.now, lease_since=state.now)
        # A new process has a name of its own: the Lease of the one before must run out.
        lease = replace(lease, holder="the dead") if lease.holder == name else lease
        fresh = replace(fresh, lease_version=lease.version)
        return replace(_put(state, index, fresh), cluster=replace(state.cluster, lease=lease))

    # Time.

    def later(self, state: State) -> State | None:
        """The next moment at which somebody has something to do; None where nobody ever has."""
        timer = controller.wakes(state.argo.cache, state.now)
        moments = [timer]
        for replica in state.replicas:
            moments += self._moments(state, replica)
        moment = min((each for each in moments if each > state.now), default=NEVER)
        if moment >= NEVER:
            return None
        ran = any(self._runs(state, replica) for replica in state.replicas)
        told = truth.passed(state.truth, moment - state.now, ran)
        argo = replace(state.argo, due=state.argo.due or moment >= timer)
        return replace(state, now=moment, truth=told, argo=argo)

    def _moments(self, state: State, replica: Replica) -> list[float]:
        if not replica.moves:
            return []
        looks = [replica.next_look] if self._holds(state, replica) else []
        if not self.scope.leased:
            return looks
        if state.cluster.lease.holder == replica.name:
            return [*looks, replica.fence - LEASE + LEASE / RENEWALS]
        return [*looks, replica.lease_since + LEASE + 0.001]

    def _runs(self, state: State, replica: Replica) -> bool:
        return replica.moves and not replica.deaf and self._holds(state, replica)


def _put(state: State, index: int, replica: Replica) -> State:
    replicas = (*state.replicas[:index], replica, *state.replicas[index + 1 :])
    return replace(state, replicas=replicas)


def _told(replica: Replica, objects: Objects) -> Replica:
    """After its watches have told everything; a gate's status is nobody's news."""
    news = (replica.objects.rollout, replica.objects.wish) != (objects.rollout, objects.wish)
    return replace(replica, objects=objects, news=replica.news or news)


def _sees(replica: Replica, version: int, now: float) -> Replica:
    if not replica.moves or replica.lease_version == version:
        return replica
    return replace(replica, lease_version=version, lease_since=now)


def _dead(replica: Replica) -> Replica:
    return Replica(replica.name, Objects("", ""), alive=False, news=False, lease_since=0.0, next_look=0.0)
