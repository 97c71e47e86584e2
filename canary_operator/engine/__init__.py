"""The engine: deciding, and nothing else."""

from canary_operator.engine.baking import is_under_way as bakes
from canary_operator.engine.baking import to_judge
from canary_operator.engine.cycle import decide, listens, plan

__all__ = ["bakes", "decide", "listens", "plan", "to_judge"]
