"""``canary-operator audit attest``: prints what the records say of a promoted release, for others to sign.

Law: prints a statement or says why there is none; never a part of one.
"""

import json

import pydantic
import typer

from canary_operator.cluster.api import Api
from canary_operator.cluster.credentials import load_credentials
from canary_operator.cluster.ledger import UID_LABEL
from canary_operator.errors import ConfigurationError
from canary_operator.journal.statement import Statement, Unsaid, statement_of
from canary_operator.model.record import GateDecisionSpec
from canary_operator.model.rollout import Body, RolloutRef, parse_rollout


async def attest(ref: RolloutRef, *, predicate_only: bool) -> int:
    """Print the statement of a Rollout's stable version. Returns 0, or 1 where there is none."""
    api = Api(load_credentials())
    try:
        said = await _said(api, ref)
    finally:
        await api.close()
    match said:
        case Unsaid(why):
            typer.echo(f"{ref}: {why}", err=True)
            return 1
        case Statement():
            typer.echo(json.dumps(said.predicate if predicate_only else said.document(), indent=2, ensure_ascii=False))
            return 0


async def _said(api: Api, ref: RolloutRef) -> Statement | Unsaid:
    body = await api.get_rollout(ref)
    if body is None:
        return Unsaid("there is no such Rollout")
    rollout = parse_rollout(body)
    uid = rollout.fence.uid
    stored = await api.list_decisions(ref.namespace, {UID_LABEL: uid})
    return statement_of(ref, [_record(each) for each in stored], uid, rollout.stable_hash)


def _record(body: Body) -> GateDecisionSpec:
    try:
        return GateDecisionSpec.model_validate(body["spec"])
    except pydantic.ValidationError as error:
        name = f"{body['metadata']['namespace']}/{body['metadata']['name']}"
        raise ConfigurationError(f"GateDecision {name} cannot be read: another version has written it") from error
