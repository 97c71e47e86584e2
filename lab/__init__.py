"""A real control plane with Argo Rollouts, Prometheus and traffic, on any machine with Go.

    import lab

    with lab.start() as cluster:
        cluster.apply(manifest)

Law: for tests, benchmarks and demonstrations only. Nothing in `canary_operator` may import it.
"""

from lab.cluster import Lab, attach
from lab.errors import (
    BuildError,
    CommandError,
    LabError,
    NotRunningError,
    StartError,
    ToolchainError,
)
from lab.starting import Wish, find, start, start_named
from lab.waiting import until

__all__ = [
    "BuildError",
    "CommandError",
    "Lab",
    "LabError",
    "NotRunningError",
    "StartError",
    "ToolchainError",
    "Wish",
    "attach",
    "find",
    "start",
    "start_named",
    "until",
]
