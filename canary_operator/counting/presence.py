"""Is there anything to count? If not, the reason that the table of reasons has for it.

Law: every way to have no data is an Absent with its reason; none of them is zero errors.
"""

from canary_operator.counting.tallies import Selection, State, milliseconds
from canary_operator.counting.watermark import GONE_INTERVALS
from canary_operator.model import durations
from canary_operator.model.samples import Absent
from canary_operator.model.verdict import HoldReason

UNLIKELY_REQUESTS = 7.0
"""So many requests that should have come stay away by chance in one of a thousand cases."""


def absent(canary: Selection, stable: Selection | None, *, canary_running: bool | None, metric: str) -> Absent | None:
    """Why nothing can be compared, None if both arms have series.

    Args:

        stable: None where there is no stable version to compare with.

        canary_running: whether the canary gets weight and its targets are up; None if nobody knows.

        metric: the selector, for the sentence.
    """
    if stable is not None and not stable.counters:
        return Absent(HoldReason.NO_DATA, f"stable has no series beside the canary's {metric}")
    if canary.counters:
        return None
    if stable is not None and canary_running:
        return Absent(
            HoldReason.NO_TRAFFIC,
            f"the running canary has no series of {metric}, and stable has its own: the canary gets no requests, or "
            "its version has renamed the metric",
        )
    why = "is not up" if canary_running is False else "may not be up"
    return Absent(HoldReason.NO_DATA, f"the canary has no series of {metric} and {why}")


def stale(selection: Selection, at: float, interval_ms: int | None, max_age_seconds: float) -> Absent | None:
    """Why the newest sample is too old, None if it is not.

    The bound is ``max_age_seconds`` or three scrape intervals, whichever is longer.
    """
    newest = max((counter.points[-1].at_ms for counter in selection.counters), default=None)
    if newest is None:
        return Absent(HoldReason.NO_DATA, "there is no sample")
    age_ms = milliseconds(at) - newest
    bound_ms = max(milliseconds(max_age_seconds), GONE_INTERVALS * (interval_ms or 0))
    if age_ms <= bound_ms:
        return None
    age, bound = (durations.format_duration(each / 1000) for each in (age_ms, bound_ms))
    return Absent(HoldReason.NO_DATA, f"the newest sample is {age} old, more than {bound}")


def quiet(state: State, rate: float) -> Absent | None:
    """Why the canary has fewer new requests than chance explains while stable has some; None if it has enough.

    Args:

        rate: requests a second that the canary should get, as far as anybody knows.
    """
    if state.watermark_ms is None:
        return None
    grew = max(state.canary.grew_ms or state.start_ms, state.start_ms)
    seconds = (state.watermark_ms - grew) / 1000
    # Chance alone keeps away e requests that should have come in one of exp(e) cases.
    if (state.stable.grew_ms or 0) <= grew or seconds * rate < UNLIKELY_REQUESTS:
        return None
    ago = durations.format_duration(seconds)
    return Absent(
        HoldReason.NO_TRAFFIC,
        f"the canary has had no new request for {ago}: about {seconds * rate:.0f} should have come, and stable has had "
        "some",
    )
