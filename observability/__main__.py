"""Writes the chart's dashboard; with --check only says whether it is what would be written."""

import sys
from pathlib import Path

from observability import dashboard

TARGET = Path(__file__).parents[1] / "charts/canary-operator/files/dashboard.json"

if sys.argv[1:] == ["--check"]:
    sys.exit(None if TARGET.read_text() == dashboard.page() else f"{TARGET}: not what python -m observability writes")
TARGET.write_text(dashboard.page())
