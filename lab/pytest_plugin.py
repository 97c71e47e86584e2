"""Fixtures over one lab that all tests of a session share.

Use with `pytest_plugins = ["lab.pytest_plugin"]`.

Law: tests isolate themselves by namespace, and leave the control plane running as they found it.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.cluster import Lab
from lab.starting import start


@pytest.fixture(scope="session")
def cluster() -> Iterator[Lab]:
    """Yield the session's lab. Build its programs before (`python -m lab build`): that is slow."""
    with start() as lab:
        yield lab


@pytest.fixture
def namespace(cluster: Lab) -> Iterator[str]:
    """Yield the name of a fresh namespace of the session's lab."""
    with cluster.namespace() as name:
        yield name
