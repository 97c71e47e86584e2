"""The objects that define an SLO elsewhere, read by name when one is needed. Templates are watched, and not read here.

Law: nothing is read that no SLOPolicy names. Why an object cannot be had is a sentence.
"""

import time
from collections.abc import Callable
from typing import assert_never

from canary_operator.cluster import kinds
from canary_operator.cluster.api import Api, Lack
from canary_operator.cluster.calls import GET_DEFINITION
from canary_operator.cluster.kinds import Resource
from canary_operator.cluster.sharing import Shared
from canary_operator.model.facts import SLORefKey
from canary_operator.model.rollout import Body
from canary_operator.model.samples import Absent
from canary_operator.model.verdict import HoldReason

# An SLO changes with a deployment of its own; half a minute later is soon enough.
MAX_AGE_SECONDS = 30.0
# Of the client's threads, that holds and aborts need as well.
_AT_ONCE = 2

_BY_KIND = {resource.kind: resource for resource in kinds.DEFINITIONS}


class Definitions:
    """The objects by what a policy calls them."""

    def __init__(self, api: Api, clock: Callable[[], float] = time.monotonic, max_age: float = MAX_AGE_SECONDS) -> None:
        self._api = api
        self._asked = Shared(self._ask, max_age, clock, _AT_ONCE)

    async def find(self, namespace: str, key: SLORefKey) -> Body | Absent:
        """Find an object that a policy of this namespace names, or say why it cannot be had.

        Raises:

            ClusterError: if the API server does not answer.
        """
        resource = _BY_KIND.get(key.kind)
        if resource is None:
            return _wrong(f"{key}: the kind is not one of {', '.join(_BY_KIND)}")
        if key.api_version != resource.api_version:
            return _wrong(f"{key}: apiVersion {key.api_version} is not read; allowed is {resource.api_version}")
        return await self._asked.get((namespace, resource, key))

    async def _ask(self, asked: tuple[str, Resource, SLORefKey]) -> Body | Absent:
        namespace, resource, key = asked
        found = await self._api.get_definition(resource, namespace, key.name)
        return _wrong(_sentence(found, namespace, resource, key)) if isinstance(found, Lack) else found


def _sentence(lack: Lack, namespace: str, resource: Resource, key: SLORefKey) -> str:
    match lack:
        case Lack.OBJECT:
            return f"{key} does not exist in namespace {namespace}"
        case Lack.KIND:
            return f"{key} cannot exist: {resource.api_version} {resource.kind} is not installed in this cluster"
        case Lack.RIGHT:
            of_group = f" of {resource.group}" if resource.group else ""
            right = f"{GET_DEFINITION[resource].verb.value} on {resource.plural}{of_group}"
            return f"{key} may not be read: the operator lacks the right to {right} in namespace {namespace}"
    assert_never(lack)


def _wrong(sentence: str) -> Absent:
    return Absent(HoldReason.CONFIGURATION_ERROR, sentence)
