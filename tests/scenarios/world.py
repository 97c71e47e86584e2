"""A world of values: a Rollout, what people write, Prometheus as a function of time, and a gate that looks.

Nothing sleeps: time is a number that jumps to the next thing that happens. The gate's memory goes through JSON at
every look, so that every look is a look after a restart. Times of a test are seconds since the world began.
"""

import copy
import dataclasses
import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jsonpatch

from canary_operator import engine
from canary_operator.cluster.patches import patch_for, still_judged
from canary_operator.engine import memory
from canary_operator.journal.inputs import Inputs
from canary_operator.model.decision import Action, ActionKind, Applied, Decision, Outcome, Snapshot
from canary_operator.model.facts import SLORefKey
from canary_operator.model.gate import GateStatus
from canary_operator.model.pause import Hold
from canary_operator.model.policy import CanaryGateSpec, SLOPolicySpec
from canary_operator.model.record import GateDecisionSpec
from canary_operator.model.rollout import TemplateRef, parse_rollout
from canary_operator.model.samples import Absent, Answer, Question, RawQuery
from tests import builders
from tests.builders import CANARY, GATE, T0, a_rollout, a_snapshot, a_template
from tests.scenarios.argo import Argo
from tests.scenarios.fleet import Fleet
from tests.scenarios.replaying import decides_again, recorded

Body = dict[str, Any]
Prometheus = Callable[[float], Answer | Absent]
ZOMBIE = 40


