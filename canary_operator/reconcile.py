"""The cycle of one Rollout: snapshot, plan, fetch, decide, apply, record.

Law: this file tells the story; it judges nothing and knows no API. Whatever happens in between, a crash or a lost
reply is told from the Rollout itself when the next cycle begins.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field, replace

import structlog

from canary_operator import engine
from canary_operator.cluster.acting import HOLD_PATIENCE_SECONDS, perform
from canary_operator.cluster.api import Api
from canary_operator.cluster.ledger import Ledger
from canary_operator.cluster.scribe import Scribe
from canary_operator.cluster.snapshot import Reader
from canary_operator.engine import answering, memory
from canary_operator.engine.answering import Told
from canary_operator.errors import ClusterError
from canary_operator.journal import occasions
from canary_operator.journal.inputs import Inputs
from canary_operator.model.decision import Action, ActionKind, Applied, Decision, Snapshot
from canary_operator.model.gate import GateStatus
from canary_operator.model.look import Listener, Look
from canary_operator.model.policy import Mode
from canary_operator.model.rollout import RolloutRef
from canary_operator.model.samples import Question, Samples
from canary_operator.telemetry import Telemetry

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class World:
    """What the cycle reads from and writes to, and what time it is (Unix seconds).

    ``last_words`` has what each gate said last since the operator started, for an analysis of Argo's that asks.
    """

    reader: Reader
    fetch: Callable[[Collection[Question]], Awaitable[Samples]]
    api: Api
    scribe: Scribe
    ledger: Ledger
    telemetry: Telemetry
    clock: Callable[[], float]
    listeners: tuple[Listener, ...] = ()
    last_words: dict[RolloutRef, Told] = field(default_factory=dict)
    verbs: "Verbs" = field(default_factory=lambda: VERBS)


@dataclass(frozen=True, slots=True)
class Verbs:
    """The cycle's verbs as functions, so that something can be put around each of them, such as a span of a trace."""

    snapshot: Callable[[World, RolloutRef], Awaitable[Snapshot | None]]
    plan: Callable[[Snapshot, float], Collection[Question]]
    fetch: Callable[[World, Snapshot, Collection[Question]], Awaitable[Samples | None]]
    decide: Callable[[Snapshot, Samples, float], Decision]
    apply: Callable[[World, Snapshot, Decision], Awaitable[Applied | None]]
    record: Callable[[World, Inputs, Decision, Applied | None], Awaitable[GateStatus]]


async def reconcile(world: World, ref: RolloutRef) -> float:
    """Look at one Rollout once. Returns when to look again (Unix seconds, infinity for never).

    Raises:

        ClusterError: if something could not be read or written; nothing is lost by looking again.
    """
    # 1. What is known about it, at one moment.
    verbs, now = world.verbs, world.clock()
    snapshot = await verbs.snapshot(world, ref)
    if snapshot is None:
        for listener in (world.telemetry, *world.listeners):
            listener.forget(ref)
        world.last_words.pop(ref, None)
        return math.inf
    # 2. What the engine would like to know.
    questions = verbs.plan(snapshot, now)
    # 3. Prometheus answers, or says why not.
    samples = await verbs.fetch(world, snapshot, questions)
    if samples is None:
        return now
    # 4. The decision: a function of what was seen and heard.
    decision = verbs.decide(snapshot, samples, now)
    # 5. At most one guarded write to the Rollout.
    applied = await verbs.apply(world, snapshot, decision)
    # 6. Said and kept, now that the outcome is known.
    try:
        status = await verbs.record(world, Inputs(snapshot, samples, now), decision, applied)
    except ClusterError:
        await hold_unrecorded(world, snapshot, decision, now)
        raise
    # 7. Known to whoever asks, once it is written down.
    if decision.reason is not None or status.phase != "Judging":
        world.last_words[ref] = answering.told(snapshot, status, now)
    return decision.next_look


async def read(world: World, ref: RolloutRef) -> Snapshot | None:
    """What is known about a Rollout; None if it is gone."""
    return await world.reader.read(ref)


