"""Metrics about Rollouts that have a gate.

Law: a series of a Rollout goes with it, and what is about a release goes with that. The number of series follows from
how many releases are judged at the same time, not from how many Rollouts there are.
"""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from canary_operator.engine import sought
from canary_operator.errors import ConfigurationError
from canary_operator.model import durations
from canary_operator.model.gate import Evidence, GateStatus
from canary_operator.model.indicator import Indicator
from canary_operator.model.look import Look
from canary_operator.model.policy import Mode
from canary_operator.model.rollout import RolloutRef
from canary_operator.model.verdict import AbortReason, HoldReason, PromoteReason, Verdict, verdict_of

PAIRS: tuple[tuple[str, str], ...] = tuple(
    (verdict_of(reason).value, reason.value) for reason in (*PromoteReason, *HoldReason, *AbortReason)
)
"""Every verdict with every reason that it can have."""

_ROLLOUT = ("namespace", "rollout")
# From a bad release that is caught at once to one that is held over night.
_SECONDS = (5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 43200)

_Labels = tuple[str, ...]


class Gates:
    """What the gates say: how often they changed their mind, where they stand, on what evidence."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._decisions = _Decisions(registry)
        self._evidence = _EvidenceSeries(registry)
        self._state = _Series(
            Gauge(
                "canary_operator_gate_state",
                "1 for what a gate says now: Idle, Hold, Promote, Abort, or Ended with the reason that decided.",
                [*_ROLLOUT, "mode", "state", "reason"],
                registry=registry,
            )
        )

    def looked(self, look: Look) -> None:
        """Hear of a look at a Rollout that has a gate."""
        self._decisions.looked(look)
        self._evidence.looked(look)
        status = look.status
        self._state.replace(look.ref, _said(status))

    def forget(self, ref: RolloutRef) -> None:
        """Remove everything about a Rollout."""
        for each in (self._decisions, self._evidence, self._state):
            each.forget(ref)


def _is_judged(status: GateStatus) -> bool:
    return status.phase == "Judging"


def _said(status: GateStatus) -> dict[_Labels, float]:
    # A gate that was turned off says nothing.
    if status.mode == Mode.OFF.value:
        return {}
    state = (status.verdict if _is_judged(status) else None) or status.phase
    return {(status.mode, state, status.reason): 1.0}


class _Series:
    """A gauge with some series for each Rollout."""

    def __init__(self, gauge: Gauge) -> None:
        self._gauge = gauge
        self._of: dict[RolloutRef, set[_Labels]] = {}

    def replace(self, ref: RolloutRef, values: Mapping[_Labels, float]) -> None:
        """Set the Rollout's series by their labels after namespace and rollout; it has no others afterwards."""
        for gone in self._of.pop(ref, set()) - values.keys():
            self._gauge.remove(ref.namespace, ref.name, *gone)
        for labels, value in values.items():
            self._gauge.labels(ref.namespace, ref.name, *labels).set(value)
        if values:
            self._of[ref] = set(values)

    def forget(self, ref: RolloutRef) -> None:
        self.replace(ref, {})


