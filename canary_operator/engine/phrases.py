"""How the evidence of objectives sounds: clauses with numbers that a colleague would say.

Law: words only. Shares are percent of requests with two significant digits; counts are exact.
"""

from collections.abc import Mapping

from canary_operator.model import durations
from canary_operator.stats.judging import Report
from canary_operator.stats.objective import State, evidence
from canary_operator.stats.tallying import Count, Rules


def percent(share: float) -> str:
    """``0.5 %``, ``12 %``, ``100 %``: two significant digits."""
    value = 100 * share
    if value >= 9.95 or value == 0:
        return f"{value:.0f} %"
    digits = 1 if value >= 0.995 else 2 if value >= 0.0995 else 3
    return f"{value:.{digits}f}".rstrip("0").rstrip(".") + " %"


def tally(counted: Count) -> str:
    """``3 of 1,240 requests bad (0.24 %)``."""
    if not counted.total:
        return "no requests"
    return f"{counted.bad:,} of {counted.total:,} requests bad ({percent(counted.bad / counted.total)})"


def versions(state: State, rules: Rules) -> str:
    """What the canary has had, and stable beside it where it is compared."""
    canary = f"canary {tally(state.canary)}" if state.canary.total else "no requests to the canary yet"
    return canary + (f" against {tally(state.stable)} on stable" if rules.compares else "")


def compared(state: State, rules: Rules, parts: Mapping[str, State], late: Count) -> str:
    """Both versions, what the objective allows, and what else the comparison knows.

    Args:

        parts: of the traffic, by name, where each is compared with its own; empty where none is.

        late: what the last look brought of the canary. It is told where a fault has begun so late that all requests
            together do not show it.
    """
    said = versions(state, rules)
    if (state.canary.ratio or 0.0) <= rules.allowed and rules.rejected < (late.ratio or 0.0):
        said += f", and {late.bad:,} of the canary's last {late.total:,} ({percent(late.ratio or 0.0)})"
    said += f"; the objective allows {percent(rules.allowed)}"
    if rules.compares and parts:
        said += f"; {_part_by_part(parts, rules)}"
    if rules.phi > 1:
        said += f"; stable's own pods differ by more than chance, so that evidence counts 1/{_short(rules.phi)}"
    return said


def _part_by_part(parts: Mapping[str, State], rules: Rules) -> str:
    shown = {name: evidence(part, rules).worse for name, part in parts.items()}
    worst = max(sorted(shown), key=lambda name: shown[name])
    if shown[worst] <= 0:
        return "part by part it is no worse than stable"
    return f"part by part it is worst in {worst}: {versions(parts[worst], rules)}"


def _short(number: float) -> str:
    return f"{number:.1f}" if number < 9.95 else f"{number:.0f}"


def lacking(report: Report, state: State, rules: Rules, when: str) -> str:
    """What a promotion still takes, and what would have been seen by now.

    Args:

        when: the requests that are needed will have come, a clause; empty where nobody knows.
    """
    needed = report.likely_to_promote
    if report.evidence.promotion >= rules.risk.promote_at:
        said = f"enough once they span {durations.format_duration(rules.settles)} at this weight"
    elif needed is None:
        said = f"at this ratio it will not be shown to be under {percent(rules.rejected)}"
    else:
        said = f"about {needed:,} more requests would show that it is under {percent(rules.rejected)}{when}"
    if report.detectable is not None and report.detectable > (state.canary.ratio or 0.0):
        said += f"; {percent(report.detectable)} bad would have been seen by now"
    return said
