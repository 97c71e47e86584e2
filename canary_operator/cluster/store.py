"""What the watch has told us: the objects that decisions are made of, and which Rollouts each of them concerns.

It forgets nothing that the API server has and keeps nothing that it has not: every put is checked by
resourceVersion, and a listing finds what the watch has missed.

Law: memory only, no I/O and no clock. An object that cannot be read is kept as the text that says why.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from canary_operator.cluster import kinds
from canary_operator.cluster.kinds import Resource
from canary_operator.cluster.peers import Peers
from canary_operator.errors import ConfigurationError
from canary_operator.model.fleet import FREE, Fleet, FleetRules, Peer, parse_peer
from canary_operator.model.policy import Mode, OptIn, SLOPolicySpec, parse_opt_in, parse_policy
from canary_operator.model.rollout import Body, Rollout, RolloutRef, TemplateRef, parse_rollout
from canary_operator.model.template import without_secrets

# Deleted objects that a late message of the watch could bring back; more than a burst of deletes.
_REMEMBERED_DELETES = 10_000
_OFF = OptIn(Mode.OFF)
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """The one key of an object in the store; the namespace of a cluster-wide object is empty."""

    plural: str
    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One object: its identity, its version, its slim body, and what was parsed of it."""

    uid: str
    version: int
    body: Body
    rollout: Rollout | str | None = None
    opt_in: OptIn = _OFF
    policy: SLOPolicySpec | str | None = None
    # The objects that this one names: of a gated Rollout its policies and templates, of a template other templates.
    names: frozenset[Key] = frozenset()


@dataclass(frozen=True, slots=True)
class Resync:
    """What a listing has corrected, and the Rollouts that must look again because of it."""

    changed: tuple[Key, ...] = ()
    affected: frozenset[RolloutRef] = frozenset()


