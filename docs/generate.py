"""Writes docs/reasons.md, and the tables of docs/argo.md, from the tables that decide.

Law: sentences for people stand here or in the table itself; order and membership come from
canary_operator.engine.tables, canary_operator.conditions.differences and canary_operator.conditions.dialects.
"""

import sys
from pathlib import Path

from canary_operator.conditions.dialects import REFUSED_WHEN_SAFE
from canary_operator.conditions.differences import TABLE, Difference
from canary_operator.engine import tables
from canary_operator.model.verdict import AbortReason, HoldReason, PromoteReason, Reason

TARGET = Path(__file__).with_name("reasons.md")
ARGO = Path(__file__).with_name("argo.md")
BEGIN, END = "<!-- differences: written by docs/generate.py -->\n", "<!-- end of differences -->\n"
LANGUAGE_BEGIN = "<!-- language: written by docs/generate.py -->\n"
LANGUAGE_END = "<!-- end of language -->\n"

PROMOTE = {
    PromoteReason.OVERRIDE: "a person said so in `spec.override` of the CanaryGate",
    PromoteReason.EVIDENCE_SUFFICIENT: "every objective is shown to be kept, and nothing shows the canary worse than "
    "stable",
    PromoteReason.CONDITIONS_MET: "every metric passed",
    PromoteReason.MAX_HOLD: "`maxHold` is over, `onMaxHold` is Promote, every metric had a successful measurement, "
    "no objective speaks against it",
}

HOLD = {
    HoldReason.OVERRIDE: "a person said so in `spec.override` of the CanaryGate",
    HoldReason.CANARY_REGRESSION: "the canary is worse than stable and outside its objective, and `failAction` is Hold",
    HoldReason.OBJECTIVE_BREACHED: "the canary is outside its objective, there is no stable version to compare with, "
    "and `failAction` is Hold",
    HoldReason.CANARY_UNHEALTHY: "the canary's containers keep crashing or stay unready, and `failAction` is Hold",
    HoldReason.EXPOSURE_SPENT: "the release has cost more bad requests than allowed, and `failAction` is Hold",
    HoldReason.CONDITIONS_FAILED: "a metric failed, and the policy's `failAction` is Hold",
    HoldReason.TELEMETRY_LOST: "no telemetry for `telemetryLoss.escalateAfter`, and the policy says `then: Hold`, or "
    "`failAction` is Hold",
    HoldReason.CONFIGURATION_ERROR: "an annotation, policy, template, argument, address, condition or query cannot "
    "be used; the message names the place and what is allowed",
    HoldReason.TELEMETRY_UNAVAILABLE: "the provider refuses, times out, answers 429 or 5xx, with warnings or partially",
    HoldReason.ROUTING_MISMATCH: "the canary's share of requests is shown not to be its weight, or both versions are "
    "counted by the same series",
    HoldReason.AMBIGUOUS_SERIES: "a condition picks `result[0]` and there are several series, or an objective's series "
    "are of another workload's pods",
    HoldReason.NO_DATA: "the query answers without a value, or with NaN; stable has no series, or the newest sample is "
    "too old",
    HoldReason.NO_TRAFFIC: "the canary serves and has weight, stable has requests, and the canary has none",
    HoldReason.ENVIRONMENT_UNHEALTHY: "stable is outside the objective as well, or crashes or is unready as well",
    HoldReason.DRIFTING: "the canary looks worse than stable, and it is not shown to be outside its objective",
    HoldReason.LOW_TRAFFIC: "at the present rate the evidence would not suffice before `maxHold` is over; or a "
    "ratio of a template is over so few requests that they could not have shown a breach",
    HoldReason.INCONCLUSIVE: "a metric exceeded its `inconclusiveLimit`, or Argo's own analysis is inconclusive",
    HoldReason.MAX_HOLD: "`maxHold` is over; the message keeps the reason before it",
    HoldReason.IMAGE_CHANGED: "the canary's pods run different images or another one than before, or with "
    "`images.mutableTag: Hold` an image has no digest",
    HoldReason.FROZEN: "a window of the policy's `freezeWindows` is open; everything else is fine",
    HoldReason.FLEET_BRAKE: "gates of `fleet.brake.aborts` Rollouts have aborted a release within `fleet.brake.within`",
    HoldReason.FLEET_LIMIT: "as many releases that began before are in progress as `fleet.perCluster` or "
    "`fleet.perNamespace` allows",
    HoldReason.WARM_UP: "`warmUp` is not over",
    HoldReason.COLLECTING: "measurements are being taken, or Argo is on its way to the next pause",
}

