"""Plan: news and no news by version; missed updates and deletes; who must look again; what cannot be read."""

import copy
import time
from collections.abc import Callable
from typing import Any

import pytest

from canary_operator.cluster import kinds
from canary_operator.cluster.store import Key, Store
from canary_operator.model.policy import Mode, SLOPolicySpec
from canary_operator.model.rollout import Rollout, RolloutRef, TemplateRef

Body = dict[str, Any]
Builder = Callable[[], Body]

REF = RolloutRef("shop", "guestbook")


def an_object(name: str, version: int, *, namespace: str | None = "shop", uid: str = "", **parts: Any) -> Body:
    meta = {"name": name, "uid": uid or f"uid-of-{name}", "resourceVersion": str(version), "generation": 1}
    return {"metadata": meta | ({"namespace": namespace} if namespace else {}), **parts}


def at_version(body: Body, version: int, **meta: Any) -> Body:
    newer = copy.deepcopy(body)
    newer["metadata"] |= {"resourceVersion": str(version), **meta}
    return newer


def test_a_rollout_is_parsed_and_kept_slim(a_rollout: Builder) -> None:
    store = Store()

    assert store.put(kinds.ROLLOUTS, a_rollout())

    rollout, body = store.rollout(REF), store.rollout_body(REF)
    assert isinstance(rollout, Rollout)
    assert rollout.pod_hash == "6c54544bf9"
    assert body is not None
    assert "managedFields" not in body["metadata"]
    assert "kubectl.kubernetes.io/last-applied-configuration" not in body["metadata"]["annotations"]
    assert set(body["spec"]) == {"selector"}


@pytest.mark.parametrize(
    ("asked", "allowed", "done"),
    [
        (Mode.ENFORCE, Mode.ENFORCE, Mode.ENFORCE),
        (Mode.OBSERVE, Mode.ENFORCE, Mode.OBSERVE),
        (Mode.ENFORCE, Mode.OBSERVE, Mode.OBSERVE),
        (Mode.OFF, Mode.OBSERVE, Mode.OFF),
    ],
)
def test_an_operator_that_observes_enforces_nothing(a_rollout: Builder, asked: Mode, allowed: Mode, done: Mode) -> None:
    body = a_rollout()
    body["metadata"]["annotations"]["canary-operator.io/gate"] = asked.value
    store = Store(allowed)

    store.put(kinds.ROLLOUTS, body)

    assert store.opt_in(REF).mode is done


def test_what_is_put_is_not_changed(a_rollout: Builder) -> None:
    body = a_rollout()
    Store().put(kinds.ROLLOUTS, body)

    assert a_rollout() == body


def test_an_older_or_equal_version_is_no_news(a_rollout: Builder) -> None:
    store = Store()
    store.put(kinds.ROLLOUTS, at_version(a_rollout(), 1000))

    # As numbers: as texts 999 would be the newer one.
    assert not store.put(kinds.ROLLOUTS, at_version(a_rollout(), 999))
    assert not store.put(kinds.ROLLOUTS, at_version(a_rollout(), 1000))
    assert store.put(kinds.ROLLOUTS, at_version(a_rollout(), 1001))


def test_an_object_of_the_same_name_takes_the_place(a_rollout: Builder) -> None:
    store = Store()
    store.put(kinds.ROLLOUTS, at_version(a_rollout(), 1000))
    store.put(kinds.ROLLOUTS, at_version(a_rollout(), 1100, uid="new"))

    assert not store.put(kinds.ROLLOUTS, at_version(a_rollout(), 1050)), "the old one must not come back"
    assert not store.remove(kinds.ROLLOUTS, at_version(a_rollout(), 1099)), "its late delete concerns nobody"
    rollout = store.rollout(REF)
    assert isinstance(rollout, Rollout)
    assert rollout.fence.uid == "new"