class _Decisions:
    """Changes of the verdict. A counter that appears with its first event loses that event in every rate().

    All pairs of verdict and reason for every Rollout would be 36 series each, nearly all of them 0 for ever. So the
    pairs of a Rollout are there while a release of it is judged; what never happened goes when the release ends, and
    begins at 0 again with the next. What is counted for all Rollouts together is always there.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._of_fleet = Counter(
            "canary_operator_fleet_decisions",
            "Changes of the verdict, of all Rollouts together.",
            ["verdict", "reason"],
            registry=registry,
        )
        self._of_rollout = Counter(
            "canary_operator_decisions",
            "Changes of the verdict.",
            [*_ROLLOUT, "verdict", "reason"],
            registry=registry,
        )
        self._seconds = Histogram(
            "canary_operator_time_to_decision_seconds",
            "From the beginning of a pause to the verdict Promote or Abort; before the first pause: of the release.",
            ["verdict"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._said: dict[RolloutRef, set[_Labels]] = {}
        self._judged: set[RolloutRef] = set()
        for pair in PAIRS:
            self._of_fleet.labels(*pair)
        for verdict in (Verdict.PROMOTE, Verdict.ABORT):
            self._seconds.labels(verdict.value)

    def looked(self, look: Look) -> None:
        if _is_judged(look.status) and look.ref not in self._judged:
            self._begin(look.ref)
        if look.verdict_changed:
            self._count(look)
        if not _is_judged(look.status) and look.ref in self._judged:
            self._end(look.ref)

    def _begin(self, ref: RolloutRef) -> None:
        self._judged.add(ref)
        for pair in PAIRS:
            self._of_rollout.labels(ref.namespace, ref.name, *pair)

    def _count(self, look: Look) -> None:
        pair = (look.status.verdict or "", look.status.reason)
        self._said.setdefault(look.ref, set()).add(pair)
        self._of_fleet.labels(*pair).inc()
        self._of_rollout.labels(look.ref.namespace, look.ref.name, *pair).inc()
        since = _waited_since(look.status)
        if pair[0] != Verdict.HOLD.value and since is not None:
            self._seconds.labels(pair[0]).observe(max(0.0, look.at - durations.parse_time(since)))

    def _end(self, ref: RolloutRef) -> None:
        self._judged.discard(ref)
        for pair in set(PAIRS) - self._said.get(ref, set()):
            self._of_rollout.remove(ref.namespace, ref.name, *pair)

    def forget(self, ref: RolloutRef) -> None:
        if ref in self._judged:
            self._end(ref)
        for pair in self._said.pop(ref, set()):
            self._of_rollout.remove(ref.namespace, ref.name, *pair)


def _waited_since(status: GateStatus) -> str | None:
    return status.generation_since if status.pause is None else status.pause.start_time


class _EvidenceSeries:
    """What a release is judged on, while it is judged."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def series(name: str, what: str, *labels: str) -> _Series:
            name = f"canary_operator_{name}"
            return _Series(Gauge(name, what, [*_ROLLOUT, "evidence", *labels], registry=registry))

        self._requests = series(
            "evidence_requests", "Requests that an objective counted since the release began.", "role"
        )
        self._bad = series("bad_ratio", "Bad of all requests since the release began, 0 to 1.", "role")
        self._allowed = series("allowed_bad_ratio", "Bad of all requests that an objective allows, 0 to 1.")
        self._progress = series(
            "evidence_progress_ratio", "How near the evidence is to an abort or a promotion, 0 to 1.", "kind", "towards"
        )
        self._digests: dict[RolloutRef, _Labels] = {}

    def looked(self, look: Look) -> None:
        if not _is_judged(look.status):
            self.forget(look.ref)
            return
        evidence, ref = look.status.evidence, look.ref
        self._requests.replace(ref, _requests(evidence))
        self._bad.replace(ref, _bad_ratios(evidence))
        self._progress.replace(ref, _progress(evidence))
        digests = tuple(each.digest for each in evidence)
        # Reading an SLO takes longer than all the rest here, and it means the same as long as the digest is the same.
        if digests != self._digests.get(ref):
            self._digests[ref] = digests
            self._allowed.replace(ref, _allowed(look))

    def forget(self, ref: RolloutRef) -> None:
        self._digests.pop(ref, None)
        for each in (self._requests, self._bad, self._allowed, self._progress):
            each.forget(ref)


def _requests(evidence: tuple[Evidence, ...]) -> dict[_Labels, float]:
    return {
        (each.name, role): float(side.total)
        for each in evidence
        for role, side in (("canary", each.canary), ("stable", each.stable))
        if side is not None
    }


def _bad_ratios(evidence: tuple[Evidence, ...]) -> dict[_Labels, float]:
    return {
        (each.name, role): side.bad / side.total
        for each in evidence
        for role, side in (("canary", each.canary), ("stable", each.stable))
        if side is not None and side.total
    }


def _progress(evidence: tuple[Evidence, ...]) -> dict[_Labels, float]:
    return {
        (each.name, each.kind, towards): value
        for each in evidence
        for towards, value in (("Abort", each.towards_abort), ("Promote", each.towards_promote))
    }


def _allowed(look: Look) -> dict[_Labels, float]:
    try:
        found = sought.objectives(look.snapshot)
    except ConfigurationError:
        return {}
    return {(each.name,): float(each.meaning.allowed) for each in found if isinstance(each.meaning, Indicator)}
