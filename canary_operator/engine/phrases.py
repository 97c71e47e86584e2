"""How the evidence of objectives sounds: clauses with numbers that a colleague would say.

Law: words only. Shares are percent of requests with two significant digits; counts are exact.
"""

from canary_operator.model import durations
from canary_operator.stats.judging import Report
from canary_operator.stats.objective import State
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


def compared(state: State, rules: Rules) -> str:
    """Both versions, and what the objective allows."""
    against = f" against {tally(state.stable)} on stable" if rules.compares else ""
    return f"canary {tally(state.canary)}{against}; the objective allows {percent(rules.allowed)}"


def lacking(report: Report, rules: Rules, eta: float | None) -> str:
    """What a promotion still takes, and what would have been seen by now."""
    needed = report.likely_to_promote
    if report.evidence.promotion >= rules.risk.promote_at:
        said = f"the evidence must span {durations.format_duration(rules.settles)}"
    elif needed is None:
        said = f"at this ratio it will not be shown to be under {percent(rules.rejected)}"
    else:
        when = f", expected in {durations.format_duration(eta)}" if eta is not None else ""
        said = f"about {needed:,} more requests would show that it is under {percent(rules.rejected)}{when}"
    if report.detectable is not None:
        said += f"; {percent(report.detectable)} bad would have been seen by now"
    return said
