"""The operator's rule for many releases at once, with numpy; compared with the room itself in every run.

Law: the same constants and formulas as ``canary_operator.stats``, written for arrays. Nothing is decided here that
the room would not decide.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.decisions.worlds import STABLE_PODS, TICK, Counts, Floats, Ints
from canary_operator.stats import dispersion, likelihood, mixture, staking
from canary_operator.stats.judging import DRIFTING_AT, RELEVANT_AT
from canary_operator.stats.mixture import Logs, onset_by
from canary_operator.stats.objective import EARLY, FEW, REMEMBERED, UNHEALTHY_AT
from canary_operator.stats.staking import Traffic
from canary_operator.stats.tallying import Rules

NEVER = -1


@dataclass(frozen=True, slots=True)
class Decided:
    """Ticks (from 0) at which each run would be aborted and promoted; ``NEVER``. And the evidence at every tick.

    Args:

        window: the canary's true ratio over the requests that promoted it; NaN where it is not promoted.
    """

    abort: Ints
    promote: Ints
    window: Floats
    worse: Floats
    above: Floats
    promotion: Floats


class _Mixture:
    def __init__(self, runs: int, weights: Logs | Floats) -> None:
        self.weights = np.broadcast_to(np.array(weights), (runs, np.shape(weights)[-1]))
        self.logs = np.full(self.weights.shape, math.log(mixture.AT_ONCE))

    def grow(self, onset: Floats, ratios: Floats, where: NDArray[np.bool_] | None = None) -> None:
        with np.errstate(divide="ignore"):
            after = np.logaddexp(self.logs, np.log(onset)[:, None])
        after += ratios
        self.logs = after if where is None else np.where(where[:, None], after, self.logs)

    def total(self, ahead: Floats) -> Floats:
        with np.errstate(divide="ignore"):
            return np.logaddexp(_log_sum(self.logs + self.weights), np.log(ahead))


def _log_sum(values: Floats) -> Floats:
    top = values.max(axis=1)
    return np.asarray(top + np.log(np.exp(values - top[:, None]).sum(axis=1)))


def _pairs(pairs: tuple[tuple[float, float], ...]) -> tuple[Floats, Floats]:
    return np.array([a for a, _ in pairs]), np.array([b for _, b in pairs])


def judge(counts: Counts, past: Counts, rules: Rules, skip: float = 0.0) -> Decided:
    """Decide every run as the operator does: what stable's past pods say comes first. ``skip`` seconds are left out."""
    phi = phis(past)
    ranks = np.full(counts.canary_total.shape, math.nan)
    bursts = phi > 1
    if bursts.any():
        ranks[bursts] = ranked(counts.of(bursts), rank_lengths(past.of(bursts)), skip)
    return decide(counts, rules, phi, ranks, stakes(past, phi, rules), skip)


def stakes(past: Counts, phi: Floats, rules: Rules) -> Floats:
    """``staking.weights`` of every run."""
    return np.array(
        [staking.weights(expected(past, run, phi[run]), rules.risk.tolerable_ratio) for run in range(len(phi))]
    )


def expected(past: Counts, run: int, phi: float) -> Traffic | None:
    """What the past says of the traffic: stable's nine pods then served what all ten serve now."""
    bad, total = float(past.stable_bad[run].sum()), float(past.stable_total[run].sum())
    if not total:
        return None
    share = 1 / (STABLE_PODS + 1)
    return Traffic(total / (past.ticks * TICK) / (1 - share) / float(phi), share, bad / total)


