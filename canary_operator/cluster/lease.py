"""Holding the Lease: one replica writes, the others watch and wait.

The holder renews three times within the Lease's duration, and begins no write in the last third of it; what it has
begun by then is given up before others may take the Lease. A clean stop gives it back at once.

Law: what is to be done about a Lease stands in model/lease.py. Time is a clock that never goes back.
"""

import asyncio
import hashlib
import math
import os
import socket
import time
import uuid
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, replace
from typing import Protocol, assert_never

import structlog

from canary_operator import settings
from canary_operator.cluster import kinds
from canary_operator.cluster.api import Written
from canary_operator.cluster.calls import Call
from canary_operator.errors import ClusterError, ClusterRefused
from canary_operator.model.decision import Outcome
from canary_operator.model.lease import LeaseRecord, Move, Seen, next_move, observed

log = structlog.get_logger()

# A replica that waits looks this often: a Lease that was given back is taken within about a second.
WATCH_SECONDS = 1.0
# Renewals within the duration of a Lease, and the part of it in which no write begins.
RENEWALS = 3

_HOME = "canary-operator"

Term = Callable[[asyncio.Event], Awaitable[None]]
"""What a holder does: until the event is set, and then no longer than it must."""


class Leases(Protocol):
    """Leases as the API server has them."""

    async def get_lease(self, namespace: str, name: str) -> LeaseRecord | None:
        """Read one, None where there is none."""

    async def put_lease(self, namespace: str, name: str, record: LeaseRecord) -> Written:
        """Create one where ``record.version`` is empty, else replace that very version; STALE if it has moved on."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Which Lease, for whom (unique to a process), and for how many seconds at a time."""

    namespace: str
    name: str
    identity: str
    duration: float


def claim_of(lease: settings.Lease, namespaces: Collection[str]) -> Claim:
    """What this process claims. Operators of different namespaces have Leases of their own."""
    home = lease.namespace or os.environ.get("POD_NAMESPACE") or _HOME
    watched = hashlib.sha256(",".join(sorted(namespaces)).encode()).hexdigest()[:8]
    name = f"{lease.name}-{watched}" if namespaces else lease.name
    return Claim(home, name, f"{socket.gethostname()}_{uuid.uuid4().hex[:8]}", lease.duration)


def seconds() -> float:
    """Seconds of a clock that never goes back, and that goes on while the machine sleeps where there is such a one."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class Fence:
    """Lets writes through while the Lease is held with time to spare.

    Args:

        duration: of the Lease, in seconds.

        clock: seconds, never going back, and counting while the machine sleeps.
    """

    def __init__(self, duration: float, clock: Callable[[], float]) -> None:
        self.clock = clock
        self._spare = duration / RENEWALS
        self._until = -math.inf

    @property
    def is_open(self) -> bool:
        """Whether a write may begin now."""
        return self._until - self.clock() > self._spare

    def seconds_for(self, call: Call) -> float:
        """For how many seconds a call that begins now may last: reads and the Lease itself as long as they like."""
        if not call.verb.writes or call.resource is kinds.LEASES:
            return math.inf
        return self._until - self.clock() if self.is_open else 0.0

    def open(self, until: float) -> None:
        """Let writes through that end before ``until``, by the fence's clock."""
        self._until = until

    def close(self) -> None:
        """Let no more writes through."""
        self._until = -math.inf


class Leadership:
    """One replica's hold on a Lease.

    Args:

        stamp: the present as RFC 3339 with microseconds, for people.
    """

    def __init__(self, leases: Leases, claim: Claim, fence: Fence, stamp: Callable[[], str]) -> None:
        self._leases = leases
        self._claim = claim
        self._fence = fence
        self._stamp = stamp
        self._seen: Seen | None = None
        self._told = ""

    async def serve(self, term: Term, stop: asyncio.Event) -> None:
        """Wait for the Lease, do what a holder does while it is held, and so on until ``stop``."""
        while not stop.is_set():
            await self.renew()
            if self._fence.is_open:
                await self._serve_term(term, stop)
            else:
                await _pause(WATCH_SECONDS, stop)
        await self.give_back()

    async def renew(self) -> None:
        """Look at the Lease once and do what is to be done about it; what cannot be asked is asked again later."""
        try:
            async with asyncio.timeout(self._claim.duration / RENEWALS):
                await self._renew()
        except (ClusterError, TimeoutError) as error:
            self._tell(f"{type(error).__name__}: {error}")

    async def hold(self) -> None:
        """Take the Lease for once.

        Raises:

            ClusterRefused: if another replica holds it, or nobody can say.
        """
        await self.renew()
        if not self._fence.is_open:
            place = f"{self._claim.namespace}/{self._claim.name}"
            raise ClusterRefused(f"Lease {place}: {self._told or 'not taken'}; lease.enabled: false writes without it")

    async def give_back(self) -> None:
        """Let others have the Lease at once. Nothing may be written afterwards."""
        self._fence.close()
        try:
            async with asyncio.timeout(1.0):
                record = await self._leases.get_lease(self._claim.namespace, self._claim.name)
                if record is not None and record.holder == self._claim.identity:
                    await self._put(replace(record, holder="", renewed=self._stamp(), duration=1.0))
        except (ClusterError, TimeoutError) as error:
            log.warning("lease_not_given_back", message=str(error))

    async def _serve_term(self, term: Term, stop: asyncio.Event) -> None:
        log.info("lease_held", lease=self._claim.name, identity=self._claim.identity)
        over = asyncio.Event()
        task = asyncio.ensure_future(term(over))
        while self._fence.is_open and not stop.is_set() and not task.done():
            await _pause(self._claim.duration / RENEWALS, stop)
            if not stop.is_set():
                await self.renew()
        if not self._fence.is_open:
            log.error("lease_lost", lease=self._claim.name)
        over.set()
        await task

    async def _renew(self) -> None:
        begun = self._fence.clock()
        record = await self._leases.get_lease(self._claim.namespace, self._claim.name)
        self._seen = observed(self._seen, record, self._fence.clock())
        move = next_move(self._seen, self._claim.identity, self._fence.clock())
        match move:
            case Move.WAIT:
                self._fence.close()
                self._tell(f"held by {record.holder if record else 'nobody'}")
            case Move.CREATE | Move.TAKE | Move.RENEW:
                written = await self._put(self._claimed(record, move))
                self._settle(written, begun)
            case _:
                assert_never(move)

    def _settle(self, written: Written, begun: float) -> None:
        if written.outcome is not Outcome.APPLIED:
            self._fence.close()
            return
        # Counted from before it was asked for: others count from after they have seen it.
        self._told = ""
        self._fence.open(begun + self._claim.duration)

    async def _put(self, record: LeaseRecord) -> Written:
        written = await self._leases.put_lease(self._claim.namespace, self._claim.name, record)
        if written.outcome in {Outcome.REFUSED, Outcome.GONE}:
            raise ClusterRefused(f"Lease {self._claim.namespace}/{self._claim.name}: {written.message}")
        return written

    def _claimed(self, record: LeaseRecord | None, move: Move) -> LeaseRecord:
        now = self._stamp()
        mine = LeaseRecord(self._claim.identity, now, now, self._claim.duration, 0, "")
        if record is None:
            return mine
        if move is Move.RENEW:
            return replace(mine, acquired=record.acquired, transitions=record.transitions, version=record.version)
        return replace(mine, transitions=record.transitions + 1, version=record.version)

    def _tell(self, message: str) -> None:
        if message != self._told:
            log.info("lease_not_held", lease=self._claim.name, message=message[:500])
        self._told = message


async def _pause(seconds: float, stop: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