class Store:
    """All watched objects, by key.

    Args:

        at_most: what the operator does at most, whatever a Rollout asks for: enforce or observe.

        rules: how releases keep each other waiting.
    """

    def __init__(self, at_most: Mode = Mode.ENFORCE, rules: FleetRules = FREE) -> None:
        self._at_most = at_most
        self._peers = Peers(rules)
        self._entries: dict[Key, Entry] = {}
        # Who names an object; only gated Rollouts and templates name any, so 10,000 idle Rollouts cost nothing here.
        self._named_by: dict[Key, set[Key]] = {}
        self._deleted: OrderedDict[str, None] = OrderedDict()

    def put(self, kind: Resource, body: Body) -> bool:
        """Take an object as the API server has it.

        False if nobody must look because of it: it is older, the same, or deleted since, or it is a gate of
        which only the status has changed, which is our own doing.
        """
        key, uid, version = key_of(kind, body), body["metadata"]["uid"], _version(body)
        known = self._entries.get(key)
        if uid in self._deleted or (known is not None and version <= known.version):
            return False
        self._forget(key)
        if known is not None and known.uid != uid:
            self._bury(known.uid)
        entry = _entry(kind, uid, version, body)
        self._entries[key] = entry
        for named in entry.names:
            self._named_by.setdefault(named, set()).add(key)
        self._tell_others(key)
        return kind is not kinds.CANARY_GATES or known is None or not _is_same_spec(known.body, body)

    def remove(self, kind: Resource, body: Body) -> bool:
        """Forget a deleted object. False if it was not there, or another object has taken its name since."""
        key, uid = key_of(kind, body), body["metadata"]["uid"]
        self._bury(uid)
        known = self._entries.get(key)
        if known is None or known.uid != uid:
            return False
        self._forget(key)
        self._tell_others(key)
        return True

    def resync(
        self, kind: Resource, bodies: Iterable[Body], list_resource_version: str, namespace: str | None = None
    ) -> Resync:
        """Find what the watch has missed.

        Args:

            kind: what was listed.

            bodies: all objects of the kind, of ``namespace`` if that is given.

            list_resource_version: the version of the listing; what the store knows of later stays.

            namespace: the only namespace that was listed, None for all.
        """
        listed = {key_of(kind, body): body for body in bodies}
        updated = [body for body in listed.values() if self.put(kind, body)]
        missing = [
            entry.body
            for key, entry in self._of_kind(kind, namespace)
            if key not in listed and entry.version <= int(list_resource_version)
        ]
        changed = [*updated, *(body for body in missing if self.remove(kind, body))]
        return Resync(
            changed=tuple(sorted(key_of(kind, body) for body in changed)),
            affected=frozenset().union(*(self.affected(kind, body) for body in changed)),
        )

    def rollout(self, ref: RolloutRef) -> Rollout | str | None:
        """Look up the Rollout, the text why it cannot be read, None where there is none."""
        entry = self._entries.get(_rollout_key(ref))
        return None if entry is None else entry.rollout

    def rollout_body(self, ref: RolloutRef) -> Body | None:
        """Look up the Rollout's metadata, rollback window and selector; the rest of its body is not kept."""
        return self._body(_rollout_key(ref))

    def opt_in(self, ref: RolloutRef) -> OptIn:
        """Look up what the Rollout's annotations ask for and the operator does; off where there is no Rollout."""
        entry = self._entries.get(_rollout_key(ref))
        return _OFF if entry is None else entry.opt_in.at_most(self._at_most)

    def template(self, ref: TemplateRef, namespace: str) -> Body | None:
        """Look up a template, or a cluster template, by the name that a Rollout of the namespace calls it."""
        return self._body(_template_key(ref, namespace))

    def policy(self, name: str, namespace: str) -> SLOPolicySpec | str | None:
        """Look up a policy of the namespace, the text why it cannot be read, None where there is none."""
        entry = self._entries.get(_key(kinds.SLO_POLICIES, namespace, name))
        return None if entry is None else entry.policy

    def policy_generation(self, name: str, namespace: str) -> int | None:
        """Look up the generation of a policy of the namespace, None where nobody has told it."""
        body = self._body(_key(kinds.SLO_POLICIES, namespace, name)) or {"metadata": {}}
        generation: int | None = body["metadata"].get("generation")
        return generation

    def gate(self, ref: RolloutRef) -> Body | None:
        """Look up the CanaryGate of a Rollout."""
        return self._body(_key(kinds.CANARY_GATES, ref.namespace, ref.name))

    def fleet(self, ref: RolloutRef) -> Fleet:
        """Look up what other gates have to do with a Rollout."""
        return self._peers.around(ref)

    def running(self) -> tuple[RolloutRef, ...]:
        """Look up whose turn it is; the same object until that may have changed."""
        return self._peers.running

    def rollouts(self) -> Iterator[RolloutRef]:
        """Go through all Rollouts, gated or not."""
        return (RolloutRef(key.namespace, key.name) for key, _ in self._of_kind(kinds.ROLLOUTS, None))

    def gates(self) -> Iterator[RolloutRef]:
        """Go through all Rollouts that have a CanaryGate, whatever that says."""
        return (RolloutRef(key.namespace, key.name) for key, _ in self._of_kind(kinds.CANARY_GATES, None))

    def nested(self, ref: TemplateRef, namespace: str) -> frozenset[TemplateRef]:
        """Look up the templates that a template names itself."""
        entry = self._entries.get(_template_key(ref, namespace))
        return frozenset() if entry is None else frozenset(_template_ref(named) for named in entry.names)

    def affected(self, kind: Resource, body: Body) -> set[RolloutRef]:
        """Find the Rollouts that must look again because this object came, changed or went.

        A Rollout that is not gated matters only while it has a gate to retire or a pause that may be held by us.
        """
        key = key_of(kind, body)
        if kind is kinds.CANARY_GATES:
            return {RolloutRef(key.namespace, key.name)}
        if kind is kinds.ROLLOUTS:
            return {RolloutRef(key.namespace, key.name)} if self._matters(key, body) else set()
        return {RolloutRef(user.namespace, user.name) for user in self._users(key)}

    def _matters(self, key: Key, body: Body) -> bool:
        entry = self._entries.get(key)
        gated = _is_gated(body) or (entry is not None and entry.opt_in.mode is not Mode.OFF)
        paused = bool((body.get("status") or {}).get("pauseConditions"))
        return gated or paused or self.gate(RolloutRef(key.namespace, key.name)) is not None

    def _users(self, key: Key) -> set[Key]:
        # Rollouts that name the object, or name a template that names it, however far.
        found: set[Key] = set()
        seen, waiting = {key}, [key]
        while waiting:
            for user in self._named_by.get(waiting.pop(), set()) - seen:
                seen.add(user)
                if user.plural == kinds.ROLLOUTS.plural:
                    found.add(user)
                else:
                    waiting.append(user)
        return found

    def _tell_others(self, key: Key) -> None:
        if key.plural not in {kinds.ROLLOUTS.plural, kinds.CANARY_GATES.plural}:
            return
        ref = RolloutRef(key.namespace, key.name)
        gate, rollout = self.gate(ref), self.rollout(ref)
        # A release that nobody looks at any more keeps no other one waiting.
        judged = gate is not None and isinstance(rollout, Rollout)
        self._peers.put(parse_peer(ref, (gate or {}).get("status") or {}) if judged else Peer(ref))

    def _forget(self, key: Key) -> None:
        entry = self._entries.pop(key, None)
        for named in entry.names if entry is not None else ():
            users = self._named_by[named]
            users.discard(key)
            if not users:
                del self._named_by[named]

    def _bury(self, uid: str) -> None:
        self._deleted[uid] = None
        if len(self._deleted) > _REMEMBERED_DELETES:
            self._deleted.popitem(last=False)

    def _body(self, key: Key) -> Body | None:
        entry = self._entries.get(key)
        return None if entry is None else entry.body

    def _of_kind(self, kind: Resource, namespace: str | None) -> list[tuple[Key, Entry]]:
        return [
            (key, entry)
            for key, entry in self._entries.items()
            if key.plural == kind.plural and namespace in {None, key.namespace}
        ]