async def hear(world: World, snapshot: Snapshot, questions: Collection[Question]) -> Samples | None:
    """The answers; None if the release has moved on meanwhile, so that nobody waits for what no longer matters."""
    answers = asyncio.ensure_future(world.fetch(questions))
    moved_on = asyncio.ensure_future(world.reader.moved_on(snapshot))
    try:
        await asyncio.wait((answers, moved_on), return_when=asyncio.FIRST_COMPLETED)
        return answers.result() if answers.done() else None
    finally:
        answers.cancel()
        moved_on.cancel()


async def apply(world: World, snapshot: Snapshot, decision: Decision) -> Applied | None:
    """Carry out the decision's action, if it has one: first the intention is written, then the Rollout."""
    if decision.action is None:
        return None
    if decision.status.pending is not None and _has_gate(snapshot):
        await intend(world, snapshot, decision, decision.action)
    return await act(world, decision.action)


async def act(world: World, action: Action) -> Applied:
    """Do it, and count what came of it."""
    applied = await perform(world.api, action)
    world.telemetry.acted(action, applied)
    return applied


async def hold_unrecorded(world: World, snapshot: Snapshot, decision: Decision, now: float) -> None:
    """What cannot be written down keeps no pause from being held: it is written down later, and time would promote."""
    if decision.action is not None:
        return
    due = engine.decide(replace(snapshot, status=decision.status), {}, now).action
    if due is not None and due.kind is ActionKind.HOLD:
        await act(world, due)


async def intend(world: World, snapshot: Snapshot, decision: Decision, action: Action) -> None:
    """Write down what is about to be done.

    A hold is done even if nobody can write it down in time: it says by itself whose it is, and without it time would
    promote.
    """
    written = world.scribe.remember(snapshot, decision.status, over=decision.status)
    if action.kind is not ActionKind.HOLD:
        return await written
    try:
        await asyncio.wait_for(written, HOLD_PATIENCE_SECONDS)
    except (ClusterError, TimeoutError) as error:
        log.warning("intention_not_written", rollout=str(action.ref), error=type(error).__name__, message=str(error))


async def record(world: World, inputs: Inputs, decision: Decision, applied: Applied | None) -> GateStatus:
    """Write down what was decided and done, and tell it to whom it concerns. Returns the status as it was written."""
    snapshot, now = inputs.snapshot, inputs.now
    before, status = snapshot.status, decision.status
    if not _has_gate(snapshot):
        return status
    if applied is not None:
        status = memory.concluded(status, applied)
    verdict_changed = occasions.is_new_verdict(before, status)
    if verdict_changed:
        status = await world.ledger.record(inputs, status, None)
    action = occasions.new_action(before, status)
    if action is not None:
        status = await world.ledger.record(inputs, status, action)
    if _is_shown(before, status):
        status = await world.scribe.show(snapshot, status, now)
    if verdict_changed:
        # Before it is remembered: whoever comes after a crash tells it again, and an Event told twice is one.
        await world.scribe.tell(snapshot.rollout.ref, status, now)
    for caution in occasions.new_cautions(before, status):
        await world.scribe.caution(snapshot.rollout.ref, status, caution, now)
    if status != before:
        await world.scribe.remember(snapshot, status, over=decision.status)
    look = Look(snapshot, status, now, verdict_changed)
    for listener in (world.telemetry, *world.listeners):
        listener.looked(look)
    return status


def _has_gate(snapshot: Snapshot) -> bool:
    """Whether there is a CanaryGate to write to: a Rollout that never opted in has none."""
    return snapshot.gate_generation is not None or snapshot.opt_in.mode is not Mode.OFF


def _is_shown(before: GateStatus, status: GateStatus) -> bool:
    """Whether the AnalysisRun of the judged pause says something else than before."""
    pause = status.pause
    if pause is None or not pause.verdict:
        return False
    if pause.left_by is not None and (before.pause is None or before.pause.left_by is not None):
        return False
    return (before.pause, before.evidence) != (pause, status.evidence)


VERBS: Verbs = Verbs(snapshot=read, plan=engine.plan, fetch=hear, decide=engine.decide, apply=apply, record=record)
