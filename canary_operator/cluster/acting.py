"""Carrying out one action: re-read, check that it is still the judged object, and one guarded patch.

Law: sent at most once. A refused test is an outcome; the decision is void and is never used on a newer object.
"""

import asyncio

import structlog

from canary_operator.cluster.api import Api
from canary_operator.cluster.patches import patch_for, still_judged
from canary_operator.errors import ClusterError, ConfigurationError
from canary_operator.model.decision import Action, ActionKind, Applied, Outcome
from canary_operator.model.rollout import Body, parse_rollout

log = structlog.get_logger()

# How long a hold waits for what comes before it. Pauses of some seconds are held, too.
HOLD_PATIENCE_SECONDS = 2.0


async def perform(api: Api, action: Action) -> Applied:
    """Write the action to its Rollout, if that is still the one that was judged.

    Raises:

        ClusterUnavailable: if there was no reply, so that nobody knows whether it was written.
    """
    if action.kind is ActionKind.HOLD:
        return await _hold(api, action)
    return await _write(api, action, await api.get_rollout(action.ref))


async def _hold(api: Api, action: Action) -> Applied:
    """Hold even what cannot be read again in time: the patch's tests fence it, and without it time would promote."""
    try:
        body = await asyncio.wait_for(api.get_rollout(action.ref), HOLD_PATIENCE_SECONDS)
    except (ClusterError, TimeoutError) as error:
        log.warning(
            "held_without_reading_again", rollout=str(action.ref), error=type(error).__name__, message=str(error)
        )
        return await api.patch_rollout_status(action.ref, patch_for(action, {"metadata": {}}))
    return await _write(api, action, body)


async def _write(api: Api, action: Action, body: Body | None) -> Applied:
    if body is None:
        return Applied(Outcome.GONE, "the Rollout is gone")
    try:
        current = parse_rollout(body)
    except ConfigurationError as error:
        return Applied(Outcome.STALE, str(error))
    if not still_judged(action.fence, current, action.kind):
        return Applied(Outcome.STALE, "the Rollout had moved on before the write")
    return await api.patch_rollout_status(action.ref, patch_for(action, body))
