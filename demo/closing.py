"""What stands at the end: the table, and with KEEP the commands for looking around.

Law: words and tables; what is right was decided in outcome.py.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from demo import releases
from demo.outcome import Outcome, is_right, rows
from demo.releases import Release
from demo.stage import Stage

LAB_NAME = "demo"

Result = tuple[Release, Outcome]


def print_table(console: Console, results: Sequence[Result]) -> None:
    """Print what was expected and what happened, release by release."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("", "release", "", "expected", "happened"):
        table.add_column(heading, overflow="fold")
    for number, (release, outcome) in enumerate(results, 1):
        first = (str(number), release.title)
        for row in rows(release.expectation, outcome):
            mark = Text("ok", style="green") if row.right else Text("WRONG", style="bold red")
            table.add_row(*first, row.what, row.expected, Text.assemble(mark, "  ", row.happened))
            first = ("", "")
        table.add_section()
    console.print(table)


def all_right(results: Sequence[Result]) -> bool:
    """Whether every release was performed and went as expected."""
    went = [is_right(release.expectation, outcome) for release, outcome in results]
    return len(went) == len(releases.RELEASES) and all(went)


def commands(stage: Stage) -> str:
    """Return the commands for looking around in a lab that stays up."""
    tools = dict.fromkeys(str(stage.lab.programs[name].parent) for name in ("kubectl", "kubectl-argo-rollouts"))
    namespace, rollout = releases.NAMESPACE, releases.ROLLOUT
    python = _python()
    bad = f"{stage.repository}@sha256:{'bad' * 21}b"
    behaviour = f'{{"namespace": "{namespace}", "rollout": "{rollout}", "version": "{bad}", "error_ratio": 0.05}}'
    return "\n".join(
        (
            f"export KUBECONFIG={stage.lab.kubeconfig}",
            f"export PATH={os.pathsep.join(tools)}:$PATH",
            "kubectl get cg -A -w",
            f"kubectl describe cg {rollout} -n {namespace}",
            f"kubectl argo rollouts get rollout {rollout} -n {namespace} --watch",
            f"tail -f {stage.lab.logs}/canary-operator.log",
            "# a bad release: say how the new image answers, then release it",
            f"curl -d '{behaviour}' {stage.lab.world.url}/v1/behaviour",
            f"kubectl argo rollouts set image {rollout} {releases.CONTAINER}={bad} -n {namespace}",
            "# Prometheus goes and comes back",
            f"{python} -c 'import lab; lab.find(\"{LAB_NAME}\").prometheus.stop()'",
            f"{python} -c 'import lab; lab.find(\"{LAB_NAME}\").prometheus.start()'",
            "# the end of it all",
            f"{python} -m lab down --name {LAB_NAME}",
        )
    )


def _python() -> str:
    program = Path(sys.executable)
    return str(program.relative_to(Path.cwd()) if program.is_relative_to(Path.cwd()) else program)
