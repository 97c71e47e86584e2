"""Property: however verdicts come and go, and whenever the operator is restarted, everything is told, and once."""

from collections import Counter
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from canary_operator.notifications.telling import Told
from tests.builders import T0
from tests.notifications.looks import a_look, a_status, an_entry

EVERY, HOLD_AFTER = 15, 60.0
HOLDS = [("Hold", "NoData"), ("Hold", "NoTraffic"), ("Hold", "Collecting")]
PASSED = ("Promote", "ConditionsMet")


@dataclass
class Release:
    """A release that is looked at every 15 s, its history as the gate keeps it, and what was told of it."""

    at: float = T0
    status: object = None
    history: list = field(default_factory=list)
    process: Told = field(default_factory=lambda: Told(HOLD_AFTER))
    told: Counter = field(default_factory=Counter)
    first: dict = field(default_factory=dict)
    due: set = field(default_factory=set)

    def look(self, step, verdict, reason):
        before, change = self.status, (step, verdict, reason)
        changed = before is None or (before.verdict, before.reason) != (verdict, reason)
        if changed:
            self.history.append(an_entry(verdict, reason, step=step, at=self.at))
        since = self.at if changed else self.since
        self.since = since
        self.status = a_status(verdict, reason, step=step, at=since, history=self.history[-20:])
        self.count(
            change, self.process.is_new(a_look(self.status, before=before, changed=changed, at=self.at)), changed
        )
        self.at += EVERY

    def count(self, change, is_told, changed):
        self.told[change] += is_told
        first = self.first.setdefault(change, self.at)
        if changed if change[1] != "Hold" else self.at - first >= HOLD_AFTER:
            self.due.add(change)

    def restart(self, down):
        self.process = Told(HOLD_AFTER)
        self.at += down


looks = st.tuples(st.sampled_from([*HOLDS, PASSED]), st.integers(1, 8))
# A new step begins with another verdict than the one before: the engine says Collecting on the way.
steps = st.lists(st.lists(looks, min_size=1, max_size=4), min_size=1, max_size=2)


def run(release, steps, restarts=()):
    number, downs = 0, dict(restarts)
    for step, phases in enumerate(steps):
        release.look(step, "Hold", "Override")
        for change, times in phases:
            for _ in range(times):
                if number in downs:
                    release.restart(downs[number])
                release.look(step, *change)
                number += 1


@given(steps)
def test_without_a_restart_everything_that_is_due_is_told_exactly_once(steps):
    release = Release()

    run(release, steps)

    assert {change for change, times in release.told.items() if times} == release.due
    assert max(release.told.values()) <= 1


@given(steps, st.dictionaries(st.integers(0, 40), st.integers(1, 60), max_size=3))
def test_over_restarts_nothing_that_is_due_is_missed_and_no_promotion_is_told_twice(steps, restarts):
    release = Release()

    run(release, steps, restarts)

    assert {change for change, times in release.told.items() if times} == release.due
    assert all(times <= 1 for (_, verdict, _), times in release.told.items() if verdict != "Hold")
    assert all(times <= 1 + len(restarts) for times in release.told.values())
