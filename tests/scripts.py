"""Scripts of the repository that are no part of the package, as modules."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType


def load(path: Path) -> ModuleType:
    """Run a script's definitions, as an import would."""
    specification = importlib.util.spec_from_file_location(f"{path.parent.name}_{path.stem}", path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    # dataclasses look their module up.
    sys.modules[specification.name] = module
    specification.loader.exec_module(module)
    return module