ABORT = {
    AbortReason.OVERRIDE: "a person said so in `spec.override` of the CanaryGate",
    AbortReason.CANARY_REGRESSION: "the canary is shown to be worse than `tolerableRatio` times stable, and outside "
    "its objective",
    AbortReason.OBJECTIVE_BREACHED: "the canary is shown to be outside its objective, and there is no stable version "
    "to compare with",
    AbortReason.CANARY_UNHEALTHY: "the canary's containers were restarted more often than `guards.maxRestarts`, "
    "or half of its pods run and stay unready for 3 minutes",
    AbortReason.EXPOSURE_SPENT: "the release has cost more bad requests above stable's ratio than `risk.maxExcessBad`",
    AbortReason.CONDITIONS_FAILED: "a metric failed more often than its `failureLimit` allows",
    AbortReason.TELEMETRY_LOST: "no telemetry for `telemetryLoss.escalateAfter`, and the policy says `then: Abort`",
    AbortReason.MAX_HOLD: "`maxHold` is over and `onMaxHold` is Abort",
}

HEAD = """# Verdicts and reasons

Generated by `python docs/generate.py` from the tables in `canary_operator/engine/tables.py`. Do not edit.

The strongest verdict wins: {order}. A promotion needs every objective and every
metric to say so. Among findings of one verdict the first
row of its table is told. A person's override outranks all of them, never the check that the object is still the one
that was judged.
"""


def page() -> str:
    """Return the whole page."""
    order = ", then ".join(verdict.value for verdict in tables.VERDICT_ORDER)
    parts = [HEAD.format(order=order)]
    for title, ordered, meanings in (
        ("Abort", tables.ABORT_ORDER, ABORT),
        ("Hold", tables.HOLD_ORDER, HOLD),
        ("Promote", tables.PROMOTE_ORDER, PROMOTE),
    ):
        parts.append(_table(title, [(reason, meanings[reason]) for reason in ordered if reason in meanings]))
    parts.append(_reserved())
    parts.append(_promotable())
    return "\n".join(parts)


def _table(title: str, rows: list[tuple[Reason, str]]) -> str:
    lines = [f"## {title}\n", "| reason | when |", "|---|---|"]
    lines += [f"| `{reason.value}` | {meaning} |" for reason, meaning in rows]
    return "\n".join([*lines, ""])


def _reserved() -> str:
    named = {reason.value for reason in (*ABORT, *HOLD, *PROMOTE)}
    every = [*tables.ABORT_ORDER, *tables.HOLD_ORDER, *tables.PROMOTE_ORDER]
    names = sorted({reason.value for reason in every} - named)
    return f"Names that are reserved and that no gate says yet: {', '.join(f'`{name}`' for name in names)}.\n"


def _promotable() -> str:
    names = [f"`{reason.value}`" for reason in tables.HOLD_ORDER if reason in tables.PROMOTABLE_AT_MAX_HOLD]
    return (
        f"`onMaxHold: Promote` promotes only from {', '.join(names)}. "
        "From every other hold it stays a hold: there was no evidence.\n"
    )


def argo() -> str:
    """Return docs/argo.md with its two tables."""
    differing = ["| situation | Argo | here | why | with `compatibility: argo` |", "|---|---|---|---|---|"]
    differing += map(_difference, TABLE)
    refused = ["| in a condition | why it is a `ConfigurationError` |", "|---|---|"]
    refused += [f"| {trait.value} | {why.replace('|', chr(92) + '|')} |" for trait, why in REFUSED_WHEN_SAFE.items()]
    page_with_one = _between(ARGO.read_text(), BEGIN, END, differing)
    return _between(page_with_one, LANGUAGE_BEGIN, LANGUAGE_END, refused)


def _between(text: str, begin: str, end: str, table: list[str]) -> str:
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    written_table = "\n".join(table)
    return f"{before}{begin}\n{written_table}\n\n{end}{after}"


def _difference(row: Difference) -> str:
    cells = (row.situation.value, row.argo, row.here, row.why, "as Argo" if row.to_the_letter else "as here")
    return f"| {' | '.join(cells)} |"


def written() -> dict[Path, str]:
    """Return every page that is written here, and its text."""
    return {TARGET: page(), ARGO: argo()}


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        wrong = [str(path) for path, text in written().items() if path.read_text() != text]
        sys.exit(f"not what docs/generate.py writes: {', '.join(wrong)}" if wrong else 0)
    for path, text in written().items():
        path.write_text(text)
