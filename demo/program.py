"""`python -m demo`: the story from the first line to the exit status.

Law: the order of things stands here, each of them elsewhere. Whatever happens, nothing is left running that was not
asked to stay.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.text import Text

import lab
from demo import closing, stage
from demo.performing import perform
from demo.releases import RELEASES, REQUESTS_PER_SECOND
from demo.stage import Stage
from demo.timeline import Timeline
from demo.wishes import WishError, Wishes, read_wishes

_INTERRUPTED = 130


def main() -> None:
    """Run the demo; the exit status is 0 only if all three releases went as they must."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # In a file nothing is cropped: a table as wide as it needs to be is easier to read than a folded one.
    console = Console(highlight=False) if sys.stdout.isatty() else Console(highlight=False, width=160)
    sys.exit(_status(console))


def _status(console: Console) -> int:
    try:
        return 0 if _run(read_wishes(os.environ), Timeline(console)) else 1
    except WishError as error:
        console.print(Text(str(error), style="red"))
        return 2
    except lab.LabError as error:
        console.print(Text(str(error), style="red"), soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        console.print("interrupted; everything is ended")
        return _INTERRUPTED


def _run(wishes: Wishes, timeline: Timeline) -> bool:
    with _lab(wishes, timeline) as (home, keep):
        scene = _prepared(home, wishes, timeline)
        results = [_released(scene, number, timeline) for number in range(len(RELEASES))]
        right = _closed(scene, results, timeline)
        if wishes.keep:
            keep()
            timeline.title("Everything stays up. To look around:")
            timeline.print(closing.commands(scene))
    return right


@contextmanager
def _lab(wishes: Wishes, timeline: Timeline) -> Iterator[tuple[lab.Lab, Callable[[], None]]]:
    """Yield a lab, and what to call so that it stays; else it ends here, at the latest with this process."""
    timeline.title("A control plane with Argo Rollouts and Prometheus is started on this machine")
    home = lab.start_named(closing.LAB_NAME) if wishes.keep else lab.start()
    # The first build is not part of the show.
    timeline.began = time.monotonic()
    kept: list[bool] = []
    try:
        yield home, lambda: kept.append(True)
    finally:
        timeline.end()
        if not kept:
            _take_down(home)


def _take_down(home: lab.Lab) -> None:
    # A second Ctrl-C must not leave half of it behind.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        home.down()
    finally:
        signal.signal(signal.SIGINT, before)


def _prepared(home: lab.Lab, wishes: Wishes, timeline: Timeline) -> Stage:
    timeline.say("it runs; now the operator's kinds, its rights and the operator, then examples/api-service")
    timeline.begin("the operator starts")
    scene = stage.set_up(home, wishes.pace)
    timeline.begin("the first deploy")
    stage.await_first_deploy(scene)
    timeline.end()
    timeline.say("the first version is deployed; a first deploy is not gated, there is nothing to go back to")
    timeline.say(
        f"it gets {REQUESTS_PER_SECOND} requests a second; the example's times are divided by {wishes.pace.speed:g}"
    )
    return scene


def _released(scene: Stage, number: int, timeline: Timeline) -> closing.Result:
    release = RELEASES[number]
    timeline.title(f"Release {number + 1} of {len(RELEASES)}: {release.title}")
    timeline.headings()
    timeline.begin("Argo begins")
    outcome = perform(scene, release, timeline)
    timeline.end()
    if release.expectation.verdict == "Abort":
        timeline.title("$ kubectl argo rollouts get rollout api-service -n production")
        timeline.print(scene.describe(colours=timeline.console.is_terminal))
    return release, outcome


def _closed(scene: Stage, results: list[closing.Result], timeline: Timeline) -> bool:
    timeline.title("$ kubectl get cg -A")
    timeline.print(scene.gates())
    timeline.title("What was expected, and what happened")
    closing.print_table(timeline.console, results)
    right = closing.all_right(results)
    seconds = time.monotonic() - timeline.began
    words = "All three releases went as they must" if right else "Not everything went as it must"
    timeline.console.print(Text(f"{words}, after {seconds:.0f} s.", style="bold green" if right else "bold red"))
    return right