def test_a_deleted_object_is_not_brought_back_by_a_late_message(a_rollout: Builder) -> None:
    store = Store()
    store.put(kinds.ROLLOUTS, at_version(a_rollout(), 1000))

    assert store.remove(kinds.ROLLOUTS, at_version(a_rollout(), 1001))
    assert not store.put(kinds.ROLLOUTS, at_version(a_rollout(), 1000))
    assert store.rollout(REF) is None


def test_a_listing_finds_missed_updates_and_missed_deletes(a_rollout: Builder) -> None:
    store = Store()
    for name, version in (("same", 10), ("updated", 11), ("deleted", 12), ("newer", 40)):
        store.put(kinds.ANALYSIS_TEMPLATES, an_object(name, version))
    store.put(kinds.SLO_POLICIES, an_object("of-another-kind", 5))

    result = store.resync(
        kinds.ANALYSIS_TEMPLATES,
        [an_object("same", 10), an_object("updated", 21), an_object("missed", 22)],
        "30",
    )

    changed = {key.name for key in result.changed}
    assert changed == {"updated", "missed", "deleted"}
    assert Key("analysistemplates", "shop", "deleted") in result.changed
    assert store.template(TemplateRef("deleted"), "shop") is None
    assert store.template(TemplateRef("newer"), "shop") is not None, "it came after the listing"
    assert store.policy("of-another-kind", "shop") is not None


def test_a_listing_of_one_namespace_says_nothing_about_others() -> None:
    store = Store()
    store.put(kinds.ANALYSIS_TEMPLATES, an_object("t", 1, namespace="other"))

    assert store.resync(kinds.ANALYSIS_TEMPLATES, [], "9", "shop").changed == ()
    assert store.template(TemplateRef("t"), "other") is not None


def test_a_listing_names_the_rollouts_that_must_look_again(a_rollout: Builder) -> None:
    store = Store()
    store.put(kinds.ROLLOUTS, a_rollout())
    store.put(kinds.SLO_POLICIES, an_object("strict", 5))

    assert store.resync(kinds.SLO_POLICIES, [], "9").affected == {REF}
    assert store.policy("strict", "shop") is None


def test_a_rollout_that_cannot_be_read_is_kept_with_the_reason_and_stops_nobody(a_rollout: Builder) -> None:
    store = Store()
    broken = an_object("broken", 2, spec={"strategy": {"canary": {"steps": [{"setWeight": "many"}]}}})
    broken["metadata"]["annotations"] = {"canary-operator.io/gate": "enforce"}

    assert store.put(kinds.ROLLOUTS, broken)
    assert store.put(kinds.ROLLOUTS, a_rollout())
    text = store.rollout(RolloutRef("shop", "broken"))
    assert isinstance(text, str)
    assert "many" in text
    assert store.opt_in(RolloutRef("shop", "broken")).mode is Mode.ENFORCE
    assert store.affected(kinds.ROLLOUTS, broken) == {RolloutRef("shop", "broken")}


def test_a_policy_is_parsed_or_kept_as_the_reason() -> None:
    store = Store()
    store.put(kinds.SLO_POLICIES, an_object("good", 1, spec={"failAction": "Hold"}))
    store.put(kinds.SLO_POLICIES, an_object("bad", 2, spec={"failAction": "Explode"}))

    assert SLOPolicySpec(fail_action="Hold") == store.policy("good", "shop")
    text = store.policy("bad", "shop")
    assert isinstance(text, str)
    assert "failAction" in text
    assert store.policy("good", "elsewhere") is None


def test_a_change_concerns_the_gated_rollouts_that_name_the_object(a_rollout: Builder) -> None:
    store = Store()
    store.put(kinds.ROLLOUTS, a_rollout())

    assert store.affected(kinds.SLO_POLICIES, an_object("strict", 1)) == {REF}
    assert store.affected(kinds.SLO_POLICIES, an_object("strict", 1, namespace="other")) == set()
    assert store.affected(kinds.SLO_POLICIES, an_object("lenient", 1)) == set()
    assert store.affected(kinds.ANALYSIS_TEMPLATES, an_object("error-rate", 1)) == {REF}
    assert store.affected(kinds.CLUSTER_ANALYSIS_TEMPLATES, an_object("error-rate", 1, namespace=None)) == set()
    assert store.affected(kinds.CANARY_GATES, an_object("guestbook", 1)) == {REF}
    assert store.affected(kinds.ROLLOUTS, a_rollout()) == {REF}


