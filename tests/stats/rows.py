"""Releases written down as rows of counts."""

from collections.abc import Iterable

from canary_operator.stats.judging import Judgement, Objective, judge
from canary_operator.stats.objective import State, advance, begin
from canary_operator.stats.tallying import Rules, Tick

Row = tuple[int, int, int, int]
"""Canary's bad and total, stable's bad and total."""

RULES = Rules(0.01)


def after(rows: Iterable[Row], rules: Rules = RULES, *, every: float = 10.0, state: State | None = None) -> State:
    """The state after rows of equal length."""
    state = state or begin(0.0)
    for bad, total, stable_bad, stable_total in rows:
        tick = Tick(state.last + every, bad, total, stable_bad, stable_total)
        state = advance(state, tick, rules, promotes=True)
    return state


def judged(rows: Iterable[Row], rules: Rules = RULES, *, every: float = 10.0) -> Judgement:
    """The judgement of one objective after the rows."""
    return judge({"availability": Objective(after(rows, rules, every=every), rules)})