def decide(counts: Counts, rules: Rules, phi: Floats, ranks: Floats, staked: Floats, skip: float = 0.0) -> Decided:
    """Decide every run.

    Args:

        phi: dispersion per run.

        staked: log weights per run and alternative.

        ranks: log evidence of the ranks per run and tick; NaN where ranks are not asked.

        skip: seconds in the beginning that are not judged.
    """
    runs, ticks = counts.canary_total.shape
    worse, above = _Mixture(runs, staked), _Mixture(runs, likelihood.ABOVE_WEIGHTS)
    outside = _Mixture(runs, likelihood.ABOVE_WEIGHTS)
    below = np.zeros((runs, len(likelihood.BELOW)))
    pending = np.zeros((4, runs))
    compared, older, newer, full = np.zeros((4, runs))
    (first, opened), recent = np.full((2, runs), math.inf), np.zeros(runs)
    abort, promote = np.full(runs, NEVER), np.full(runs, NEVER)
    shown = np.zeros((3, runs, ticks))
    up, down = _pairs(likelihood.per_request_above(rules.allowed)), _pairs(likelihood.per_request_below(rules.rejected))
    truth, window, last = np.zeros((2, runs)), np.full(runs, math.nan), 0.0
    for tick in range(ticks):
        now = (tick + 1) * TICK
        if now <= skip:
            continue
        e, n = counts.canary_bad[:, tick], counts.canary_total[:, tick]
        f, m = counts.stable_bad[:, tick].sum(-1), counts.stable_total[:, tick].sum(-1)
        onset, ahead = np.full(runs, onset_by(now) - onset_by(last)), np.full(runs, 1 - onset_by(now))
        above.grow(onset, _limited(functools.partial(_per, total=n, pairs=up), e, rules, phi))
        outside.grow(onset, _limited(functools.partial(_per, total=m, pairs=up), f, rules, phi))
        outside.logs = np.minimum(outside.logs, REMEMBERED - outside.weights)
        last = now
        pending += np.stack([e, n, f, m])
        closes = (pending[1] > 0) & (pending[3] > 0)
        worse_of = functools.partial(_worse, pending=pending, rho=rules.risk.tolerable_ratio)
        lr = _limited(worse_of, pending[0], rules, phi)
        worse.grow(onset_by(now) - _onset_by(compared), lr, closes)
        compared = np.where(closes, now, compared)
        pending = np.where(closes, 0.0, pending)
        older, newer = np.where(closes, newer, older), np.where(closes, full, newer)
        full = worse.total(1 - _onset_by(compared))
        opened = np.where(closes & np.isinf(opened), now, opened)
        against = np.where(compared - opened < EARLY, full, _agreed(full, np.minimum(older, newer), rules))
        against_all = _together(against, ranks[:, tick])
        relevant, environment = above.total(ahead), outside.total(ahead)
        collects = (n > 0) & (environment < UNHEALTHY_AT)
        step = np.minimum(_per(e, n, down) / phi[:, None], rules.promote_cap)
        below = np.where(collects[:, None], below + step, below)
        truth += np.where(collects, np.stack([n * counts.canary_truth[:, tick], n]), 0)
        first = np.where(collects & np.isinf(first), now, first)
        recent = np.where(collects, now, recent)
        ok = _log_sum(below + np.array(likelihood.BELOW_WEIGHTS))
        shown[:, :, tick] = against_all, relevant, ok
        aborts = (against_all >= rules.risk.abort_at) & (relevant >= RELEVANT_AT)
        abort = np.where((abort == NEVER) & aborts, tick, abort)
        good = (ok >= rules.risk.promote_at) & (recent - first >= rules.settles) & (environment < UNHEALTHY_AT)
        good &= (against_all < DRIFTING_AT) & ~aborts
        promoted = (promote == NEVER) & good & (abort == NEVER)
        promote = np.where(promoted, tick, promote)
        window = np.where(promoted, truth[0] / np.maximum(truth[1], 1), window)
    return Decided(abort, promote, window, *shown)


def _agreed(full: Floats, stood: Floats, rules: Rules) -> Floats:
    return np.asarray(np.minimum(full, np.maximum(stood, 0) + rules.agreement))


def _together(sums: Floats, ranks: Floats) -> Floats:
    """``dispersion.together`` where ranks are asked."""
    trust = np.log([1 - dispersion.RANKS, dispersion.RANKS])
    asked = ~np.isnan(ranks)
    both = np.logaddexp(sums + trust[0], np.where(asked, ranks, 0.0) + trust[1])
    return np.where(asked, both, sums)


def _onset_by(elapsed: Floats) -> Floats:
    """``mixture.onset_by`` of many."""
    return mixture.AT_ONCE + (1 - mixture.AT_ONCE) * elapsed / (elapsed + mixture.LATE_SCALE)


def _per(bad: Floats, total: Floats, pairs: tuple[Floats, Floats]) -> Floats:
    return np.asarray(bad[:, None] * pairs[0] + (total - bad)[:, None] * pairs[1])


def _limited(ratios: Callable[[Floats], Floats], bad: Floats, rules: Rules, phi: Floats) -> Floats:
    whole = ratios(bad) / phi[:, None]
    flood = bad > FEW
    if flood.any():
        few = ratios(np.minimum(bad, FEW)) / phi[:, None]
        whole = np.where(flood[:, None], np.minimum(whole, np.maximum(rules.cap, few)), whole)
    return np.asarray(whole)


def _worse(bad: Floats, pending: Floats, rho: float) -> Floats:
    e, n, f, m = (each[:, None] for each in (bad, *pending[1:]))
    n, m = np.maximum(n, 1e-9), np.maximum(m, 1e-9)
    null = n * rho / (n * rho + m)
    odds = np.array(likelihood.FACTORS) * null / (1 - null)
    other = odds / (1 + odds)
    out = [e * np.log(other / null) + f * np.log((1 - other) / (1 - null))]
    for high, low in likelihood.COLLAPSES:
        errors, good, stable_good = n * high + m * low, n * (1 - high) * rho, m * (1 - low)
        square, linear = errors * rho + good + stable_good * rho, errors * (1 + rho) + good + stable_good
        p = 2 * errors / (linear + np.sqrt(np.maximum(linear * linear - 4 * square * errors, 0)))
        p = np.minimum(p, (1 - 1e-12) / rho)
        lr = (
            e * np.log(high / (rho * p))
            + (n - e) * np.log((1 - high) / (1 - rho * p))
            + f * np.log(low / p)
            + (m - f) * np.log((1 - low) / (1 - p))
        )
        out.append(np.where(high <= rho * p, 0.0, lr))
    return np.concatenate(out, axis=1)


