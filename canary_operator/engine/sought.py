"""What objectives judge a release: each SLO as an indicator, whom to ask for it, and how versions may be told apart.

Law: pure; a mistake of a person names the policy and the objective, and stops no other objective.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from canary_operator.attribution.choosing import Trial, trial
from canary_operator.attribution.subject import Custom, Subject
from canary_operator.engine.templates import argument_values, template_spec
from canary_operator.errors import ConfigurationError
from canary_operator.model.decision import Snapshot
from canary_operator.model.facts import SLORefKey
from canary_operator.model.indicator import Indicator, Matcher, MatchKind, Opaque, Selector, SLORef
from canary_operator.model.objectives import Objective, SLOReference
from canary_operator.model.policy import SLOPolicySpec, template_of
from canary_operator.model.rollout import Body, Rollout, TemplateRef
from canary_operator.model.samples import Absent
from canary_operator.model.verdict import HoldReason
from canary_operator.slo.sources import indicator_from

_ARGO_VERSION = "argoproj.io/v1alpha1"


@dataclass(frozen=True, slots=True)
class Sought:
    """One objective, ready to be asked for.

    Args:

        policy: the policy it stands in, whose provider, guards and attribution apply.

        meaning: what is counted and how much may be bad; a number that cannot be split into counts; or why nobody can
            tell.
    """

    name: str
    policy: SLOPolicySpec
    meaning: Indicator | Opaque | Absent


def objectives(snapshot: Snapshot) -> tuple[Sought, ...]:
    """All objectives of all policies, in the order of the annotation.

    Raises:

        ConfigurationError: if two have one name.
    """
    found = tuple(_objectives(snapshot))
    names = [each.name for each in found]
    for name in names:
        if names.count(name) > 1:
            raise ConfigurationError(f"two SLOPolicies of this Rollout have an objective called {name}")
    return found


def _objectives(snapshot: Snapshot) -> Iterator[Sought]:
    for name in snapshot.opt_in.policies:
        policy = snapshot.policies.get(name)
        if not isinstance(policy, SLOPolicySpec):
            continue
        for objective in policy.objectives:
            try:
                meaning = _meaning(snapshot, name, objective)
            except ConfigurationError as error:
                meaning = Absent(HoldReason.CONFIGURATION_ERROR, f"SLOPolicy {name}: {error}")
            yield Sought(objective.name, policy, meaning)


def _meaning(snapshot: Snapshot, policy: str, objective: Objective) -> Indicator | Opaque | Absent:
    namespace = snapshot.rollout.ref.namespace
    if objective.slo_ref is None:
        written = objective.model_dump(mode="json", by_alias=True, exclude_none=True)
        return indicator_from(SLORef("SLOPolicy", namespace, policy, objective.name), written)
    named = objective.slo_ref
    reference = SLORef(
        named.kind, "" if named.kind == "ClusterAnalysisTemplate" else namespace, named.name, named.entry
    )
    if (template := template_of(named)) is not None:
        if named.api_version != _ARGO_VERSION:
            raise ConfigurationError(
                f"sloRef.apiVersion: {named.api_version!r}; allowed is {_ARGO_VERSION} for {named.kind}"
            )
        return _from_template(snapshot, template, reference)
    body = _definition(snapshot, named)
    return body if isinstance(body, Absent) else indicator_from(reference, body)


def _from_template(snapshot: Snapshot, ref: TemplateRef, reference: SLORef) -> Indicator | Opaque:
    spec = template_spec(snapshot, ref)
    body: Body = {"apiVersion": _ARGO_VERSION, "kind": reference.kind, "spec": spec}
    return indicator_from(reference, body, argument_values(snapshot, ref, spec))


def _definition(snapshot: Snapshot, named: SLOReference) -> Body | Absent:
    key = SLORefKey(named.api_version, named.kind, named.name)
    return snapshot.facts.definitions.get(key, Absent(HoldReason.NO_DATA, f"{key} was not asked for"))


def subject_of(rollout: Rollout, policy: SLOPolicySpec) -> Subject:
    """What tells the two versions' series apart."""
    custom = tuple(Matcher(each.label, MatchKind.EQUAL, each.value) for each in policy.attribution.custom)
    return Subject(
        namespace=rollout.ref.namespace,
        rollout=rollout.ref.name,
        canary_hash=rollout.pod_hash,
        stable_hash=rollout.stable_hash,
        canary_service=rollout.canary_service,
        stable_service=rollout.stable_service,
        stable_ingresses=rollout.routing.stable_ingresses,
        routers=rollout.routing.routers,
        istio_subsets=rollout.routing.istio_subsets,
        custom=Custom(custom, custom) if custom else None,
    )


def trial_of(snapshot: Snapshot, policy: SLOPolicySpec, selector: Selector) -> Trial:
    """The ways to tell the versions apart for this metric."""
    subject = subject_of(snapshot.rollout, policy)
    tenant = policy.provider in snapshot.addresses.by_namespace
    return trial(policy.attribution.preset, subject, selector, tenant=tenant)
