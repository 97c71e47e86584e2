"""The engine: deciding, and nothing else."""

from canary_operator.engine.cycle import decide, plan

__all__ = ["decide", "plan"]
