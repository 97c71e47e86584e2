"""An SLO that is one number and no counts, as a metric like those of an AnalysisTemplate.

Law: pure. The version's identity is put into every selector of the query, and proved to be there.
"""

from collections.abc import Mapping
from typing import Any

from canary_operator.engine.sought import Sought, trial_of
from canary_operator.errors import ConfigurationError
from canary_operator.model.decision import Snapshot
from canary_operator.model.indicator import Opaque
from canary_operator.slo import injection

# As with a template that says nothing else: one bad look is noise, three are a fault.
_FAILURE_LIMIT = 2


def as_metric(snapshot: Snapshot, objective: Sought, meaning: Opaque) -> Mapping[str, Any]:
    """The metric that compares the canary's number with what the objective allows, at every evaluation.

    Raises:

        ConfigurationError: if the versions cannot be told apart in the query.
    """
    assert meaning.allowed is not None
    first = injection.selectors(meaning.query)[0]
    tried = trial_of(snapshot, objective.policy, first)
    if not tried.candidates:
        reasons = ", ".join(f"{each.preset} ({each.reason})" for each in tried.unfit)
        raise ConfigurationError(f"objective {objective.name}: canary and stable cannot be told apart: {reasons}")
    return {
        "name": objective.name,
        "interval": f"{max(1, round(snapshot.evaluation_interval))}s",
        "failureLimit": _FAILURE_LIMIT,
        "successCondition": f"result[0] <= {float(meaning.allowed):.12f}",
        "provider": {"prometheus": {"query": injection.inject(meaning.query, tried.candidates[0].canary)}},
    }
