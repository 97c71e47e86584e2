"""What people type."""

from canary_operator.cli.program import main

__all__ = ["main"]
