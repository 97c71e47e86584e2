"""The engine: deciding, and nothing else."""

from canary_operator.engine.cycle import decide, listens, plan

__all__ = ["decide", "listens", "plan"]
