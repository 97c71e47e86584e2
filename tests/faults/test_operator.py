"""The operator is frozen, or cannot log: the release ends as it must, every action happens once."""

import contextlib
import signal
import threading
from collections.abc import Iterator

from tests.e2e.apiproxy import ApiProxy, Exchange
from tests.e2e.scenes import timed
from tests.e2e.stage import V3, Stage
from tests.faults.scenarios import Sees, scenario

OPERATOR = "Operator"

# Longer than a Lease lasts.
FROZEN_SECONDS = 17.0


@contextlib.contextmanager
def _frozen_over(stage: Stage, api: ApiProxy) -> Iterator[None]:
    """Freeze the operator when it has just read again what it is about to promote, for longer than a Lease lasts."""
    operator, is_frozen = stage.operators[-1], threading.Event()

    def freeze(exchange: Exchange) -> None:
        exchange.forward()
        operator.process.send_signal(signal.SIGSTOP)
        is_frozen.set()

    api.on("GET", r"/rollouts/web$", freeze)
    stage.release()
    assert is_frozen.wait(60), stage.picture()
    yield
    stage.throughout(lambda: stage.step() in {0, 1}, FROZEN_SECONDS, "a Rollout that nobody promotes")
    operator.process.send_signal(signal.SIGCONT)


@scenario(
    component=OPERATOR,
    fault="SIGSTOP for 17 s between the last reading and a promotion, while a bad version is pushed",
    expected="the promotion is refused as Stale; the bad version is judged by itself and aborted",
)
def test_a_frozen_operator_writes_nothing_stale(stage: Stage, api: ApiProxy, seen: Sees) -> None:
    stage.template()
    stage.rollout()
    stage.operator(kubeconfig=api.kubeconfig)

    with _frozen_over(stage, api):
        stage.release(V3, errors=1.0)

    stage.until(lambda: stage.status().get("abort"), "the abort of the newer version")
    stage.until(lambda: stage.gate().get("phase") == "Ended", "the gate to end", timeout=20)
    assert api.actions() == ["Abort"]
    assert stage.actions() == [("Promote", "Stale"), ("Abort", "Applied")]
    seen("Promote: Stale, then Abort: Applied")


@scenario(
    component=OPERATOR,
    fault="SIGSTOP for 17 s between the last reading and a promotion",
    expected="promoted once it goes on, once",
    twin=True,
)
def test_a_frozen_operator_goes_on(stage: Stage, api: ApiProxy, seen: Sees) -> None:
    stage.template()
    stage.rollout()
    stage.operator(kubeconfig=api.kubeconfig)

    with _frozen_over(stage, api):
        pass

    stage.until(stage.is_promoted, "the promotion")
    stage.until(lambda: stage.actions() == [("Promote", "Applied")], "the record")
    assert api.actions() == ["Promote"]
    seen("one promotion")


# Threads have heaps of their own, whose reserves a limit does not touch.


# Every write of a log line fails as on a disk that is full.
TO_A_FULL_DISK = ("sh", "-c", 'exec "$@" >/dev/full 2>&1', "sh")


@scenario(
    component=OPERATOR,
    fault="no room for logs: stdout and stderr are /dev/full",
    expected="a good canary is promoted, and it ends in time and well",
)
def test_an_operator_that_cannot_log_promotes(stage: Stage, seen: Sees) -> None:
    stage.template()
    stage.rollout(steps=timed("4s"))
    operator = stage.operator(through=TO_A_FULL_DISK)

    stage.release()

    stage.until(stage.is_promoted, "the promotion")
    stage.until(lambda: stage.actions() == [("Hold", "Applied"), ("Release", "Applied")], "the record", timeout=10)
    assert operator.stop() == 0
    seen("held, released and promoted; it ended with status 0")


@scenario(
    component=OPERATOR,
    fault="no room for logs: stdout and stderr are /dev/full",
    expected="a bad canary is aborted",
    twin=True,
)
def test_an_operator_that_cannot_log_aborts(stage: Stage, seen: Sees) -> None:
    stage.template()
    stage.rollout()
    stage.operator(through=TO_A_FULL_DISK)

    stage.release(errors=1.0)

    stage.until(lambda: stage.status().get("abort"), "the abort")
    stage.until(lambda: stage.actions() == [("Abort", "Applied")], "the record", timeout=10)
    seen("aborted")
