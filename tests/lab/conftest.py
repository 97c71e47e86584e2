"""The session's lab, for the tests of the lab itself."""

from lab.pytest_plugin import cluster, namespace

__all__ = ["cluster", "namespace"]
