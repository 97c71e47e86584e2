"""A person acts at the very moment at which the gate does, in every order: both count, and no gate is skipped.

Each interleaving is one release: the gate's patch is stopped on its way to the API server, and a person's act, one of
those that Argo's own tools send, happens before it, after it, or while it is carried out. The seed says which.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.e2e.apiproxy import PATCH_STATUS, ApiProxy, Exchange
from tests.e2e.scenes import WITH_POLICY
from tests.e2e.stage import ARGO, OURS, Stage
from tests.faults.scenarios import Sees, scenario
from tests.faults.witness import Witness, watching

ROLLOUTS = 40
ROUNDS = 5
STEPS = ({"setWeight": 50}, {"pause": {"duration": "20s"}}, {"pause": {}})
OTHER_STEPS = ({"setWeight": 60}, {"pause": {"duration": "20s"}}, {"pause": {}})

ACTS = (
    *("nothing", "promote", "promote --full", "abort", "retry", "undo", "edit steps"),
    *("push a good image", "push a bad image"),
)
MOMENTS = ("before", "after", "while")
PAUSES = (1, 2)
# Long enough for an act of a person to overtake the patch, or not.
JITTER_SECONDS = 0.03


@dataclass
class Interleaving:
    """One release of one Rollout: what its canary is like, and who does what when."""

    name: str
    number: int
    is_good: bool
    action: str
    act: str
    moment: str
    jitter: float
    acted: threading.Event = field(default_factory=threading.Event)

    @property
    def image(self) -> str:
        """The image that the release pushes."""
        return _image(self.name, self.number, is_good=self.is_good)

    @property
    def pushed(self) -> tuple[str, bool]:
        """The image that is wanted in the end, and whether it is good."""
        match self.act:
            case "push a good image" | "push a bad image" if self.acted.is_set():
                is_good = self.act == "push a good image"
                return _image(self.name, self.number + 1, is_good=is_good), is_good
            case _:
                return self.image, self.is_good

    def __str__(self) -> str:
        """For a failure: what it was."""
        kind = "good" if self.is_good else "bad"
        return (
            f"{self.name}:{self.number} ({kind}): {self.act!r} {self.moment} {self.action}, acted={self.acted.is_set()}"
        )


def _image(name: str, number: int, *, is_good: bool) -> str:
    return f"shop.example.com/{name}:{number}-{'good' if is_good else 'bad'}"


def _planned(seed: int) -> Iterator[list[Interleaving]]:
    """The rounds, each with one release of every Rollout."""
    chance = random.Random(seed)
    for number in range(ROUNDS):
        yield [_drawn(chance, f"web-{index}", 2 + 2 * number) for index in range(ROLLOUTS)]


def _drawn(chance: random.Random, name: str, number: int) -> Interleaving:
    is_good = chance.random() < 0.5
    action = chance.choice(("Hold", "Release", "Promote") if is_good else ("Hold", "Abort"))
    return Interleaving(
        name, number, is_good, action, chance.choice(ACTS), chance.choice(MOMENTS), chance.random() * JITTER_SECONDS
    )


def stable_image(stage: Stage, name: str) -> str:
    """The image of a Rollout's stable version."""
    stable = stage.status(name)["stableRS"]
    sets = {body["metadata"]["labels"]["rollouts-pod-template-hash"]: body for body in stage.replica_sets(name)}
    return str(sets[stable]["spec"]["template"]["spec"]["containers"][0]["image"])


