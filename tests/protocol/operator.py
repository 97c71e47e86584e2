"""The operator's own cycle, run up to its next request.

``reconcile.reconcile`` itself is a coroutine that asks; here every request to the API server that matters to the
protocol ends a step, so that anything may happen before it is answered. What was answered before is answered again.

Law: nothing of the operator is written anew here; what a cycle sees, and in which order it writes, is its own doing.
"""

import json
from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from canary_operator import engine, reconcile
from canary_operator.cluster.api import Written, gate_body
from canary_operator.cluster.ledger import Ledger
from canary_operator.cluster.scribe import Scribe
from canary_operator.errors import ClusterError, ClusterUnavailable
from canary_operator.journal.records import Origin
from canary_operator.model.decision import Action, Applied, Decision, Outcome, Snapshot
from canary_operator.model.gate import GateStatus
from canary_operator.model.policy import CanaryGateSpec
from canary_operator.model.rollout import Rollout, RolloutRef, parse_rollout
from canary_operator.model.samples import Answer, Question
from tests.builders import BAD, EMPTY, GOOD, NAME, NAMESPACE, T0, UID, a_metric, a_snapshot, a_template, an_override
from tests.protocol.nouns import Body, Cycle, Objects, text_of
from tests.protocol.scopes import Scope

REF = RolloutRef(NAMESPACE, NAME)
# What the ledger reads of a record that it finds.
_TOLD = {"rollout", "verdict", "reason", "action", "sequence", "hash"}
ANSWERS: Mapping[str, Answer] = {"good": GOOD, "bad": BAD, "none": EMPTY}
FOREVER = T0 + 10 * 365 * 86_400


@dataclass(frozen=True, slots=True)
class Request:
    """What the cycle asks of the API server; ``text`` is the body that it sends.

    ``known`` is the gate's status that it means to replace; here a status is as good as the version of its object.
    """

    verb: str
    text: str = ""
    known: str = ""

    @property
    def writes(self) -> bool:
        return not self.verb.startswith(("get", "list"))


@dataclass(frozen=True, slots=True)
class Waiting:
    """The cycle waits for an answer."""

    request: Request
    snapshot: Snapshot
    decision: Decision | None

    @property
    def action(self) -> Action | None:
        """What it is carrying out."""
        return None if self.decision is None else self.decision.action


@dataclass(frozen=True, slots=True)
class Done:
    """The cycle is over; ``gate`` is the CanaryGate's status as its store has it. ``failed`` ones are repeated."""

    next_look: float
    gate: str
    failed: bool = False


class Asked:
    """A request that nobody has answered yet."""

    def __init__(self, verb: str, text: str = "", known: str = "") -> None:
        self._request = Request(verb, text, known)

    def __await__(self) -> Generator[Request, str, str]:
        answer = yield self._request
        return answer


class Door:
    """The API server as far as the protocol goes; what is only shown is written at once and changes nothing."""

    async def get_rollout(self, ref: RolloutRef) -> Body | None:
        return json.loads(await Asked("get_rollout"))

    async def patch_rollout_status(self, ref: RolloutRef, json_patch: list[Body]) -> Applied:
        return Applied(Outcome(await Asked("patch", text_of(json_patch))))

    async def replace_gate_status(self, ref: RolloutRef, known: Body, status: GateStatus) -> Written:
        text = text_of(status.model_dump(mode="json", by_alias=True, exclude_none=True))
        outcome = Outcome(await Asked("remember", text, text_of(known["status"])))
        if outcome is not Outcome.APPLIED:
            return Written(outcome)
        return Written(outcome, body={**_gate_body(), "status": json.loads(text)})

    async def get_gate(self, ref: RolloutRef) -> Body:
        return {**_gate_body(), "status": json.loads(await Asked("get_gate"))}

    async def create_decision(self, namespace: str, body: Body) -> Written:
        told = {key: value for key, value in body["spec"].items() if key in _TOLD}
        return Written(Outcome(await Asked("record", text_of(told))))

    async def list_decisions(self, namespace: str, labels: Any = None) -> tuple[Body, ...]:
        return tuple({"spec": spec} for spec in json.loads(await Asked("list_records")))

    async def list_analysis_runs(self, namespace: str, labels: Any = None) -> tuple[Body, ...]:
        return ()

    async def _shown(self, *_: Any) -> Written:
        return Written(Outcome.APPLIED)

    create_analysis_run = patch_analysis_run = create_event = _shown


class Notebook:
    """The store, as far as the scribe needs it: the gate as it was written last."""

    def __init__(self, gate: str) -> None:
        self.status = gate

    def gate(self, ref: RolloutRef) -> Body:
        return {**_gate_body(), "status": json.loads(self.status)}

    def put(self, kind: Any, body: Body) -> None:
        self.status = text_of(body["status"])


