"""What was expected of a release, what happened, and whether that is the same.

Law: pure. A row is one thing that a person would check by hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from demo.sight import Sight


@dataclass(frozen=True, slots=True)
class Expectation:
    """How a release must go.

    `reasons` must all be seen, in any order; `weights` (percent) likewise, those of the canary. `new_image`: whether
    the released image is the stable one in the end. `held_while_blind`: Prometheus goes away, and nothing may move.
    """

    verdict: str
    new_image: bool
    reasons: tuple[str, ...]
    weights: tuple[int, ...]
    held_while_blind: bool = False


@dataclass(frozen=True, slots=True)
class Blindness:
    """What was seen while Prometheus was away: at which steps the Rollout was, and the gate's reasons."""

    seconds: float
    pause_seconds: float
    steps: tuple[str, ...]
    reasons: tuple[str, ...]

    @property
    def held(self) -> bool:
        """Whether it was noticed, lasted longer than the pause, and the Rollout stayed at one step."""
        noticed = "TelemetryUnavailable" in self.reasons
        return noticed and self.seconds > self.pause_seconds and len(self.steps) == 1


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a release went. `stable_image` is what serves everybody in the end; `weight` the canary's then."""

    title: str
    image: str
    verdict: str
    ended_by: str
    reasons: tuple[str, ...]
    weights: tuple[int, ...]
    weight: int | None
    stable_image: str
    blindness: Blindness | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table at the end."""

    what: str
    expected: str
    happened: str
    right: bool


def outcome_of(title: str, image: str, sights: Sequence[Sight], blindness: Blindness | None) -> Outcome:
    """Sum up what was seen of a release; the last sight is its end."""
    last = sights[-1]
    return Outcome(
        title=title,
        image=image,
        verdict=last.verdict,
        ended_by=last.ended_by,
        reasons=_reasons(sights),
        weights=tuple(dict.fromkeys(sight.weight for sight in sights if sight.weight)),
        weight=last.weight,
        stable_image=last.stable_image,
        blindness=blindness,
    )


def _reasons(sights: Sequence[Sight]) -> tuple[str, ...]:
    """All reasons of this release, in the order in which they came; the gate's history fills gaps between looks."""
    told = [turn.reason for sight in sights for turn in (*sight.history, sight.turn)]
    return tuple(dict.fromkeys(reason for reason in told if reason))


def rows(expectation: Expectation, outcome: Outcome) -> tuple[Row, ...]:
    """Compare, one row for each thing."""
    compared = [
        _equal("last verdict", expectation.verdict, outcome.verdict),
        _equal("ended by", "Gate", outcome.ended_by),
        _contains("reasons seen", expectation.reasons, outcome.reasons),
        _contains("weights seen, %", expectation.weights, outcome.weights),
        _equal("final weight, %", "0", "nothing" if outcome.weight is None else str(outcome.weight)),
        _image(expectation, outcome),
    ]
    if expectation.held_while_blind:
        compared.append(_blind(outcome.blindness))
    return tuple(compared)


def is_right(expectation: Expectation, outcome: Outcome) -> bool:
    """Whether every row is."""
    return all(row.right for row in rows(expectation, outcome))


def _equal(what: str, expected: str, happened: str) -> Row:
    return Row(what, expected, happened or "nothing", expected == happened)


def _contains(what: str, expected: tuple[object, ...], happened: tuple[object, ...]) -> Row:
    return Row(what, _listed(expected), _listed(happened) or "nothing", set(expected) <= set(happened))


def _image(expectation: Expectation, outcome: Outcome) -> Row:
    is_new = outcome.stable_image == outcome.image
    names = {True: "the released one", False: "the one before"}
    return Row("stable image", names[expectation.new_image], names[is_new], is_new is expectation.new_image)


def _blind(blindness: Blindness | None) -> Row:
    what, expected = "without Prometheus", "held at one step, longer than its pause"
    if blindness is None:
        return Row(what, expected, "Prometheus was never away", right=False)
    steps = _listed(blindness.steps)
    happened = f"{blindness.seconds:.0f} s at step {steps} with its pause of {blindness.pause_seconds:.0f} s"
    return Row(what, expected, happened, blindness.held)


def _listed(values: tuple[object, ...]) -> str:
    return ", ".join(map(str, values))