def key_of(kind: Resource, body: Body) -> Key:
    """Where the store keeps the object."""
    meta = body["metadata"]
    return _key(kind, meta.get("namespace") or "", meta["name"])


def _key(kind: Resource, namespace: str, name: str) -> Key:
    return Key(kind.plural, namespace, name)


def _rollout_key(ref: RolloutRef) -> Key:
    return _key(kinds.ROLLOUTS, ref.namespace, ref.name)


def _template_key(ref: TemplateRef, namespace: str) -> Key:
    if ref.cluster:
        return _key(kinds.CLUSTER_ANALYSIS_TEMPLATES, "", ref.name)
    return _key(kinds.ANALYSIS_TEMPLATES, namespace, ref.name)


def _template_ref(key: Key) -> TemplateRef:
    return TemplateRef(key.name, cluster=key.plural == kinds.CLUSTER_ANALYSIS_TEMPLATES.plural)


def _version(body: Body) -> int:
    # Kubernetes promises since 1.35 that versions of one kind compare as numbers; all servers in use did before.
    return int(body["metadata"]["resourceVersion"])


def _is_same_spec(one: Body, other: Body) -> bool:
    old, new = one["metadata"], other["metadata"]
    return bool(old["uid"] == new["uid"] and old.get("generation") == new.get("generation"))


def _entry(kind: Resource, uid: str, version: int, body: Body) -> Entry:
    slim = _slim(body)
    if kind is kinds.ROLLOUTS:
        opt_in = parse_opt_in(slim["metadata"].get("annotations") or {})
        parsed = _read_rollout(slim)
        return Entry(
            uid, version, _idle_parts(slim), rollout=parsed, opt_in=opt_in, names=_rollout_names(parsed, opt_in)
        )
    if kind is kinds.SLO_POLICIES:
        policy = _read_policy(slim)
        return Entry(uid, version, slim, policy=policy, names=_policy_names(policy, slim["metadata"]["namespace"]))
    if kind in {kinds.ANALYSIS_TEMPLATES, kinds.CLUSTER_ANALYSIS_TEMPLATES}:
        return Entry(uid, version, without_secrets(slim), names=_template_names(slim))
    return Entry(uid, version, slim)


def _slim(body: Body) -> dict[str, Any]:
    meta = {name: value for name, value in body["metadata"].items() if name != "managedFields"}
    if _LAST_APPLIED in (meta.get("annotations") or {}):
        meta["annotations"] = {name: value for name, value in meta["annotations"].items() if name != _LAST_APPLIED}
    return {**body, "metadata": meta}


def _idle_parts(slim: Body) -> Body:
    # A whole Rollout costs about 45 KB of memory, these parts about 3.
    spec, status = slim.get("spec") or {}, slim.get("status") or {}
    return {
        "metadata": slim["metadata"],
        "spec": {name: spec[name] for name in ("selector", "rollbackWindow") if name in spec},
        "status": {name: status[name] for name in ("pauseConditions",) if name in status},
    }


def _read_rollout(body: Body) -> Rollout | str:
    try:
        return parse_rollout(body)
    except ConfigurationError as error:
        return str(error)


def _read_policy(body: Body) -> SLOPolicySpec | str:
    try:
        return parse_policy(body["metadata"]["name"], body)
    except ConfigurationError as error:
        return str(error)


def _is_gated(body: Body) -> bool:
    return parse_opt_in((body["metadata"].get("annotations")) or {}).mode is not Mode.OFF


def _rollout_names(parsed: Rollout | str, opt_in: OptIn) -> frozenset[Key]:
    if opt_in.mode is Mode.OFF or isinstance(parsed, str):
        return frozenset()
    namespace = parsed.ref.namespace
    policies = {_key(kinds.SLO_POLICIES, namespace, name) for name in opt_in.policies}
    return frozenset(policies | {_template_key(ref, namespace) for ref in template_refs(parsed, opt_in)})


def template_refs(parsed: Rollout, opt_in: OptIn) -> frozenset[TemplateRef]:
    """Name the templates that a Rollout refers to: annotated ones and those of its own strategy.

    Both, because values for the args of an annotated template come from the analysis that names it too.
    """
    own = {ref for analysis in parsed.every_analysis for ref in analysis.templates}
    return frozenset(own | set(opt_in.templates or ()))


def _policy_names(policy: SLOPolicySpec | str, namespace: str) -> frozenset[Key]:
    templates = () if isinstance(policy, str) else policy.templates
    return frozenset(_template_key(ref, namespace) for ref in templates)


def _template_names(body: Body) -> frozenset[Key]:
    entries = (body.get("spec") or {}).get("templates")
    namespace = body["metadata"].get("namespace") or ""
    refs: list[Mapping[str, Any]] = [entry for entry in entries or () if isinstance(entry, Mapping)]
    return frozenset(
        _template_key(TemplateRef(entry["templateName"], bool(entry.get("clusterScope"))), namespace)
        for entry in refs
        if entry.get("templateName")
    )
