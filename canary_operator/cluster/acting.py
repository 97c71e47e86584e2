"""Carrying out one action: re-read, check that it is still the judged object, and one guarded patch.

Law: sent at most once. A refused test is an outcome; the decision is void and is never used on a newer object.
"""

from canary_operator.cluster.api import Api
from canary_operator.cluster.patches import patch_for, still_judged
from canary_operator.errors import ConfigurationError
from canary_operator.model.decision import Action, Applied, Outcome
from canary_operator.model.rollout import parse_rollout


async def perform(api: Api, action: Action) -> Applied:
    """Write the action to its Rollout, if that is still the one that was judged.

    Raises:

        ClusterUnavailable: if there was no reply, so that nobody knows whether it was written.
    """
    body = await api.get_rollout(action.ref)
    if body is None:
        return Applied(Outcome.GONE, "the Rollout is gone")
    try:
        current = parse_rollout(body)
    except ConfigurationError as error:
        return Applied(Outcome.STALE, str(error))
    if not still_judged(action.fence, current, action.kind):
        return Applied(Outcome.STALE, "the Rollout had moved on before the write")
    return await api.patch_rollout_status(action.ref, patch_for(action, body))
