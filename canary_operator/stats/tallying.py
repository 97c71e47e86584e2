"""What the statistics are told: counts of a tick, the risks a release may run, the rules of one objective.

Law: nouns only, checked when they are made; requests are integers, times are Unix seconds, ratios are 0 to 1.
"""

import math
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Tick:
    """What both versions served in one interval. Never more bad requests than requests.

    Args:

        end: the end of the interval, Unix seconds. Ticks come in order of time; several may have the same end.

    Raises:

        ValueError: for counts that are negative or more bad than total.
    """

    end: float
    canary_bad: int
    canary_total: int
    stable_bad: int = 0
    stable_total: int = 0

    def __post_init__(self) -> None:
        if not (0 <= self.canary_bad <= self.canary_total and 0 <= self.stable_bad <= self.stable_total):
            raise ValueError(f"a tick has bad requests between 0 and its requests: {self}")


@dataclass(frozen=True, slots=True)
class Risk:
    """What a release may risk.

    Args:

        false_abort: chance that a healthy release is aborted, over its whole life and all objectives together, 0 to 1.

        false_promotion: chance that a weight is promoted at which the canary's ratio is ``reject_ratio`` times the
            budget, 0 to 1.

        tolerable_ratio: the canary's bad ratio over stable's that is still fine, at least 1.

        reject_ratio: times the objective's budget: a canary this bad must not be promoted, more than 1.

    Raises:

        ValueError: for numbers outside of these bounds.
    """

    false_abort: float = 0.01
    false_promotion: float = 0.05
    tolerable_ratio: float = 1.25
    reject_ratio: float = 2.0

    def __post_init__(self) -> None:
        if not (0 < self.false_abort < 1 and 0 < self.false_promotion < 1):
            raise ValueError("false_abort and false_promotion are between 0 and 1")
        if not (1 <= self.tolerable_ratio < math.inf and 1 < self.reject_ratio < math.inf):
            raise ValueError("tolerable_ratio is at least 1, reject_ratio more than 1")

    @property
    def abort_at(self) -> float:
        """The log evidence that aborts: log(1 / false_abort)."""
        return -math.log(self.false_abort)

    @property
    def promote_at(self) -> float:
        """The log evidence that promotes: log(1 / false_promotion)."""
        return -math.log(self.false_promotion)


@dataclass(frozen=True, slots=True)
class Rules:
    """How one objective is judged. May change between ticks, but must not depend on the errors of the next tick.

    Args:

        allowed: the objective's budget, the bad ratio that is allowed, between 0 and 1 (99.5 % allows 0.005).

        compares: there is a stable version to compare with. Without one the objective alone can abort.

        phi: dispersion, by which evidence is divided; 1 where requests fail independently, see ``dispersion.phi``.

        cap: the most that one tick with more than a few errors can add to the evidence for an abort, nats.

        settles: the shortest time that promote evidence must span, seconds.

    Raises:

        ValueError: for numbers outside of these bounds.
    """

    allowed: float
    risk: Risk = field(default_factory=Risk)
    compares: bool = True
    phi: float = 1.0
    cap: float = 4.0
    settles: float = 60.0

    def __post_init__(self) -> None:
        if not 0 < self.allowed < 1:
            raise ValueError(f"an objective allows a ratio between 0 and 1, not {self.allowed}")
        if not (1 <= self.phi < math.inf and self.cap > 0 and self.settles >= 0):
            raise ValueError("phi is at least 1, cap more than 0, settles at least 0")

    @property
    def rejected(self) -> float:
        """The bad ratio that must not be promoted: reject_ratio times the budget, or half-way to 1 if that is less."""
        return min(self.risk.reject_ratio * self.allowed, (1 + self.allowed) / 2)

    @property
    def agreement(self) -> float:
        """The most by which two ticks bring an abort nearer until the next one agrees, nats; less than it takes."""
        return 0.87 * self.risk.abort_at

    @property
    def promote_cap(self) -> float:
        """The most that one tick can add to the evidence for a promotion, nats: a third of what is needed."""
        return self.risk.promote_at / 3


@dataclass(frozen=True, slots=True)
class Count:
    """Requests, and how many of them were bad."""

    bad: int = 0
    total: int = 0

    @property
    def ratio(self) -> float | None:
        """Bad over total; None without requests."""
        return self.bad / self.total if self.total else None


NOTHING = Count()
