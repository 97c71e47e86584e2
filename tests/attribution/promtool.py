"""PromQL evaluated by the real engine, on series that never were anywhere: ``promtool test rules``."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

import yaml

from canary_operator.model.indicator import Matcher, MatchKind, Selector
from canary_operator.model.promql import write_selector

# Every series grows by so much in each of the minutes.
STEP, MINUTES = 10, 5
Labels = dict[str, str]


@dataclass(frozen=True)
class Expected:
    """An expression and the series that it must return, and no others; all of them have the value."""

    promql: str
    series: list[str]
    value: float = float(STEP * MINUTES)


def written(metric: str, labels: Labels) -> str:
    """One series as PromQL; ``metric`` may be "" for what an aggregation leaves."""
    matchers = tuple(Matcher(name, MatchKind.EQUAL, value) for name, value in sorted(labels.items()))
    return write_selector(Selector(metric, matchers)) or "{}"


def evaluated(promtool: Path, folder: Path, series: list[str], expected: list[Expected]) -> subprocess.CompletedProcess:
    """What promtool says; it succeeds if every expression returns what is expected."""
    file = folder / "test.yaml"
    checks = [
        {
            "expr": one.promql,
            "eval_time": f"{MINUTES}m",
            "exp_samples": [{"labels": labels, "value": one.value} for labels in one.series],
        }
        for one in expected
    ]
    inputs = [{"series": one, "values": f"0+{STEP}x{MINUTES}"} for one in series]
    test = {"interval": "1m", "input_series": inputs, "promql_expr_test": checks}
    file.write_text(yaml.safe_dump({"rule_files": [], "evaluation_interval": "1m", "tests": [test]}))
    return subprocess.run([promtool, "test", "rules", str(file)], check=False, capture_output=True, text=True)
