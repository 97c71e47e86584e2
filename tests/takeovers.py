"""Takeovers by the hundred: ``python -m tests.takeovers --takeovers 100 --seed 1``, ``--lab NAME`` for a lab that runs.

Two replicas gate a few Rollouts that are released again and again, well and badly. The one that leads is killed,
stopped cleanly, or put to sleep for longer than its Lease lasts, at a random moment, until that was done often enough.

Law: judged by what the API server has: every patch on a Rollout's status that it has carried out, and GateDecisions.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import itertools
import os
import random
import re
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from canary_operator.cluster.lease import claim_of
from canary_operator.journal import records
from canary_operator.model.record import GateDecisionSpec
from canary_operator.settings import Lease
from lab.starting import find, start
from tests.e2e.apiproxy import PATCH_STATUS, ApiProxy, Exchange, api_proxy
from tests.e2e.conftest import install
from tests.e2e.stage import V1, Operator, Stage, stage_in

LEASES = "/apis/coordination.k8s.io/v1/namespaces/canary-operator/leases"
STEPS = ({"setWeight": 20}, {"pause": {}}, {"setWeight": 60}, {"pause": {"duration": "2s"}})
# What ends a takeover's wait on a machine that does other things too.
PATIENCE_SECONDS = 120.0

HOWS = {"killed": signal.SIGKILL, "stopped": signal.SIGTERM, "put to sleep": signal.SIGSTOP}


@dataclass
class Release:
    """One release of a Rollout and what is the truth about it."""

    name: str
    image: str
    is_good: bool

    def has_ended(self, stage: Stage) -> bool:
        """Whether it is over, and as it should be. Fails if it is over otherwise."""
        status = stage.status(self.name)
        promoted, aborted = stage.is_promoted(self.name, self.image), bool(status.get("abort"))
        assert not (promoted and not self.is_good), f"{self.name}: {self.image} is bad and was promoted"
        assert not (aborted and self.is_good), f"{self.name}: {self.image} is good and was aborted"
        return promoted or aborted


@dataclass
class Town:
    """Rollouts that are released again as soon as a release has ended."""

    stage: Stage
    chance: random.Random
    names: Sequence[str]
    running: dict[str, Release] = field(default_factory=dict)
    ended: list[Release] = field(default_factory=list)
    _images: Iterator[int] = field(default_factory=lambda: itertools.count(2))

    def settle(self) -> None:
        """Make the Rollouts and their template."""
        self.stage.template()
        for name in self.names:
            self.stage.rollout(name, steps=STEPS)

    def release(self) -> None:
        """Release what is not being released."""
        for name in self.names:
            release = self.running.get(name)
            if release is not None and not release.has_ended(self.stage):
                continue
            if release is not None:
                self.ended.append(release)
            self._release(name)

    def finish(self) -> None:
        """Wait for the releases that are under way."""
        for release in self.running.values():
            self.stage.until(lambda each=release: each.has_ended(self.stage), f"the end of {release}", timeout=300)
            self.ended.append(release)

    def _release(self, name: str) -> None:
        image = f"{V1.rpartition(':')[0]}:{next(self._images)}"
        is_good = self.chance.random() < 0.7
        self.running[name] = Release(name, image, is_good)
        self.stage.release(image, name, errors=0.0 if is_good else 0.5)


@dataclass
class Pair:
    """Two replicas of one operator, both behind the proxy."""

    stage: Stage
    api: ApiProxy
    duration: str
    replicas: list[Operator] = field(default_factory=list)

    def fill(self) -> None:
        """Start what is missing."""
        while len(self.replicas) < 2:
            self.replicas.append(self.stage.operator(kubeconfig=self.api.kubeconfig, lease={"duration": self.duration}))

    def leader(self) -> Operator | None:
        """The replica that the Lease names, None while it names none of these."""
        holder = holder_of(self.stage)
        return next((each for each in self.replicas if holder and holder in identities(each)), None)

    def take_over(self, how: str, asleep: float) -> float:
        """Do something to the one that leads. Returns the seconds until the other one had the Lease."""
        leader = self.stage.until(self.leader, "a leader", timeout=PATIENCE_SECONDS)
        begun = time.monotonic()
        leader.process.send_signal(HOWS[how])
        others = [each for each in self.replicas if each is not leader]
        self.stage.until(lambda: self.leader() in others, "the takeover", timeout=PATIENCE_SECONDS)
        seconds = time.monotonic() - begun
        if how == "put to sleep":
            time.sleep(asleep)
            leader.process.send_signal(signal.SIGCONT)
        else:
            leader.process.wait(PATIENCE_SECONDS)
            self.replicas.remove(leader)
        return seconds


def identities(operator: Operator) -> set[str]:
    """The names under which a replica has held the Lease."""
    return {line["identity"] for line in operator.logged() if line.get("event") == "lease_held"}


def lease_of(stage: Stage) -> dict[str, Any]:
    """The Lease of the operators of this stage; empty where there is none."""
    body = stage.admin.get(f"{LEASES}/{claim_of(Lease(), [stage.namespace]).name}") or {}
    return dict(body.get("spec") or {})


def holder_of(stage: Stage) -> str:
    """Who holds it, empty for nobody."""
    return str(lease_of(stage).get("holderIdentity") or "")


@dataclass
class Played:
    """What has happened: seconds of every takeover by its kind, the releases, and what was found wrong."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: collections.defaultdict(list))
    promoted: int = 0
    aborted: int = 0
    actions: int = 0
    records: int = 0
    problems: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """What a person wants to read."""
        yield "| the one that leads is | times | seconds until the next has the Lease: median | longest |"
        yield "|---|---|---|---|"
        for how, seconds in self.seconds.items():
            yield f"| {how} | {len(seconds)} | {statistics.median(seconds):.1f} | {max(seconds):.1f} |"
        yield f"{self.promoted} releases promoted, {self.aborted} aborted, each as its truth demands"
        yield f"{self.actions} patches on Rollouts carried out, {self.records} GateDecisions"
        yield from self.problems or ["no action twice, no record missing"]