class Silence:
    """Telemetry that nobody listens to."""

    def acted(self, *_: Any) -> None:
        pass

    looked = forget = acted


class Run:
    """One cycle, as a coroutine that has been answered so far."""

    def __init__(self, operator: "Operator", cycle: Cycle) -> None:
        self._operator, self._cycle = operator, cycle
        self._notebook = Notebook(cycle.objects.gate)
        self._snapshot: Snapshot | None = None
        self._decision: Decision | None = None
        self._coroutine = reconcile.reconcile(self._world(), REF)
        self.state = self._step(lambda: self._coroutine.send(None))

    def answer(self, answered: bool, text: str) -> None:
        """Go on to the next request."""
        if answered:
            self.state = self._step(lambda: self._coroutine.send(text))
        else:
            self.state = self._step(lambda: self._coroutine.throw(ClusterUnavailable("no reply")))

    def _step(self, resume: Any) -> Waiting | Done:
        try:
            request = resume()
        except StopIteration as over:
            return Done(over.value, self._notebook.status)
        except ClusterError:
            return Done(self._cycle.at + 1.0, self._notebook.status, failed=True)
        assert self._snapshot is not None or request.verb == "get_rollout"
        return Waiting(request, self._snapshot or self._operator.snapshot(self._cycle.objects), self._decision)

    def _world(self) -> reconcile.World:
        door: Any = Door()
        scribe: Any = Scribe(door, self._notebook, lambda _: "")  # type: ignore[arg-type]
        ledger = Ledger(door, Origin(), keep=10**6)
        verbs = replace(reconcile.VERBS, snapshot=self._read, fetch=self._hear, decide=self._decide)
        silence: Any = Silence()
        nobody: Any = None
        return reconcile.World(
            nobody, nobody, door, ledger=ledger, scribe=scribe, telemetry=silence, clock=self._time, verbs=verbs
        )

    def _time(self) -> float:
        return self._cycle.at

    async def _read(self, world: reconcile.World, ref: RolloutRef) -> Snapshot:
        """As Reader.read does: an action whose reply was lost is told from the Rollout as it is now."""
        found = self._operator.snapshot(self._cycle.objects)
        if found.status.pending is not None:
            body = await world.api.get_rollout(ref)
            found = replace(found, rollout=parse_rollout(body or {}))
        self._snapshot = found
        return found

    async def _hear(self, world: reconcile.World, snapshot: Snapshot, questions: Any) -> Mapping[Question, Answer]:
        return dict.fromkeys(questions, ANSWERS.get(self._cycle.answer, EMPTY))

    def _decide(self, snapshot: Snapshot, samples: Any, now: float) -> Decision:
        self._decision = engine.decide(snapshot, samples, now)
        return self._decision


class Operator:
    """The operator's code under a scope, with what it has come to already."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self._known: dict[Cycle, Waiting | Done] = {}
        self._live: dict[Cycle, Run] = {}
        self._rollouts: dict[str, Rollout] = {}
        self._asks: dict[tuple[Objects, float], bool] = {}

    def at(self, cycle: Cycle) -> Waiting | Done:
        """Where a cycle stands."""
        if cycle not in self._known:
            run = self._run(cycle)
            self._known[cycle] = run.state
            if isinstance(run.state, Waiting):
                self._live[cycle] = run
        return self._known[cycle]

    def _run(self, cycle: Cycle) -> Run:
        # A coroutine cannot be copied: the first continuation takes it along, another one is told everything again.
        if not cycle.replies:
            return Run(self, cycle)
        before, last = replace(cycle, replies=cycle.replies[:-1]), cycle.replies[-1]
        run = self._live.pop(before, None) or self._run(before)
        run.answer(last.answered, last.text)
        return run

    def asks(self, objects: Objects, now: float) -> bool:
        """Whether a look would ask for evidence."""
        key = (objects, now)
        if key not in self._asks:
            self._asks[key] = bool(engine.plan(self.snapshot(objects), now))
        return self._asks[key]

    def rollout(self, text: str) -> Rollout:
        """A Rollout, parsed once."""
        if text not in self._rollouts:
            self._rollouts[text] = parse_rollout(json.loads(text))
        return self._rollouts[text]

    def snapshot(self, objects: Objects) -> Snapshot:
        """What the gate knows of these objects."""
        template = a_template(a_metric(interval=None))
        del template["spec"]["metrics"][0]["interval"]
        found = a_snapshot(json.loads(objects.rollout))
        wish = an_override(objects.wish, until=FOREVER) if objects.wish else CanaryGateSpec()
        return replace(
            found,
            templates=dict.fromkeys(found.templates, template),
            status=GateStatus.model_validate_json(objects.gate),
            gate_spec=wish,
            evaluation_interval=self.scope.interval,
        )


def _gate_body() -> Body:
    return {**gate_body(REF, UID), "metadata": {**gate_body(REF, UID)["metadata"], "uid": "gate"}}
