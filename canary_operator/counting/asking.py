"""From what an SLO measures to the series to ask for, and from the answers to counters.

Law: bad and total come from the same scrapes. Where zero bad requests cannot be told from a name that nothing has,
there is a reason and no count.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import assert_never

from canary_operator.counting import histograms, selecting
from canary_operator.counting.tallies import Rules, Selection
from canary_operator.errors import ConfigurationError
from canary_operator.model.indicator import Events, Latency, Matcher, MatchKind, Ratio, Selector
from canary_operator.model.samples import Absent, Answer, ResultKind, Series
from canary_operator.model.verdict import HoldReason

_BUCKET = "_bucket"


@dataclass(frozen=True, slots=True)
class Picked:
    """The part is picked out of the total's series by what its selectors say beyond the total's.

    Args:

        choices: for each question the alternatives; a series is of the part if all matchers of one hold.
    """

    events: Events
    choices: tuple[tuple[tuple[Matcher, ...], ...], ...]


@dataclass(frozen=True, slots=True)
class Paired:
    """The part has a metric of its own. The first ``totals`` questions are of all requests, the others of the part."""

    events: Events
    totals: int


@dataclass(frozen=True, slots=True)
class Buckets:
    """Buckets of a classic histogram: ``every`` one, or only those that are counted."""

    threshold: float
    every: bool


@dataclass(frozen=True, slots=True)
class Native:
    """A native histogram."""

    threshold: float


@dataclass(frozen=True, slots=True)
class Way:
    """One way to count a measure.

    Args:

        selectors: what to ask for as raw samples, each with the matchers that tell whose series are meant.

        by: how the answers are read.
    """

    selectors: tuple[Selector, ...]
    by: Picked | Paired | Buckets | Native


def ways(measure: Ratio | Latency) -> tuple[Way, ...]:
    """How a measure can be counted, the preferred way first.

    Which of a histogram's ways finds series is not known before something was asked. Where none does, the last one
    has the reason that tells most.
    """
    match measure:
        case Ratio():
            return (_ratio(measure),)
        case Latency(histogram, threshold):
            bound = float(threshold)
            classic = Selector(histogram.metric + _BUCKET, histogram.matchers)
            return (
                Way((_two_buckets(classic, threshold),), Buckets(bound, every=False)),
                Way((histogram,), Native(bound)),
                # Twelve buckets instead of two: only asked where it must be said which ones there are.
                Way((classic,), Buckets(bound, every=True)),
            )
        case never:
            assert_never(never)


def read(
    way: Way,
    answers: Sequence[Answer],
    rules: Rules,
    up: Answer | None = None,
    *,
    known: Collection[Selector] = (),
) -> Selection | Absent:
    """The counters of one arm.

    Args:

        answers: raw samples of the arm's series, one answer for each of ``way.selectors``, in that order.

        up: raw samples of the same targets' ``up``, if at hand. They tell a process without requests from one that
            was not scraped.

        known: the selectors for which any arm has ever had series (``seen``). Matters where bad requests have a
            metric of their own.

    Returns: the selection, without counters if this way finds none; or an Absent with CONFIGURATION_ERROR.
    """
    assert len(answers) == len(way.selectors)
    try:
        for answer in answers:
            _demand_samples(answer)
        return selecting.select(list(_raws(way, answers, known)), rules, up.series if up else ())
    except ConfigurationError as error:
        return Absent(HoldReason.CONFIGURATION_ERROR, str(error))


def seen(way: Way, answers: Sequence[Answer]) -> frozenset[Selector]:
    """The selectors for which there are series."""
    found = zip(way.selectors, answers, strict=True)
    return frozenset(selector for selector, answer in found if answer.series or answer.native)


def _demand_samples(answer: Answer) -> None:
    if answer.kind is not ResultKind.MATRIX:
        raise ConfigurationError(f"counting needs raw samples, and the query returns a {answer.kind.value}")


def _ratio(ratio: Ratio) -> Way:
    totals = tuple(dict.fromkeys(ratio.total))
    if {each.metric for each in ratio.part} <= {each.metric for each in totals}:
        return Way(totals, Picked(ratio.events, tuple(_choices(total, ratio.part) for total in totals)))
    return Way((*totals, *dict.fromkeys(ratio.part)), Paired(ratio.events, len(totals)))


def _choices(total: Selector, part: Iterable[Selector]) -> tuple[tuple[Matcher, ...], ...]:
    """What each selector of the part says that the total's does not. What lies outside of the total is no request."""
    own = [each for each in part if each.metric == total.metric]
    return tuple(tuple(each for each in one.matchers if each not in total.matchers) for one in own)


