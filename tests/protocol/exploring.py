"""Every state that can be reached, breadth first; and from each of them, how it ends if everything then behaves.

Law: what is explored is in scopes, what happens in moving, what must hold in truth. A way is kept as names of moves.
"""

import asyncio
import contextlib
import json
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from unittest import mock

import structlog

from canary_operator.model.pause import Hold
from canary_operator.model.rollout import Rollout
from tests.builders import CANARY, T0, a_rollout
from tests.protocol import truth
from tests.protocol.keys import key_of
from tests.protocol.moving import Move, Moves
from tests.protocol.nouns import Argo, Cluster, Lease, Objects, Replica, State, Truth, text_of
from tests.protocol.operator import Operator
from tests.protocol.scopes import LEASE, Scope
from tests.scenarios.argo import Argo as Controller

# A release that everybody leaves alone is over after so many moves, or it turns in circles.
CALM_MOVES = 1500
Key = bytes


@dataclass(frozen=True, slots=True)
class Counterexample:
    """What must never happen, and the moves that lead to it."""

    wrong: str
    way: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join([self.wrong, *(f"  {number}. {name}" for number, name in enumerate(self.way, start=1))])


@dataclass(frozen=True, slots=True)
class Explored:
    """What was found of a scope. ``complete`` is false where the bound on states ended it."""

    scope: Scope
    states: int
    transitions: int
    depth: int
    calm: int
    seconds: float
    complete: bool
    found: Counterexample | None


@dataclass(frozen=True, slots=True)
class _Reached:
    """How a state was reached first."""

    before: Key | None
    name: str
    depth: int