def test_a_template_concerns_also_those_who_name_a_template_that_names_it(a_rollout: Builder) -> None:
    store = Store()
    store.put(kinds.ROLLOUTS, a_rollout())
    nesting = {"templates": [{"templateName": "base", "clusterScope": True}]}
    store.put(kinds.ANALYSIS_TEMPLATES, an_object("error-rate", 1, spec=nesting))
    base = an_object("base", 2, namespace=None, spec={"templates": [{"templateName": "base", "clusterScope": True}]})
    store.put(kinds.CLUSTER_ANALYSIS_TEMPLATES, base)

    assert store.affected(kinds.CLUSTER_ANALYSIS_TEMPLATES, base) == {REF}
    assert store.nested(TemplateRef("error-rate"), "shop") == {TemplateRef("base", cluster=True)}


def test_annotations_that_change_move_the_rollout_to_other_names(a_rollout: Builder) -> None:
    store = Store()
    store.put(kinds.ROLLOUTS, at_version(a_rollout(), 1))
    store.put(
        kinds.ROLLOUTS,
        at_version(
            a_rollout(),
            2,
            annotations={
                "canary-operator.io/gate": "observe",
                "canary-operator.io/slo-policy": "lenient",
                "canary-operator.io/analysis-templates": "own,cluster/shared",
            },
        ),
    )

    assert store.affected(kinds.SLO_POLICIES, an_object("strict", 1)) == set()
    assert store.affected(kinds.SLO_POLICIES, an_object("lenient", 1)) == {REF}
    assert store.affected(kinds.ANALYSIS_TEMPLATES, an_object("own", 1)) == {REF}
    assert store.affected(kinds.CLUSTER_ANALYSIS_TEMPLATES, an_object("shared", 1, namespace=None)) == {REF}


def test_a_rollout_that_is_not_gated_matters_only_with_a_gate_or_a_pause(a_rollout: Builder) -> None:
    store = Store()
    idle = at_version(a_rollout(), 1, annotations={})
    del idle["status"]["pauseConditions"]
    paused = at_version(a_rollout(), 1, annotations={}, name="paused", uid="p")
    store.put(kinds.ROLLOUTS, idle)

    assert store.affected(kinds.ROLLOUTS, idle) == set()
    assert store.affected(kinds.ROLLOUTS, paused) == {RolloutRef("shop", "paused")}, "it may be held by us"
    store.put(kinds.CANARY_GATES, an_object("guestbook", 2))
    assert store.affected(kinds.ROLLOUTS, idle) == {REF}, "its gate must be told"


def test_the_echo_of_our_own_status_is_kept_and_is_no_news() -> None:
    store = Store()
    assert store.put(kinds.CANARY_GATES, an_object("guestbook", 1))

    assert not store.put(kinds.CANARY_GATES, an_object("guestbook", 2, status={"phase": "Judging"}))
    gate = store.gate(REF)
    assert gate is not None
    assert gate["status"] == {"phase": "Judging"}
    suspended = an_object("guestbook", 3, spec={"suspend": True})
    assert store.put(kinds.CANARY_GATES, at_version(suspended, 3, generation=2))


def test_ten_thousand_idle_rollouts_make_no_look_up_slower(a_rollout: Builder) -> None:
    store = Store()
    idle = at_version(a_rollout(), 1, annotations={})
    for number in range(10_000):
        store.put(kinds.ROLLOUTS, at_version(idle, 1, name=f"idle-{number}", uid=str(number)))
    store.put(kinds.ROLLOUTS, a_rollout())

    began = time.process_time()
    for _ in range(1000):
        assert store.affected(kinds.ANALYSIS_TEMPLATES, an_object("error-rate", 1)) == {REF}
    # A scan of all Rollouts would take seconds.
    assert time.process_time() - began < 0.5