def _two_buckets(classic: Selector, threshold: Decimal) -> Selector:
    matcher = Matcher(histograms.LE, MatchKind.REGEX, rf"{_spellings(threshold)}|\+?Inf")
    return Selector(classic.metric, tuple(sorted((*classic.matchers, matcher), key=_by_text)))


def _by_text(matcher: Matcher) -> tuple[str, str, str]:
    return matcher.label, matcher.kind.value, matcher.value


def _spellings(threshold: Decimal) -> str:
    """A pattern for the ways to write a positive number: 0.5, 0.50, .5, 5e-1, 5.0E-01."""
    whole, _, fraction = f"{threshold.normalize():f}".partition(".")
    whole = whole.lstrip("0")
    plain = rf"0*{whole}\.{fraction}0*" if fraction else rf"0*{whole}(\.0*)?"
    first, *rest = map(str, threshold.normalize().as_tuple().digits)
    mantissa = rf"{first}\.{''.join(rest)}0*" if rest else rf"{first}(\.0*)?"
    sign = "-" if threshold.adjusted() < 0 else r"\+?"
    return rf"{plain}|{mantissa}[eE]{sign}0*{abs(threshold.adjusted())}"


def _raws(way: Way, answers: Sequence[Answer], known: Collection[Selector]) -> Iterable[selecting.Raw]:
    match way.by:
        case Picked(events, choices):
            _demand(_whole_parts(way, choices, answers, events), seen(way, answers), events, known)
            return _picked(answers, choices, events)
        case Paired(events, totals):
            _demand(way.selectors[totals:], seen(way, answers), events, known)
            return selecting.paired(_united(answers[:totals]), _united(answers[totals:]), events)
        case Buckets(threshold, every):
            return selecting.slower(_united(answers), threshold, every=every)
        case Native(threshold):
            native = [one for answer in answers for one in answer.native]
            return selecting.slower(histograms.as_buckets(native, threshold), threshold)
        case never:
            assert_never(never)


def _united(answers: Iterable[Answer]) -> list[Series]:
    """The series of several questions; one that is found twice counts once."""
    return list({series.labels: series for answer in answers for series in answer.series}.values())


def _picked(answers: Sequence[Answer], choices: Sequence[selecting.Choices], events: Events) -> Iterable[selecting.Raw]:
    raws: dict[tuple[tuple[str, str], ...], selecting.Raw] = {}
    for answer, alternatives in zip(answers, choices, strict=True):
        for raw in selecting.picked(answer.series, alternatives, events):
            raws.setdefault(tuple(sorted(raw.labels.items())), raw)
    return raws.values()


def _whole_parts(
    way: Way, choices: Sequence[selecting.Choices], answers: Sequence[Answer], events: Events
) -> list[Selector]:
    """The totals that are parts as they are, as errors are of errors and successes, and of which no series tells."""
    whole = [total for total, alternatives in zip(way.selectors, choices, strict=True) if not all(alternatives)]
    if len(whole) == len(way.selectors):
        everything = "every request would be bad" if events is Events.BAD else "no request could be bad"
        raise ConfigurationError(f"the {events.value} selector adds nothing to the total's: {everything}")
    live = {selector.metric for selector in seen(way, answers)}
    return [total for total in whole if total.metric not in live]


def _demand(parts: Iterable[Selector], own: Collection[Selector], events: Events, known: Collection[Selector]) -> None:
    """Refuse a part that nobody has: its metric may have another name, and then nothing, or all, would be bad."""
    # A version that counts no good request may as well have another name for them.
    told = own if events is Events.GOOD else {*own, *known}
    for selector in parts:
        if own and selector not in told:
            raise ConfigurationError(
                f"there are requests and no series of {selector.metric} as the {events.value} selector asks for: "
                "nobody can tell whether there was none or the name is another"
            )
