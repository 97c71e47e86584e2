"""Fixtures over one lab that all tests of a session share.

Use with `-p lab.pytest_plugin`, or import `cluster` and `namespace` in a conftest.py; however many do,
there is one lab.

Law: tests isolate themselves by namespace, and leave the control plane running as they found it.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.cluster import Lab
from lab.starting import start

_SHARED = pytest.StashKey[Lab]()


@pytest.fixture(scope="session")
def cluster(pytestconfig: pytest.Config) -> Lab:
    """Return the session's lab. Build its programs before (`python -m lab build`): that is slow."""
    if _SHARED not in pytestconfig.stash:
        shared = start()
        pytestconfig.stash[_SHARED] = shared
        pytestconfig.add_cleanup(shared.down)
    return pytestconfig.stash[_SHARED]


@pytest.fixture
def namespace(cluster: Lab) -> Iterator[str]:
    """Yield the name of a fresh namespace of the session's lab."""
    with cluster.namespace() as name:
        yield name