class People:
    """Does what Argo's tools would send for a person."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def do(self, case: Interleaving) -> None:
        """Send it; whatever the Rollout is like by now."""
        self._send(case)
        case.acted.set()

    def _send(self, case: Interleaving) -> None:
        stage, name = self._stage, case.name
        match case.act:
            case "promote":
                stage.patch({"status": {"pauseConditions": None}}, name, status=True)
            case "promote --full":
                stage.patch({"status": {"promoteFull": True}}, name, status=True)
            case "abort":
                stage.patch({"status": {"abort": True}}, name, status=True)
            case "retry":
                stage.patch({"status": {"abort": False}}, name, status=True)
            case "undo":
                self.push(name, stable_image(self._stage, name))
            case "edit steps":
                stage.patch({"spec": {"strategy": {"canary": {"steps": list(OTHER_STEPS)}}}}, name)
            case "push a good image" | "push a bad image":
                self.push(name, _image(name, case.number + 1, is_good=case.act == "push a good image"))
            case "nothing":
                pass

    def push(self, name: str, image: str) -> None:
        """Push a new version."""
        containers = [{"name": "main", "image": image}]
        self._stage.patch({"spec": {"template": {"spec": {"containers": containers}}}}, name)


def _at_once(people: People, case: Interleaving, exchange: Exchange) -> None:
    """The gate's patch and a person's act, in the order of the case."""
    match case.moment:
        case "before":
            people.do(case)
        case "after":
            exchange.forward()
            people.do(case)
        case "while":
            person = threading.Thread(target=people.do, args=(case,))
            person.start()
            time.sleep(case.jitter)
            exchange.forward()
            person.join()


# How a release may end, and what it must be like then.


@dataclass(frozen=True)
class End:
    """A Rollout and its gate, once nothing of a release is under way."""

    image: str
    is_promoted: bool


def _end(rollout: dict[str, Any], gate: dict[str, Any]) -> End | None:
    """How a release has ended, None while it has not: Argo is done, the gate as well, and nothing is held or begun."""
    status = rollout.get("status") or {}
    seen = str(status.get("observedGeneration")) == str(rollout["metadata"]["generation"])
    is_over = status.get("phase") in {"Healthy", "Degraded"} and not status.get("pauseConditions")
    is_settled = gate.get("phase") in {"Ended", "Idle"} and not gate.get("pending")
    if not (seen and is_over and is_settled):
        return None
    image = rollout["spec"]["template"]["spec"]["containers"][0]["image"]
    is_promoted = status.get("phase") == "Healthy" and status["stableRS"] == status["currentPodHash"]
    return End(image, is_promoted) if is_promoted or status.get("abort") else None


def _allowed(case: Interleaving, stable: str) -> set[End]:
    """How the release may end, after what the last person demands, or the truth."""
    image, is_good = case.pushed
    late = case.action == "Promote" and case.moment != "before"
    match case.act:
        case "promote --full":
            return {End(image, is_promoted=True)}
        case "abort":
            # An abort that comes when everything is promoted comes too late.
            return {End(image, is_promoted=False)} | ({End(image, is_promoted=True)} if late else set())
        case "undo":
            return {End(stable, is_promoted=True)} | ({End(image, is_promoted=True)} if late else set())
        case _:
            return {End(image, is_promoted=is_good)}


def _round(stage: Stage, api: ApiProxy, people: People, cases: Sequence[Interleaving]) -> None:
    """One release of every Rollout, to its end."""
    stables = {case.name: stable_image(stage, case.name) for case in cases}
    for case in cases:
        _begin(stage, api, people, case)
    waiting = {case.name: case for case in cases}

    def all_have_ended() -> bool:
        for name, end in _ends(stage).items():
            case = waiting.get(name)
            if case is not None and case.acted.is_set() and end in _allowed(case, stables[name]):
                del waiting[name]
        return not waiting

    try:
        stage.until(all_have_ended, "every release to end as it must", timeout=600)
    except AssertionError as error:
        left = [f"{case}; must be {_allowed(case, stables[case.name])}" for case in waiting.values()]
        raise AssertionError("\n".join([*left, str(error)])) from None


def _begin(stage: Stage, api: ApiProxy, people: People, case: Interleaving) -> None:
    for image, is_good in (
        (case.image, case.is_good),
        (_image(case.name, case.number + 1, is_good=True), True),
        (_image(case.name, case.number + 1, is_good=False), False),
    ):
        stage.lab.world.set_behaviour(stage.namespace, case.name, image, error_ratio=0.0 if is_good else 0.9)
    api.on(
        "PATCH",
        rf"/rollouts/{case.name}/status",
        lambda exchange: _at_once(people, case, exchange),
        where=lambda exchange: exchange.action() == case.action,
    )
    people.push(case.name, case.image)


def _ends(stage: Stage) -> dict[str, End | None]:
    rollouts = (stage.admin.get(f"{ARGO}/namespaces/{stage.namespace}/rollouts") or {})["items"]
    gates = (stage.admin.get(f"{OURS}/namespaces/{stage.namespace}/canarygates") or {})["items"]
    statuses = {body["metadata"]["name"]: body.get("status") or {} for body in gates}
    names = {body["metadata"]["name"]: body for body in rollouts}
    return {name: _end(body, statuses.get(name, {})) for name, body in names.items()}


# What must hold over all of them


def _skips_no_gate(witness: Witness, api: ApiProxy, cases: Sequence[Interleaving]) -> int:
    """Whether every pause that was left was seen, and left because the gate or a person said so. Returns how many."""
    ours = Counter(_place(exchange) for exchange in _patches(api, "Promote", "Release"))
    theirs = Counter((case.name, case.pushed[0]) for case in cases if case.act == "promote")
    theirs += Counter((case.name, case.image) for case in cases if case.act == "promote")
    left = list(witness.passes(PAUSES))
    for each in left:
        assert each.was_paused, f"{each} was never a pause"
        if not ours[each.name, each.pod_hash, each.index]:
            assert theirs[each.name, each.image], f"nobody has ended {each}"
    return len(left)


def _does_nothing_twice(api: ApiProxy, cases: Sequence[Interleaving]) -> None:
    ours = _patches(api, "Promote", "Release")
    done = Counter((_name(each), each.action(), json.dumps(_tested(each))) for each in ours)
    assert max(done.values()) == 1, done.most_common(3)
    again = {case.name for case in cases if case.act in {"retry", "edit steps"}}
    aborts = Counter((_name(each), _tested(each)["/status/currentPodHash"]) for each in _patches(api, "Abort"))
    twice = [key for key, times in aborts.items() if times > 1 and key[0] not in again]
    assert twice == [], "aborted twice"


def _judges_rightly(witness: Witness, api: ApiProxy) -> None:
    """Whether each action is about an object that deserves it, and says which it is about."""
    images = {(name, each.pod_hash): each.image for name, versions in witness.versions.items() for each in versions}
    for exchange in _patches(api, "Promote", "Release", "Abort"):
        tested = _tested(exchange)
        assert {"/metadata/uid", "/metadata/generation", "/status/currentPodHash"} <= tested.keys()
        image = images[_name(exchange), tested["/status/currentPodHash"]]
        assert image.endswith("bad" if exchange.action() == "Abort" else "good"), (exchange.action(), image)


def _patches(api: ApiProxy, *actions: str) -> list[Exchange]:
    return [each for each in api.accepted("PATCH", PATCH_STATUS) if each.action() in actions]


def _tested(exchange: Exchange) -> dict[str, Any]:
    return {each["path"]: each["value"] for each in exchange.document() if each["op"] == "test"}


def _name(exchange: Exchange) -> str:
    return exchange.path.split("/rollouts/")[1].split("/")[0]


def _place(exchange: Exchange) -> tuple[str, str, int]:
    tested = _tested(exchange)
    return _name(exchange), tested["/status/currentPodHash"], tested["/status/currentStepIndex"]


@scenario(
    component="Argo Rollouts",
    fault="a person promotes, aborts, retries, undoes, edits steps or pushes an image at the moment of the gate's "
    "hold, release, promotion or abort",
    expected="no gate skipped, no act on another object than the judged one, none twice, the end is what the last "
    "person or the truth demands, no hold left over",
)
@pytest.mark.timeout(3600)
def test_a_person_and_the_gate_act_at_the_same_moment(stage: Stage, api: ApiProxy, seed: int, seen: Sees) -> None:
    _open(stage)
    people, rounds = People(stage), list(_planned(seed))
    with watching(stage) as witness:
        stage.operator(kubeconfig=api.kubeconfig, evaluation_interval="3s")
        for cases in rounds:
            _round(stage, api, people, cases)
        witness.settle()

    every = [case for cases in rounds for case in cases]
    left = _skips_no_gate(witness, api, every)
    _does_nothing_twice(api, every)
    _judges_rightly(witness, api)
    met = ", ".join(f"{times} {action}" for action, times in sorted(Counter(case.action for case in every).items()))
    seen(f"{len(every)} interleavings with seed {seed} ({met}), {left} pauses left, each by the gate or a person")


def _open(stage: Stage) -> None:
    """Many Rollouts at their first version."""
    stage.template(interval="3s", window="3s", failure_limit=1)
    stage.policy(timing={"minMeasurements": 2})
    names = [f"web-{index}" for index in range(ROLLOUTS)]
    for name in names:
        stage.rollout(name, steps=STEPS, annotations=WITH_POLICY, rate=100, wait=False)
    for name in names:
        stage.until(lambda name=name: stage.phase(name) == "Healthy", f"the first deploy of {name}", timeout=300)