def play(stage: Stage, api: ApiProxy, *, takeovers: int, seed: int, duration: str) -> Played:
    """Take over so many times, and look at what was done meanwhile."""
    chance, played = random.Random(seed), Played()
    town, pair = Town(stage, chance, [f"web-{number}" for number in range(4)]), Pair(stage, api, duration)
    town.settle()
    hows = [list(HOWS)[number % len(HOWS)] for number in range(takeovers)]
    chance.shuffle(hows)
    for number, how in enumerate(hows, 1):
        pair.fill()
        town.release()
        time.sleep(chance.uniform(0.2, 3.0))  # takeovers at random moments of a release
        played.seconds[how].append(pair.take_over(how, asleep=chance.uniform(0.0, 2.0)))
        print(f"{number}/{takeovers} {how}: {played.seconds[how][-1]:.1f} s", file=sys.stderr, flush=True)
    pair.fill()
    town.finish()
    _tell(played, town, api)
    return played


def _tell(played: Played, town: Town, api: ApiProxy) -> None:
    played.promoted = sum(release.is_good for release in town.ended)
    played.aborted = len(town.ended) - played.promoted
    patches = api.accepted("PATCH", PATCH_STATUS)
    played.actions = len(patches)
    for name in town.names:
        town.stage.until(lambda each=name: town.stage.gate(each).get("phase") == "Ended", "the gate's end", timeout=120)
        decisions = [GateDecisionSpec.model_validate(each) for each in town.stage.decisions(name)]
        played.records += len(decisions)
        played.problems += [f"{name}: {problem}" for problem in problems_of(name, decisions, patches)]


def problems_of(name: str, decisions: Sequence[GateDecisionSpec], patches: Sequence[Exchange]) -> Iterator[str]:
    """What is wrong with the trail of one Rollout, beside what the API server has carried out."""
    if [each.sequence for each in decisions] != list(range(1, len(decisions) + 1)):
        yield f"records {[each.sequence for each in decisions]}"
    for before, after in itertools.pairwise(decisions):
        if after.previous_hash != before.hash or records.record_hash(after) != after.hash:
            yield f"record {after.sequence} does not hang on the one before"
    yield from _problems_of_actions(decisions, [patch for patch in patches if f"/rollouts/{name}/" in patch.path])


def _problems_of_actions(decisions: Sequence[GateDecisionSpec], patches: Sequence[Exchange]) -> Iterator[str]:
    done = collections.Counter(map(_target, patches))
    # A hold is two writes, of which the second says that Argo has seen the first.
    yield from (
        f"done {times} times: {what}" for what, times in done.items() if times > (2 if what[0] == "Hold" else 1)
    )
    applied = [each for each in decisions if each.action is not None and each.action.outcome == "Applied"]
    ids = collections.Counter(each.action.decision_id for each in applied if each.action is not None)
    yield from (f"decision {decision} recorded {times} times" for decision, times in ids.items() if times > 1)
    # What became of an action may be known, and recorded, only after the step that it was about.
    told = collections.Counter((each.action.kind, each.rollout.pod_hash) for each in applied if each.action is not None)
    distinct = collections.Counter((action, pod_hash) for action, pod_hash, _ in done if action != "Nudge")
    for what in sorted(told.keys() | distinct.keys()):
        if told[what] != distinct[what]:
            yield f"done {distinct[what]} times and recorded {told[what]} times: {what}"


def _target(patch: Exchange) -> tuple[str, str, str]:
    """What a patch does to which version at which step; an abort is about no step."""
    tests = {each["path"]: each["value"] for each in patch.document() if each["op"] == "test"}
    action = patch.action()
    step = "" if action == "Abort" else str(tests.get("/status/currentStepIndex"))
    return action, str(tests["/status/currentPodHash"]), step


@contextmanager
def _opened(name: str | None) -> Iterator[tuple[Stage, ApiProxy]]:
    with contextlib.ExitStack() as stack:
        lab = find(name) if name is not None else stack.enter_context(start())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stage = stack.enter_context(stage_in(lab, install(lab), folder))
        yield stage, stack.enter_context(api_proxy(stage.identity, folder, stage.admin.ca))


def _duration(text: str) -> str:
    if not re.fullmatch(r"\d+s", text):
        raise argparse.ArgumentTypeError(f"{text}: must be seconds, such as 5s")
    return text


def main() -> int:
    """Play, and print what was found; the status is 1 if something is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.takeovers", description=__doc__)
    parser.add_argument("--takeovers", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--duration", type=_duration, default="15s", help="of the Lease")
    parser.add_argument(
        "--lab", default=os.environ.get("LAB_NAME"), help="a lab that runs; without one, one of its own"
    )
    given = parser.parse_args()
    with _opened(given.lab) as (stage, api):
        played = play(stage, api, takeovers=given.takeovers, seed=given.seed, duration=given.duration)
    print("\n".join(played.lines()))
    return 1 if played.problems else 0


if __name__ == "__main__":
    sys.exit(main())
