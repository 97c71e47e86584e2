"""What the gate remembers of one objective between two looks: counts, statistics, the weight they are about.

Law: pure. What is written reads back equal; what cannot be read is forgotten whole, and the release is counted anew.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from canary_operator.counting import folding
from canary_operator.counting import persisting as counts_json
from canary_operator.counting.tallies import Epoch, State
from canary_operator.errors import ConfigurationError
from canary_operator.model.samples import Absent
from canary_operator.model.verdict import HoldReason
from canary_operator.stats import objective, share
from canary_operator.stats import persisting as stats_json
from canary_operator.stats.share import ShareState
from canary_operator.stats.tallying import Count

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
    """How stable's pods differ.

    Args:

        phi: variance between them over that of independent errors, at least 1.
    """

    phi: float


@dataclass(frozen=True, slots=True)
class Recollection:
    """What is remembered.

    Args:

        since: start of the release as the gate saw it, Unix seconds.

        chosen: None until stable's series were found.

        warm_from: start of the first pause, None before it.

        dispersion: None until it was learnt.

        asked_at: the last time that was asked for, None before the first.

        absent: why the last look brought nothing to judge by, None if it did.
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
    asked_at: float | None = None
    absent: Absent | None = None


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
        "phi": None if known.dispersion is None else known.dispersion.phi,
        "askedAt": known.asked_at,
        "absent": None if known.absent is None else [known.absent.reason.value, known.absent.message],
    }
    return json.dumps(document, separators=(",", ":"), sort_keys=True)


def load(text: str) -> Recollection | None:
    """What ``dump`` wrote; None where it cannot be read, by hand or by a newer operator."""
    try:
        return _load(json.loads(text))
    except (ValueError, KeyError, TypeError, ConfigurationError):
        return None


def _load(stored: Mapping[str, Any]) -> Recollection:
    chosen, weight, absent, phi = stored["chosen"], stored["weight"], stored["absent"], stored["phi"]
    return Recollection(
        since=float(stored["since"]),
        counts=counts_json.load(stored["counts"]),
        evidence=stats_json.load(stored["evidence"]),
        hard=stats_json.load(stored["hard"]),
        shares=_load_shares(stored["shares"]),
        chosen=None if chosen is None else Chosen(str(chosen[0]), int(chosen[1])),
        weight=None if weight is None else Weight(weight[0], float(weight[1])),
        warm_from=stored["warmFrom"],
        dispersion=None if phi is None else Dispersion(float(phi)),
        asked_at=stored["askedAt"],
        absent=None if absent is None else Absent(HoldReason(absent[0]), str(absent[1])),
    )


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
