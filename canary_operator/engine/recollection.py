"""What the gate remembers of one objective between two looks: counts, statistics, the weight they are about.

Law: pure. What is written reads back equal; what cannot be read is forgotten whole, and the release is counted anew.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import astuple, dataclass, field, replace
from typing import Any

from canary_operator.counting import folding
from canary_operator.counting import persisting as counts_json
from canary_operator.counting.tallies import Epoch, State
from canary_operator.engine.ranking import Ranking
from canary_operator.errors import ConfigurationError
from canary_operator.model.samples import Absent
from canary_operator.model.verdict import HoldReason
from canary_operator.stats import dispersion, objective, share
from canary_operator.stats import persisting as stats_json
from canary_operator.stats.dispersion import RankState
from canary_operator.stats.share import ShareState
from canary_operator.stats.tallying import NOTHING, Count

# What fails more than this is broken, not cold: the objective while a version warms up.
HARD_FAILURE = 0.25


@dataclass(frozen=True, slots=True)
class Chosen:
    """How the versions are told apart and the measure is counted: the name of the way, and which of its forms."""

    candidate: str
    way: int


@dataclass(frozen=True, slots=True)
class Weight:
    """The weight that evidence to promote is about.

    Args:

        percent: of the last setWeight step, None where there is none.

        since: start of the first pause at this weight, Unix seconds.
    """

    percent: int | None
    since: float


@dataclass(frozen=True, slots=True)
class Dispersion:
    """What stable's hour before the release says.

    Args:

        phi: variance between its pods over that of independent errors, at least 1.

        burst_seconds: how long a pod's errors come together; blocks of this length are nearly independent.

        requests: per second, of all pods.

        ratio: of them that were bad, 0 to 1.

        strata: the parts of the traffic that are told apart, by name; empty where there is one part.
    """

    phi: float
    burst_seconds: float = 0.0
    requests: float = 0.0
    ratio: float = 0.0
    strata: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Recollection:
    """What is remembered.

    Args:

        since: start of the release as the gate saw it, Unix seconds.

        chosen: None until stable's series were found.

        warm_from: start of the first pause, None before it.

        dispersion: None until it was learnt.

        ranking: None where stable's pods differ by chance alone.

        strata: states of parts of the traffic, by name; empty where like is not compared with like.

        asked_at: the last time that was asked for, None before the first.

        absent: why the last look brought nothing to judge by, None if it did.

        alone_since: the first look at which stable got no requests to compare with, None while it gets some.
    """

    since: float
    counts: State
    evidence: objective.State
    hard: objective.State
    shares: ShareState
    chosen: Chosen | None = None
    weight: Weight | None = None
    warm_from: float | None = None
    dispersion: Dispersion | None = None
    ranking: Ranking | None = None
    strata: Mapping[str, objective.State] = field(default_factory=dict)
    asked_at: float | None = None
    absent: Absent | None = None
    alone_since: float | None = None


def begin(now: float) -> Recollection:
    """Nothing is known yet of a release that begins now."""
    return Recollection(
        since=now,
        counts=folding.begin(Epoch(now)),
        evidence=objective.begin(now),
        hard=objective.begin(now),
        shares=share.begin(now),
    )


def at_weight(known: Recollection, percent: int | None, pause_start: float) -> Recollection:
    """At a pause: two pauses at one weight share their evidence, another weight begins anew."""
    if known.weight is not None and known.weight.percent == percent:
        return known
    return replace(
        known,
        weight=Weight(percent, pause_start),
        warm_from=pause_start if known.warm_from is None else known.warm_from,
        evidence=objective.renewed(known.evidence),
        shares=share.begin(pause_start),
    )


def comparing(known: Recollection, at: float, *, compares: bool) -> Recollection:
    """At a look: where stable gets no requests any more, the objective alone is judged, and from there on.

    What both versions suffered before, when a dependency failed, is no evidence against the one that is left.
    """
    if compares or known.alone_since is not None:
        return replace(known, alone_since=None) if compares else known
    alone = replace(known.evidence, above=objective.FRESH_ABOVE, canary=NOTHING, stable=NOTHING)
    return replace(known, alone_since=at, evidence=alone)


def dump(known: Recollection) -> str:
    """One line of JSON."""
    document = {
        "since": known.since,
        "counts": counts_json.dump(known.counts),
        "evidence": stats_json.dump(known.evidence),
        "hard": stats_json.dump(known.hard),
        "shares": _dump_shares(known.shares),
        "chosen": None if known.chosen is None else [known.chosen.candidate, known.chosen.way],
        "weight": None if known.weight is None else [known.weight.percent, known.weight.since],
        "warmFrom": known.warm_from,
        "dispersion": None if known.dispersion is None else list(astuple(known.dispersion)),
        "ranking": None if known.ranking is None else _dump_ranking(known.ranking),
        "strata": {name: stats_json.dump(each) for name, each in sorted(known.strata.items())},
        "askedAt": known.asked_at,
        "absent": None if known.absent is None else [known.absent.reason.value, known.absent.message],
        "aloneSince": known.alone_since,
    }
    return json.dumps(document, separators=(",", ":"), sort_keys=True)


def load(text: str) -> Recollection | None:
    """What ``dump`` wrote; None where it cannot be read, by hand or by a newer operator."""
    try:
        return _load(json.loads(text))
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError, ConfigurationError):
        return None


def _load(stored: Mapping[str, Any]) -> Recollection:
    chosen, weight, absent = stored["chosen"], stored["weight"], stored["absent"]
    spread, ranking = stored["dispersion"], stored["ranking"]
    return Recollection(
        since=_number(stored["since"]),
        counts=counts_json.load(stored["counts"]),
        evidence=stats_json.load(stored["evidence"]),
        hard=stats_json.load(stored["hard"]),
        shares=_load_shares(stored["shares"]),
        chosen=None if chosen is None else Chosen(str(chosen[0]), int(chosen[1])),
        weight=None if weight is None else Weight(weight[0], _number(weight[1])),
        warm_from=_optional(stored["warmFrom"]),
        dispersion=None if spread is None else _load_dispersion(*spread),
        ranking=None if ranking is None else _load_ranking(ranking),
        strata={str(name): stats_json.load(each) for name, each in stored["strata"].items()},
        asked_at=_optional(stored["askedAt"]),
        absent=None if absent is None else Absent(HoldReason(absent[0]), str(absent[1])),
        alone_since=_optional(stored["aloneSince"]),
    )


def _number(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError("a stored number is not finite")
    return number


def _optional(value: Any) -> float | None:
    return None if value is None else _number(value)


def _load_dispersion(phi: Any, burst: Any, requests: Any, ratio: Any, strata: Any) -> Dispersion:
    parts = tuple(map(str, strata))
    spread = Dispersion(_number(phi), _number(burst), _number(requests), _number(ratio), parts)
    if not (spread.phi >= 1 and spread.requests >= 0 and 0 <= spread.ratio <= 1):
        raise ValueError("the stored dispersion is none")
    return spread


def _dump_ranking(ranking: Ranking) -> Mapping[str, Any]:
    return {
        "times": [ranking.state.began, ranking.state.last, ranking.seconds, ranking.end],
        "logs": list(ranking.state.logs),
        "canary": {name: [count.bad, count.total] for name, count in sorted(ranking.canary.items())},
        "stable": {name: [count.bad, count.total] for name, count in sorted(ranking.stable.items())},
    }


def _load_ranking(stored: Mapping[str, Any]) -> Ranking:
    began, last, seconds, end = map(float, stored["times"])
    logs = tuple(map(float, stored["logs"]))
    if len(logs) != len(dispersion.FRESH):
        raise ValueError("the stored ranks have another length")
    canary, stable = (
        {name: Count(*map(int, each)) for name, each in stored[arm].items()} for arm in ("canary", "stable")
    )
    return Ranking(RankState(began, last, logs), seconds, end, canary, stable)


def _dump_shares(shares: ShareState) -> Mapping[str, Any]:
    return {
        "times": [shares.began, shares.last],
        "under": list(shares.under),
        "over": list(shares.over),
        "seen": [shares.seen.bad, shares.seen.total],
    }


def _load_shares(stored: Mapping[str, Any]) -> ShareState:
    under, over = (tuple(map(float, stored[side])) for side in ("under", "over"))
    if (len(under), len(over)) != (len(share.FRESH), len(share.FRESH)):
        raise ValueError("the stored shares have another length")
    began, last = map(float, stored["times"])
    return ShareState(began, last, under, over, Count(*map(int, stored["seen"])))
