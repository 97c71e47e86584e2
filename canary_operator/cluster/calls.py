"""Every call that the operator makes to the API server, in one table.

To add a call, add a row to CALLS, use it in api.py and add the right to the chart's
templates/_rights.tpl; a test compares them.

Law: data only. A call that is not in this table is not made, and a right that does not follow from it is not asked for.
"""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from canary_operator.cluster import kinds
from canary_operator.cluster.kinds import Resource


class Verb(enum.Enum):
    """What RBAC calls it."""

    GET = "get"
    LIST = "list"
    WATCH = "watch"
    CREATE = "create"
    UPDATE = "update"
    PATCH = "patch"
    DELETE = "delete"

    @property
    def method(self) -> str:
        """What HTTP calls it."""
        return _METHODS[self]

    @property
    def writes(self) -> bool:
        """Whether it changes something."""
        return self not in {Verb.GET, Verb.LIST, Verb.WATCH}


_METHODS = {
    Verb.GET: "GET",
    Verb.LIST: "GET",
    Verb.WATCH: "GET",
    Verb.CREATE: "POST",
    Verb.UPDATE: "PUT",
    Verb.PATCH: "PATCH",
    Verb.DELETE: "DELETE",
}


@dataclass(frozen=True, slots=True)
class Call:
    """One kind of request, and why the operator needs it."""

    resource: Resource
    verb: Verb
    why: str
    subresource: str = ""


GET_ROLLOUT = Call(kinds.ROLLOUTS, Verb.GET, "re-read before every write: only the judged object is acted on")
PATCH_ROLLOUT_STATUS = Call(kinds.ROLLOUTS, Verb.PATCH, "hold, release, promote, abort", subresource="status")
LIST_REPLICA_SETS = Call(
    kinds.REPLICA_SETS,
    Verb.LIST,
    "tell a rollback inside spec.rollbackWindow, never paused by Argo, and since when a version can have counted",
)
LIST_PODS = Call(kinds.PODS, Verb.LIST, "restarts, crashes and images of both versions, and how many pods each has")
CREATE_ANALYSIS_RUN = Call(kinds.ANALYSIS_RUNS, Verb.CREATE, "show a gated step in Argo's own tools")
PATCH_ANALYSIS_RUN = Call(kinds.ANALYSIS_RUNS, Verb.PATCH, "keep that step live (the kind has no status subresource)")
LIST_ANALYSIS_RUNS = Call(kinds.ANALYSIS_RUNS, Verb.LIST, "find our own old runs, which Argo does not see")
DELETE_ANALYSIS_RUN = Call(kinds.ANALYSIS_RUNS, Verb.DELETE, "keep few of them")
CREATE_EVENT = Call(kinds.EVENTS, Verb.CREATE, "say every change of a verdict in kubectl describe")
PATCH_EVENT = Call(kinds.EVENTS, Verb.PATCH, "renew a repeated Event instead of repeating it")
GET_GATE = Call(kinds.CANARY_GATES, Verb.GET, "read back a gate that was already there when it was to be created")
CREATE_GATE = Call(kinds.CANARY_GATES, Verb.CREATE, "one gate for each gated Rollout")
PATCH_GATE_STATUS = Call(
    kinds.CANARY_GATES, Verb.PATCH, "say what the gate thinks, and remember it", subresource="status"
)
CREATE_DECISION = Call(kinds.GATE_DECISIONS, Verb.CREATE, "record every decision")
LIST_DECISIONS = Call(kinds.GATE_DECISIONS, Verb.LIST, "find decisions that are past their retention, and show them")
DELETE_DECISION = Call(kinds.GATE_DECISIONS, Verb.DELETE, "keep the trail within its retention")
GET_LEASE = Call(kinds.LEASES, Verb.GET, "see which replica may write")
CREATE_LEASE = Call(kinds.LEASES, Verb.CREATE, "the first replica that may write")
UPDATE_LEASE = Call(kinds.LEASES, Verb.UPDATE, "renew it, take one that is over, give it back")
GET_DEFINITION = {
    resource: Call(resource, Verb.GET, "an SLO that an SLOPolicy refers to by name, in its own namespace")
    for resource in kinds.DEFINITIONS
}
LIST_WATCHED = {
    resource: Call(resource, Verb.LIST, "find updates and deletes that the watch has missed")
    for resource in kinds.WATCHED
}

CALLS: tuple[Call, ...] = (
    GET_ROLLOUT,
    PATCH_ROLLOUT_STATUS,
    LIST_REPLICA_SETS,
    LIST_PODS,
    CREATE_ANALYSIS_RUN,
    PATCH_ANALYSIS_RUN,
    LIST_ANALYSIS_RUNS,
    DELETE_ANALYSIS_RUN,
    CREATE_EVENT,
    PATCH_EVENT,
    GET_GATE,
    CREATE_GATE,
    PATCH_GATE_STATUS,
    CREATE_DECISION,
    LIST_DECISIONS,
    DELETE_DECISION,
    *GET_DEFINITION.values(),
    *LIST_WATCHED.values(),
)

# In the operator's own namespace, whichever namespaces it gates.
AT_HOME: tuple[Call, ...] = (GET_LEASE, CREATE_LEASE, UPDATE_LEASE)

Rights = Mapping[tuple[str, str], frozenset[str]]
"""The verbs that RBAC must allow, by (group, resource), a subresource written as ``rollouts/status``."""


def required_rights() -> Rights:
    """List what must be allowed where Rollouts are gated: CALLS, and kopf lists and watches the watched kinds."""
    rights = _rights(CALLS)
    for resource in kinds.WATCHED:
        rights.setdefault((resource.group, resource.plural), set()).update({Verb.LIST.value, Verb.WATCH.value})
    return {place: frozenset(verbs) for place, verbs in rights.items()}


def required_rights_at_home() -> Rights:
    """List what must be allowed in the operator's own namespace besides."""
    return {place: frozenset(verbs) for place, verbs in _rights(AT_HOME).items()}


def _rights(made: Sequence[Call]) -> dict[tuple[str, str], set[str]]:
    rights: dict[tuple[str, str], set[str]] = {}
    for call in made:
        place = "/".join(filter(None, (call.resource.plural, call.subresource)))
        rights.setdefault((call.resource.group, place), set()).add(call.verb.value)
    return rights