def phis(past: Counts) -> Floats:
    """``dispersion.phi`` of every run."""
    bad, total = past.stable_bad, past.stable_total
    best = np.ones(len(bad))
    for length in dispersion.LENGTHS:
        blocks = past.ticks // length
        if blocks < dispersion.LEAST_BLOCKS:
            continue
        best = np.maximum(best, _pearson(_joined(bad, length, blocks), _joined(total, length, blocks)))
    return best


def _joined(values: Floats, length: int, blocks: int) -> Floats:
    runs, _, pods = values.shape
    return np.asarray(values[:, : blocks * length].reshape(runs, blocks, length, pods).sum(axis=2))


def _pearson(bad: Floats, total: Floats) -> Floats:
    whole = total.sum(-1)
    ratio = bad.sum(-1) / np.maximum(whole, 1)
    served = total > 0
    valid = (ratio > 0) & (ratio < 1) & (served.sum(-1) >= 2)
    variance = ratio * (1 - ratio) * whole / np.maximum(whole - 1, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        square = (bad - total * ratio[..., None]) ** 2 / (total * variance[..., None])
    square = np.where(served & valid[..., None], square, 0.0).sum((1, 2))
    freedom = np.where(valid, served.sum(-1) - 1, 0).sum(1)
    certain = square > freedom + dispersion.CERTAIN * np.sqrt(2 * freedom)
    return np.where(certain, square / np.maximum(freedom, 1), 1.0)


def rank_lengths(past: Counts) -> Ints:
    """``dispersion.rank_blocks`` of every run."""
    best = np.zeros(len(past.stable_bad), np.int64)
    for length in dispersion.LENGTHS:
        blocks = past.ticks // length
        if blocks < dispersion.LEAST_BLOCKS:
            continue
        bad, total = _joined(past.stable_bad, length, blocks), _joined(past.stable_total, length, blocks)
        apart = bad - total * (bad.sum(-1) / np.maximum(total.sum(-1), 1))[..., None]
        spread = (apart**2).mean((1, 2))
        pairs = (apart[:, 1:] * apart[:, :-1]).mean((1, 2))
        best = np.where((best == 0) & (pairs <= dispersion.UNCORRELATED * spread), length, best)
        last = length
    return np.where(best == 0, last, best)


def ranked(counts: Counts, lengths: Ints, skip: float = 0.0) -> Floats:
    """``dispersion.evidence`` of every run at every tick."""
    shown = np.zeros(counts.canary_total.shape)
    for length in np.unique(lengths):
        of = lengths == length
        shown[of] = _ranked(counts.of(of), int(length), skip)
    return shown


def _ranked(counts: Counts, length: int, skip: float) -> Floats:
    runs, ticks = counts.canary_total.shape
    bets, shown, last, now = _Mixture(runs, dispersion.BET_WEIGHTS), np.zeros((runs, ticks)), np.zeros(runs), 0.0
    for tick in range(ticks):
        if (tick + 1) % length == 0 and (tick + 1 - length) * TICK >= skip:
            now = (tick + 1) * TICK
            part = slice(tick + 1 - length, tick + 1)
            won, alike = _bets(counts, part)
            bets.grow(onset_by(now) - _onset_by(last), won, alike)
            last = np.where(alike, now, last)
        shown[:, tick] = bets.total(1 - _onset_by(last))
    return shown


def _bets(counts: Counts, part: slice) -> tuple[Floats, NDArray[np.bool_]]:
    n, e = counts.canary_total[:, part].sum(1), counts.canary_bad[:, part].sum(1)
    m, f = counts.stable_total[:, part].sum(1), counts.stable_bad[:, part].sum(1)
    served = m > 0
    most, least = np.maximum(np.where(served, m, 0).max(1), n), np.minimum(np.where(served, m, n[:, None]).min(1), n)
    alike = (n > 0) & (served.sum(1) >= dispersion.LEAST_PODS) & (most <= dispersion.LIKE * least)
    ours, theirs = e / np.maximum(n, 1), np.where(served, f / np.maximum(m, 1), np.nan)
    below, equal = (theirs < ours[:, None]).sum(1), (theirs == ours[:, None]).sum(1) + 1
    won = []
    for power in dispersion.BETS:
        sums = np.concatenate([[0.0], np.cumsum(np.arange(1.0, STABLE_PODS + 2) ** power)])
        pods = served.sum(1) + 1
        won.append(np.log((sums[below + equal] - sums[below]) / equal / (sums[pods] / pods)))
    return np.stack(won, axis=1), alike
