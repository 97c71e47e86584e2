"""docs/metrics.md lists what /metrics has, word for word, and names follow Prometheus' rules."""

import json
import re
from pathlib import Path

from prometheus_client import Counter
from structlog.testing import capture_logs

from canary_operator.telemetry import Telemetry, VerdictLog
from tests.builders import T0
from tests.telemetry.test_gates import a_look

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/metrics.md").read_text()


def collectors():
    return list(Telemetry().registry._collector_to_names)


def row(collector):
    family = next(iter(collector.describe()))
    name = f"{family.name}_total" if isinstance(collector, Counter) else family.name
    labels = ", ".join(f"`{label}`" for label in collector._labelnames)
    return f"| `{name}` | {family.type} | {labels} | {family.documentation} |"


def test_the_page_has_a_row_for_each_metric_and_no_others():
    assert re.findall(r"^\| `canary_operator_.*\|$", PAGE, re.MULTILINE) == [row(each) for each in collectors()]


def test_the_page_has_every_key_of_the_line_of_a_decision():
    with capture_logs() as lines:
        VerdictLog(lambda: T0).looked(a_look(changed=True))
    table = PAGE.partition("### The line of a decision")[2].partition("##")[0]
    keys = re.findall(r"`(\w+)`", "".join(line.split("|")[1] for line in table.splitlines() if line.startswith("| `")))

    assert set(keys) == lines[0].keys() - {"event", "log_level"}


def test_every_metric_that_is_named_anywhere_exists():
    known = {family.name for family in Telemetry().registry.collect()}
    places = [*ROOT.glob("docs/**/*.md"), ROOT / "README.md", ROOT / "charts/canary-operator/files/dashboard.json"]
    text = "\n".join(path.read_text() for path in places)
    named = set(re.findall(r"canary_operator_[a-z_]*[a-z]", json.dumps(text)))

    assert {re.sub(r"_(total|bucket|sum|count)$", "", name) for name in named} <= known
