"""Which ways to try for a metric, and the first that has series of the stable version.

Law: an answer that is missing never makes a later way the chosen one.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from canary_operator.attribution.candidate import Candidate, Preset, Unfit, equal, ordered
from canary_operator.attribution.presets import POD_HASH, POD_NAME, PRESETS
from canary_operator.attribution.subject import Subject
from canary_operator.errors import ConfigurationError
from canary_operator.model.indicator import Matcher, Selector
from canary_operator.model.promql import write_selector, written_matchers
from canary_operator.model.samples import Absent
from canary_operator.model.verdict import HoldReason

AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Trial:
    """The ways to try for one selector, in order, those that do not apply, and what helps if none has series."""

    selector: Selector
    candidates: tuple[Candidate, ...]
    unfit: tuple[Unfit, ...]
    advice: str


def trial(setting: str, subject: Subject, selector: Selector, *, tenant: bool = False) -> Trial:
    """What to ask Prometheus for.

    Args:

        setting: a preset's name, or ``auto``: the preset whose metric it is by its name; else that of the Rollout's
            router, then pod-hash, then pod-name. A proxy's metric is never tried by pods alone: its series of one
            pod count requests to others as well.

        selector: the series of all requests, without what tells a version from another.

        tenant: whether every selector must carry ``namespace``; what cannot is unfit.

    Raises:

        ConfigurationError: there is no such preset.
    """
    presets = _presets(setting, subject, selector.metric)
    ways = [_checked(way, subject, tenant=tenant) for preset in presets for way in preset.ways(subject)]
    return Trial(
        selector,
        candidates=tuple(way for way in ways if isinstance(way, Candidate)),
        unfit=tuple(dict.fromkeys(way for way in ways if isinstance(way, Unfit))),
        advice=presets[-1].advice,
    )


def choose(tried: Trial, found: Mapping[Candidate, int | Absent]) -> Candidate | Absent:
    """The first way that has series.

    Args:

        found: for each candidate of the trial the number of series that ``stable_query`` asks for, or why there is
            no answer.

    Returns: the candidate; or why there is none: the missing answer that matters, CONFIGURATION_ERROR where no way
        applies, NO_DATA where none has series.
    """
    for candidate in tried.candidates:
        match found[candidate]:
            case Absent() as absent:
                return absent
            case count if count > 0:
                return candidate
    if not tried.candidates:
        return Absent(HoldReason.CONFIGURATION_ERROR, f"canary and stable cannot be told apart: {_reasons(tried)}")
    return Absent(HoldReason.NO_DATA, _nothing(tried))


def narrowed(selector: Selector, identity: tuple[Matcher, ...]) -> Selector:
    """The selector of one version's series; its own matchers stay."""
    return Selector(selector.metric, ordered((*selector.matchers, *identity)))


def rendered(selector: Selector, identity: tuple[Matcher, ...]) -> str:
    """The same as PromQL, for people and for statuses."""
    return write_selector(narrowed(selector, identity))


def stable_query(selector: Selector, candidate: Candidate) -> str:
    """PromQL for the number of the stable version's series; no series at all is an empty answer."""
    return f"count({rendered(selector, candidate.stable)})"


def _presets(setting: str, subject: Subject, metric: str) -> list[Preset]:
    if setting != AUTO:
        return [_named(setting)]
    if own := [preset for preset in PRESETS if preset.metrics and metric.startswith(preset.metrics)]:
        return own
    return [*(preset for preset in PRESETS if {*preset.routers} & {*subject.routers}), POD_HASH, POD_NAME]


def _named(name: str) -> Preset:
    known = {preset.name: preset for preset in PRESETS}
    if name not in known:
        raise ConfigurationError(f"attribution preset {name!r} is none of {', '.join((AUTO, *known))}")
    return known[name]


def _checked(way: Candidate | Unfit, subject: Subject, *, tenant: bool) -> Candidate | Unfit:
    if isinstance(way, Unfit):
        return way
    if way.canary == way.stable:
        return Unfit(way.preset, "both versions' series would be the same")
    bound = equal("namespace", subject.namespace)
    if tenant and not (bound in way.canary and bound in way.stable):
        return Unfit(way.preset, "its series are not bound to one namespace by the label namespace")
    return way


def _nothing(tried: Trial) -> str:
    asked = ", ".join(f"{{{written_matchers(each.stable)}}} ({each.name})" for each in tried.candidates)
    skipped = f"; not asked for: {_reasons(tried)}" if tried.unfit else ""
    return f"{write_selector(tried.selector)} has no series of the stable version with {asked}{skipped}; {tried.advice}"


def _reasons(tried: Trial) -> str:
    return ", ".join(f"{unfit.preset} ({unfit.reason})" for unfit in tried.unfit)
