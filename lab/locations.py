"""Where the lab keeps what it builds and what it runs.

Law: paths only; nothing is created, read or deleted here. The environment is read here and nowhere else.
"""

from __future__ import annotations

import os
from pathlib import Path

GO_MODULES = Path(__file__).parent / "go"
SOURCE_ROOT = Path(__file__).parent.parent


def cache_root() -> Path:
    """Return the folder that outlives labs: built programs and named labs."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "canary-operator-lab"


def named_labs() -> Path:
    """Return the folder that holds one folder per lab started with a name."""
    return cache_root() / "run"


def flavour() -> str:
    """Return which kind of cluster LAB asks for: local (the default), external or kind."""
    return os.environ.get("LAB") or "local"


def user_kubeconfig() -> Path:
    """Return the kubeconfig of the cluster that LAB=external means."""
    return Path(os.environ.get("KUBECONFIG") or Path.home() / ".kube" / "config")
