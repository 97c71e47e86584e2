"""``canary-operator release``: gives every held pause its own start back.

Law: names what then runs ungated before it writes anything.
"""

import time

import typer

from canary_operator.cluster import kinds
from canary_operator.cluster.acting import perform
from canary_operator.cluster.api import Api
from canary_operator.cluster.credentials import load_credentials
from canary_operator.engine.situation import held_pause
from canary_operator.errors import ConfigurationError
from canary_operator.model import durations
from canary_operator.model.decision import Action, ActionKind, Outcome
from canary_operator.model.pause import Hold
from canary_operator.model.rollout import Rollout, parse_rollout


async def release_all(namespaces: list[str], dry_run: bool) -> int:
    """Release all holds in the namespaces, in all of them if none is given. Returns 0, or 1 if a hold stays."""
    api = Api(load_credentials())
    try:
        held = await _held(api, namespaces)
        for rollout, start in held:
            since = durations.format_time(start)
            typer.echo(f"{rollout.ref}: held since {since}; it goes on by its own timer, ungated")
        if not held:
            typer.echo("nothing is held")
        if dry_run:
            return 0
        return max([await _release(api, rollout, start) for rollout, start in held], default=0)
    finally:
        await api.close()


async def _held(api: Api, namespaces: list[str]) -> list[tuple[Rollout, float]]:
    held, now = [], time.time()
    places: list[str | None] = [*namespaces] or [None]
    for namespace in places:
        for body in (await api.list_watched(kinds.ROLLOUTS, namespace)).items:
            try:
                rollout = parse_rollout(body)
            except ConfigurationError as error:
                typer.echo(f"{body['metadata']['namespace']}/{body['metadata']['name']}: {error}", err=True)
                continue
            pause = held_pause(rollout)
            if pause is not None and pause.hold(now) is not Hold.NONE:
                held.append((rollout, pause.user_start(now)))
    return held


async def _release(api: Api, rollout: Rollout, start: float) -> int:
    action = Action(ActionKind.RELEASE, "release", rollout.ref, rollout.fence, start_time=start)
    applied = await perform(api, action)
    if applied.outcome in {Outcome.APPLIED, Outcome.GONE}:
        typer.echo(f"{rollout.ref}: released")
        return 0
    typer.echo(f"{rollout.ref}: {applied.outcome.value}: {applied.message}; run it again", err=True)
    return 1