class Exploration:
    """One scope, explored."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.operator = Operator(scope)
        self.moves = Moves(scope, self.operator)
        self._reached: dict[Key, _Reached] = {}
        self._calm: dict[tuple[Key, str], str] = {}
        self._transitions = 0

    def run(self, most_states: int) -> Explored:
        """Explore until nothing is new, something is wrong, or ``most_states`` are known."""
        begun = time.perf_counter()
        with structlog.testing.capture_logs(), _nobody_loses_patience():
            found, complete = self._search(most_states)
        depth = max(each.depth for each in self._reached.values())
        took = time.perf_counter() - begun
        states, calm = len(self._reached), len(self._calm)
        return Explored(self.scope, states, self._transitions, depth, calm, took, complete, found)

    def _search(self, most_states: int) -> tuple[Counterexample | None, bool]:
        first = begin(self.scope, self.moves)
        waiting = deque([(key_of(first), first)])
        self._reached[waiting[0][0]] = _Reached(None, "", 0)
        while waiting:
            key, state = waiting.popleft()
            wrong = self._wrong(key, state)
            if wrong is not None:
                return wrong, False
            if len(self._reached) >= most_states:
                return None, False
            for move in self._successors(state):
                self._transitions += 1
                after = key_of(move.state)
                if after not in self._reached:
                    self._reached[after] = _Reached(key, move.name, self._reached[key].depth + 1)
                    waiting.append((after, move.state))
        return None, True

    def _successors(self, state: State) -> Iterator[Move]:
        duties = list(self.moves.duties(state, self.scope.answers))
        yield from duties
        yield from self.moves.troubles(state)
        later = None if duties else self.moves.later(state)
        if later is not None:
            yield Move(f"{later.now - state.now:g} s pass", later)

    def _wrong(self, key: Key, state: State) -> Counterexample | None:
        if state.truth.wrong:
            return Counterexample(state.truth.wrong, self._way(key))
        for answer in self.scope.answers:
            wrong = self._ends(state, answer)
            if wrong:
                calm = tuple(name for name, _ in self._calmly(state, answer))
                return Counterexample(wrong, (*self._way(key), f"from here all is calm, answers are {answer}", *calm))
        return None

    def _way(self, key: Key | None) -> tuple[str, ...]:
        names = []
        while key is not None and self._reached[key].before is not None:
            names.append(self._reached[key].name)
            key = self._reached[key].before
        return tuple(reversed(names))

    # If everything then behaves.

    def _ends(self, state: State, answer: str) -> str:
        """What is wrong with how a state ends in a calm world, "" if nothing is."""
        ways: list[tuple[Key, str]] = []
        calm = replace(state, faults=0, acts=0)
        result = f"it does not end within {CALM_MOVES} moves"
        seen: set[tuple[Key, str]] = set()
        for _ in range(CALM_MOVES):
            known = (key_of(calm), answer)
            if known in self._calm:
                result = self._calm[known]
                break
            ways.append(known)
            after = None if known in seen else self._calm_move(calm, answer)
            seen.add(known)
            if after is None or calm.truth.wrong:
                result = calm.truth.wrong or ends_badly(self.operator.rollout, calm, answer)
                break
            calm = after.state
        self._calm.update(dict.fromkeys(ways, result))
        return result

    def _calm_move(self, state: State, answer: str) -> Move | None:
        duties = [*self.moves.recoveries(state), *self.moves.duties(state, (answer,))]
        if duties:
            return min(duties, key=lambda move: move.order)
        later = self.moves.later(state)
        return None if later is None else Move(f"{later.now - state.now:g} s pass", later)

    def _calmly(self, state: State, answer: str) -> Iterator[tuple[str, State]]:
        state, seen = replace(state, faults=0, acts=0), set()
        for _ in range(CALM_MOVES):
            key = key_of(state)
            move = None if key in seen else self._calm_move(state, answer)
            seen.add(key)
            if move is None or state.truth.wrong:
                return
            yield move.name, move.state
            state = move.state


@contextlib.contextmanager
def _nobody_loses_patience() -> Iterator[None]:
    """There is no loop, and what takes too long is a request that was lost."""

    async def wait_for(awaitable: Awaitable[object], _: float) -> object:
        return await awaitable

    with mock.patch.object(asyncio, "wait_for", wait_for):
        yield


def begin(scope: Scope, moves: Moves) -> State:
    """A new version has just been pushed; where nothing but the pause matters Argo has brought it there."""
    controller = Controller(a_rollout(scope.steps))
    controller.change(template={"hash": CANARY})
    rollout = text_of(controller.body)
    objects = Objects(rollout)
    replicas = tuple(Replica(name, objects, lease_version=1) for name in "AB"[: scope.replicas])
    leader = replace(replicas[0], fence=T0 + LEASE)
    cluster = Cluster(objects, lease=Lease("A", 1))
    argo = Argo(rollout, rollout)
    state = State(T0, cluster, argo, (leader, *replicas[1:]), Truth(), scope.most_faults, scope.most_acts)
    while scope.from_pause and state.truth.spot is None:
        state = min(moves.of_argo(state), key=lambda move: move.order).state
    return state


def ends_badly(parse: Callable[[str], Rollout], state: State, answer: str) -> str:
    """What is wrong with a state in which nothing happens any more but looks."""
    objects = state.cluster.objects
    rollout = parse(objects.rollout)
    held = any(pause.hold(T0) is not Hold.NONE for pause in rollout.pauses)
    wrong = truth.unrecorded(state.truth) or _unowned(state, rollout, held)
    if wrong or rollout.aborted or rollout.pod_hash == rollout.stable_hash:
        return wrong
    if rollout.paused or objects.wish == "Hold" or not truth.enforces(rollout):
        return ""
    if answer == "none" and objects.wish == "":
        timed = rollout.step is not None and rollout.step.duration is not None
        return "a timed pause is not held" if timed and not held else ""
    return f"with {answer} evidence the release does not end: it stays at step {rollout.step_index}"


def _unowned(state: State, rollout: Rollout, held: bool) -> str:
    gate: Mapping[str, object] = json.loads(state.cluster.objects.gate)
    if gate.get("pending") is not None:
        return "an action stays pending"
    owner = any(each.moves and each.next_look < float("inf") for each in state.replicas)
    if held and not (truth.enforces(rollout) and gate.get("phase") == "Judging" and owner):
        return "a hold is left that nobody owns"
    return ""
