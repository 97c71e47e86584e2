"""Telling versions apart by labels of their own pods.

Law: works for whatever is scraped from the pods themselves, an application or its sidecar.
"""

from canary_operator.attribution.candidate import Candidate, Unfit, candidate, equal, like
from canary_operator.attribution.subject import Subject, Version
from canary_operator.model.indicator import Matcher
from canary_operator.model.promql import escape_regex

HASH_LABEL = "rollouts_pod_template_hash"
# Kubernetes cuts what a pod's generated name begins with to this length, and the hash with it.
_LONGEST_BEGINNING = 58


def by_hash(preset: str, subject: Subject, *beside: Matcher, variant: str = "", prefix: str = "") -> Candidate | Unfit:
    """The way by the label that Argo gives to pods. The namespace is needed: equal templates have equal hashes.

    Args:

        beside: matchers of both versions.

        prefix: what the labels of the pod begin with, such as ``exported_``.
    """

    def identity(version: Version) -> tuple[Matcher, ...]:
        return equal(f"{prefix}namespace", subject.namespace), equal(HASH_LABEL, version.hash), *beside

    if reason := _no_hashes(subject):
        return Unfit(preset, reason)
    return candidate(preset, subject, identity, variant=variant, pod_label=f"{prefix}pod")


def by_name(preset: str, subject: Subject, *beside: Matcher, variant: str = "", prefix: str = "") -> Candidate | Unfit:
    """The way by the pods' names: ``beside`` and ``prefix`` as above."""

    def identity(version: Version) -> tuple[Matcher, ...]:
        # What follows the hash has no dash, so a longer Rollout name is not meant.
        pattern = escape_regex(_beginning(subject, version)) + "[a-z0-9]+"
        return equal(f"{prefix}namespace", subject.namespace), like(f"{prefix}pod", pattern), *beside

    if reason := _no_hashes(subject):
        return Unfit(preset, reason)
    if max(len(_beginning(subject, version)) for version in (subject.canary, subject.stable)) > _LONGEST_BEGINNING:
        return Unfit(preset, "the Rollout's name is so long that its pods' names do not hold the whole hash")
    return candidate(preset, subject, identity, variant=variant, pod_label=f"{prefix}pod")


def _no_hashes(subject: Subject) -> str:
    if not subject.canary_hash or not subject.stable_hash:
        return "the Rollout does not name the hash of each version"
    return "both versions have one hash" if subject.canary_hash == subject.stable_hash else ""


def _beginning(subject: Subject, version: Version) -> str:
    return f"{subject.rollout}-{version.hash}-"