class World:
    """Everything that is around a gate, and what it did.

    Args:

        outages: from when to when Prometheus does not answer.

        lag: seconds by which the gate sees the Rollout late.
    """

    def __init__(
        self,
        body: Body | None = None,
        *,
        templates: Mapping[str, Body] | None = None,
        policy: SLOPolicySpec | None = None,
        prometheus: Prometheus | Mapping[str, Prometheus] = lambda _: builders.GOOD,
        outages: Sequence[tuple[float, float]] = (),
        lag: float = 0.0,
        fleet: Fleet | None = None,
        definitions: Mapping[SLORefKey, Body | Absent] | None = None,
        interval: float = builders.INTERVAL,
    ) -> None:
        self.argo = Argo(a_rollout() if body is None else body)
        self.templates = dict(templates or {"errors": a_template()})
        self.policies: dict[str, SLOPolicySpec | str] = {}
        self.gate_spec: CanaryGateSpec | str = CanaryGateSpec()
        self.prometheus = prometheus
        self.fleet = fleet or Fleet()
        self.definitions = dict(definitions or {})
        self.interval = interval
        self.memory: str | None = None
        self.now = T0
        self.outcome: Outcome | None = None
        self.actions: list[tuple[float, str, str]] = []
        self.verdicts: list[tuple[float, str, str]] = []
        self.asked: list[tuple[float, Question]] = []
        self.decisions: list[tuple[Snapshot, Mapping[Question, Answer | Absent], float, Decision]] = []
        self.records: list[GateDecisionSpec] = []
        self.written = 0
        self.outages = outages
        self._lag = lag
        self._seen: list[tuple[float, Body]] = [(-math.inf, copy.deepcopy(self.argo.body))]
        self._next_look = math.inf
        if policy is not None:
            self.policies["strict"] = policy
            self.argo.body["metadata"]["annotations"][builders.POLICY] = "strict"

    # What people do.

    def release(self, version: str = CANARY) -> "World":
        """Push a new version."""
        self.argo.change(template={"hash": version})
        return self

    def annotate(self, key: str, value: str | None) -> "World":
        annotations = self.argo.body["metadata"]["annotations"]
        annotations.pop(key, None)
        if value is not None:
            annotations[key] = value
        self._next_look = self.now
        return self

    def gate(self, mode: str | None) -> "World":
        return self.annotate(GATE, mode)

    def says(self, spec: CanaryGateSpec | str) -> "World":
        """A person writes the spec of the CanaryGate."""
        self.gate_spec = spec
        self._next_look = self.now
        return self

    def writes(self, **templates: Body | None) -> "World":
        """A person changes templates; None deletes one."""
        for name, body in templates.items():
            self.templates.pop(name, None)
            if body is not None:
                self.templates[name] = body
        self._next_look = self.now
        return self

    def patch(self, **status: Any) -> "World":
        """A person uses Argo's own commands."""
        self.argo.status.update(status)
        return self

    def promote(self) -> "World":
        self.argo.status.pop("pauseConditions", None)
        return self

    # How the world is.

    @property
    def status(self) -> GateStatus:
        return GateStatus.model_validate_json(self.memory or "{}")

    @property
    def verdict(self) -> tuple[str | None, str]:
        return self.status.verdict, self.status.reason

    @property
    def step(self) -> int:
        return self.argo.status["currentStepIndex"]

    @property
    def hold(self) -> Hold:
        pauses = parse_rollout(self.argo.body).pauses
        return pauses[0].hold(self.now) if pauses else Hold.NONE

    @property
    def is_promoted(self) -> bool:
        return self.argo.status["stableRS"] == self.argo.body["spec"]["template"]["hash"]

    @property
    def is_aborted(self) -> bool:
        return bool(self.argo.status.get("abort"))

    def of_kind(self, *kinds: str) -> list[tuple[float, str, str]]:
        return [action for action in self.actions if action[1] in kinds]

    # How time passes.

    def until(self, seconds: float) -> "World":
        """Let everything happen that happens until ``seconds`` after the world began."""
        end = T0 + seconds
        self._let_argo()
        looks_at_once = 0
        while True:
            moment = min(self._due(), self.argo.wakes(self.now))
            if moment > end:
                self.now = end
                return self
            looks_at_once = looks_at_once + 1 if moment <= self.now else 0
            assert looks_at_once < ZOMBIE, f"the gate turns in circles at {self.now - T0}: {self.status}"
            self.now = max(self.now, moment)
            self._let_argo()
            if self._due() <= self.now:
                self.look()
                self._let_argo()

    def _due(self) -> float:
        return min([self._next_look, *(at for at, _ in self._seen[1:])])

    def _let_argo(self) -> None:
        self.argo.settle(self.now)
        if self._seen[-1][1] != self.argo.body:
            self._seen.append((self.now + self._lag, copy.deepcopy(self.argo.body)))

    # The five verbs.

    def snapshot(self) -> Snapshot:
        """What the gate sees: the Rollout perhaps a little late."""
        while len(self._seen) > 1 and self._seen[1][0] <= self.now:
            self._seen.pop(0)
        self._seen[0] = (-math.inf, self._seen[0][1])
        return a_snapshot(
            copy.deepcopy(self._seen[0][1]),
            policies=dict(self.policies),
            templates={TemplateRef(name): body for name, body in self.templates.items()},
            gate_spec=self.gate_spec,
            status=self.status,
            evaluation_interval=self.interval,
            facts=dataclasses.replace(self.fleet.facts(self.now), definitions=self.definitions),
        )

    def look(self, *, crash: str | None = None) -> Decision:
        """One cycle. ``crash`` ends it "before" or "after" the patch, with only the intention written down."""
        snapshot = self.snapshot()
        samples = {query: self._answer(query) for query in engine.plan(snapshot, self.now)}
        decision = engine.decide(snapshot, samples, self.now)
        self.decisions.append((snapshot, samples, self.now, decision))
        inputs = Inputs(snapshot, samples, self.now)
        decides_again(inputs, decision)
        self._next_look = decision.next_look
        status = decision.status
        if decision.action is not None:
            if status.pending is not None:
                self._remember(status)
            if crash is not None:
                self._next_look = self.now
            if crash == "before":
                return decision
            applied = self._perform(decision.action)
            if crash == "after":
                return decision
            status = memory.concluded(status, applied)
            self.actions.append((round(self.now - T0, 3), decision.action.kind.value, applied.outcome.value))
        if status.verdict is not None and status.since != snapshot.status.since:
            self.verdicts.append((round(self.now - T0, 3), status.verdict, status.reason))
        for record in recorded(inputs, status):
            self.records.append(record)
            status = status.model_copy(update={"sequence": record.sequence, "record_hash": record.hash})
        self._remember(status)
        return decision

    def _remember(self, status: GateStatus) -> None:
        document = json.dumps(status.model_dump(mode="json", by_alias=True, exclude_none=True), sort_keys=True)
        self.written += document != self.memory
        self.memory = document

    def _answer(self, query: Question) -> Answer | Absent:
        self.asked.append((self.now - T0, query))
        if any(begin <= self.now - T0 < end for begin, end in self.outages):
            return builders.OUTAGE
        if isinstance(query, RawQuery):
            return self.fleet.answer(query)
        if callable(self.prometheus):
            return self.prometheus(query.at - T0)
        return self.prometheus[query.promql](query.at - T0)

    def _perform(self, action: Action) -> Applied:
        if self.outcome is not None:
            return Applied(self.outcome)
        current = parse_rollout(self.argo.body)
        if not still_judged(action.fence, current, action.kind):
            return Applied(Outcome.STALE)
        try:
            patched = jsonpatch.apply_patch(self.argo.body, patch_for(action, self.argo.body))
        except jsonpatch.JsonPatchTestFailed:
            return Applied(Outcome.STALE)
        self.argo.body = patched
        if action.kind is ActionKind.NUDGE:
            self.argo.deaf = False
            self.argo.status.pop("message")
        return Applied(Outcome.APPLIED)
