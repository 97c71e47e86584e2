"""Which Rollout is looked at when, by how many at once.

A Rollout is due because something changed or because its own time has come; it is never looked at twice at once.

Law: knows keys and times, no Kubernetes and no Prometheus. One failing Rollout is isolated here and nowhere else.
"""

import asyncio
import heapq
import itertools
import time
from collections.abc import Awaitable, Callable

import structlog

from canary_operator.model.rollout import RolloutRef

log = structlog.get_logger()

Look = Callable[[RolloutRef], Awaitable[float]]

# A Rollout whose look failed is looked at again after 1, 2, 4 ... seconds, at most this many.
_MAX_RETRY_SECONDS = 30.0


class Agenda:
    """The due Rollouts and the workers that look at them.

    Args:

        look: looks at one Rollout; returns when to look again (Unix seconds, infinity for never).

        clock: the present, Unix seconds.

        workers: how many are looked at at the same time.

        timer: seconds that nobody sets: a clock that is put back makes nobody wait for it to come round again.
    """

    def __init__(
        self,
        look: Look,
        clock: Callable[[], float],
        workers: int,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._look = look
        self._clock = clock
        self._timer = timer
        self._workers = workers
        self._heap: list[tuple[float, int, RolloutRef]] = []
        self._due: dict[RolloutRef, float] = {}
        self._busy: dict[RolloutRef, float] = {}
        self._failures: dict[RolloutRef, int] = {}
        self._order = itertools.count()
        self._changed = asyncio.Event()
        self._stopping = False

    def mark(self, ref: RolloutRef, at: float | None = None) -> None:
        """Look at a Rollout at ``at``, at once if that is None; an earlier mark stays."""
        due = self._timer() + (0.0 if at is None else at - self._clock())
        if due >= self._due.get(ref, float("inf")):
            return
        self._due[ref] = due
        heapq.heappush(self._heap, (due, next(self._order), ref))
        self._changed.set()

    def lag(self) -> float:
        """Seconds by which the most overdue Rollout is late, 0 if none is. May be called from any thread."""
        waiting = [due for ref, due in list(self._due.items()) if ref not in self._busy]
        return max(0.0, self._timer() - min(waiting, default=float("inf")))

    def longest_look(self) -> float:
        """Seconds since the oldest look that is under way began, 0 if none is."""
        return max(0.0, self._timer() - min(self._busy.values(), default=float("inf")))

    async def run(self) -> None:
        """Look at what is due, until ``stop``."""
        # One waits for all: hundreds of workers that wake up at every change would cost more than what they look at.
        async with asyncio.TaskGroup() as looks:
            while not self._stopping:
                ref = None if self._is_full() else self._next()
                if ref is None:
                    await self._wait()
                else:
                    looks.create_task(self._do(ref))

    def stop(self) -> None:
        """Begin nothing new; what is under way is finished."""
        self._stopping = True
        self._changed.set()

    def _is_full(self) -> bool:
        return len(self._busy) >= self._workers

    def _next(self) -> RolloutRef | None:
        """Take the Rollout that is due for longest and not looked at already."""
        passed_over = []
        found = None
        while self._heap and self._heap[0][0] <= self._timer():
            entry = heapq.heappop(self._heap)
            due, _, ref = entry
            if self._due.get(ref) != due:
                continue  # an earlier mark has replaced this entry
            if ref in self._busy:
                passed_over.append(entry)
                continue
            found = ref
            break
        for entry in passed_over:
            heapq.heappush(self._heap, entry)
        if found is not None:
            del self._due[found]
            self._busy[found] = self._timer()
        return found

    async def _wait(self) -> None:
        self._changed.clear()
        idle = [] if self._is_full() else [due for due, _, ref in self._heap if ref not in self._busy]
        timeout = None if not idle else max(0.0, min(idle) - self._timer())
        try:
            async with asyncio.timeout(timeout):
                await self._changed.wait()
        except TimeoutError:
            return

    async def _do(self, ref: RolloutRef) -> None:
        try:
            again = await self._look(ref)
            self._failures.pop(ref, None)
        except Exception as error:  # noqa: BLE001 - one broken Rollout never stops another
            again = self._clock() + self._back_off(ref)
            log.error("look_failed", rollout=str(ref), error=type(error).__name__, message=str(error)[:500])
        finally:
            self._busy.pop(ref, None)
        if again < float("inf"):
            self.mark(ref, again)
        self._changed.set()

    def _back_off(self, ref: RolloutRef) -> float:
        failures = self._failures[ref] = self._failures.get(ref, 0) + 1
        return min(_MAX_RETRY_SECONDS, 2.0 ** (failures - 1))
