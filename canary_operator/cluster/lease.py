"""Holding the Lease: one replica writes, the others watch and wait.

The holder renews six times within the Lease's duration, and begins no write in the last third of it; what it has
begun by then is over, or given up, before others may take the Lease. A clean stop gives it back at once.

Law: what is to be done about a Lease stands in model/lease.py. Time is a clock that never goes back.
"""

import asyncio
import hashlib
import math
import os
import socket
import threading
import uuid
from collections.abc import Awaitable, Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, assert_never

import structlog

from canary_operator import settings
from canary_operator.cluster.api import Written
from canary_operator.cluster.calls import Call
from canary_operator.cluster.transport import Limits
from canary_operator.errors import ClusterError, ClusterRefused
from canary_operator.model.decision import Outcome
from canary_operator.model.lease import LeaseRecord, Move, Seen, next_move, observed

log = structlog.get_logger()

# A replica that waits looks this often: a Lease that was given back is taken within about half a second.
WATCH_SECONDS = 0.5
# Parts of a Lease's duration: one between two renewals and one for each of them, two in which no write begins. So a
# renewal that hangs, and a second one, end no term.
PARTS = 6
_SPARE_PARTS = 2
# A renewal that was refused at once is not tried again at once.
_RETRIES_IN_A_PART = 5
_GIVE_BACK_SECONDS = 1.0

_HOME = "canary-operator"
_NAMESPACE_OF_POD = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")

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

    @property
    def part(self) -> float:
        """Seconds between two renewals, and the most that one of them may take."""
        return self.duration / PARTS


def claim_of(lease: settings.Lease, namespaces: Collection[str]) -> Claim:
    """What this process claims. Operators of different namespaces have Leases of their own, unless they are named."""
    home = lease.namespace or os.environ.get("POD_NAMESPACE") or _namespace_of_pod() or _HOME
    watched = hashlib.sha256(",".join(sorted(namespaces)).encode()).hexdigest()[:8]
    name = lease.name or (f"{_HOME}-{watched}" if namespaces else _HOME)
    return Claim(home, name, f"{socket.gethostname()}_{uuid.uuid4().hex[:8]}", lease.duration)


def limits_of(claim: Claim) -> Limits:
    """The bounds of the connection that renews, which is nothing else's: looks may wait, a renewal may not.

    A second thread, because one that hangs is given up by asking anew.
    """
    return Limits(threads=2, connect=claim.part, read=claim.part, total=claim.part)


def _namespace_of_pod() -> str:
    try:
        return _NAMESPACE_OF_POD.read_text().strip()
    except OSError:
        return ""


class Turnstile:
    """Lets writes through while the Lease is held with time to spare, and counts those that are under way.

    Asked from the threads that write.

    Args:

        duration: of the Lease, in seconds.

        clock: seconds, never going back, and counting while the machine sleeps.
    """

    def __init__(self, duration: float, clock: Callable[[], float]) -> None:
        self.clock = clock
        self._spare = duration * _SPARE_PARTS / PARTS
        self._until = -math.inf
        self._inside = 0
        self._lock = threading.Lock()

    @property
    def is_open(self) -> bool:
        """Whether a write may begin now."""
        return self._until - self.clock() > self._spare

    @property
    def is_empty(self) -> bool:
        """Whether no write is under way."""
        return self._inside == 0

    @contextmanager
    def passing(self, call: Call) -> Iterator[float]:
        """For how many seconds a call that begins now may last, 0 for not at all; reads as long as they like."""
        if not call.verb.writes:
            yield math.inf
            return
        self._count(1)
        try:
            yield self._until - self.clock() if self.is_open else 0.0
        finally:
            self._count(-1)

    def open(self, until: float) -> None:
        """Let writes through that end before ``until``, by the turnstile's clock."""
        self._until = until

    def close(self) -> None:
        """Let no more writes through."""
        self._until = -math.inf

    def _count(self, one: int) -> None:
        with self._lock:
            self._inside += one


class Leadership:
    """One replica's hold on a Lease.

    Args:

        stamp: the present as RFC 3339 with microseconds, for people.
    """

    def __init__(self, leases: Leases, claim: Claim, turnstile: Turnstile, stamp: Callable[[], str]) -> None:
        self._leases = leases
        self._claim = claim
        self._turnstile = turnstile
        self._stamp = stamp
        self._seen: Seen | None = None
        self._told = ""

    async def serve(self, term: Term, stop: asyncio.Event) -> None:
        """Wait for the Lease, do what a holder does while it is held, and so on until ``stop``; then give it back."""
        try:
            while not stop.is_set():
                await unless(stop, self.renew())
                if self._turnstile.is_open:
                    await self._serve_term(term, stop)
                else:
                    await unless(stop, asyncio.sleep(WATCH_SECONDS))
        finally:
            await self.give_back()

    async def serve_once(self, term: Term) -> None:
        """Wait for the Lease as long as it lasts without being renewed, do it once, and give the Lease back.

        Raises:

            ClusterRefused: if another replica holds it all the time, or nobody can say.
        """
        try:
            await self._hold()
            await self._serve_term(term, asyncio.Event())
        finally:
            await self.give_back()

    async def renew(self) -> bool:
        """Look at the Lease once and do what is to be done about it. Returns whether that could be asked."""
        try:
            async with asyncio.timeout(self._claim.part):
                await self._renew()
        except TimeoutError:
            self._tell(f"no answer within {self._claim.part:g} s")
        except ClusterError as error:
            self._tell(f"{type(error).__name__}: {error}")
        else:
            return True
        return False

    async def give_back(self) -> None:
        """Let others have the Lease at once, unless a write is under way: then they wait until it has run out."""
        self._turnstile.close()
        if not self._turnstile.is_empty:
            log.warning("lease_not_given_back", message="a write is under way: the Lease runs out by itself")
            return
        try:
            async with asyncio.timeout(_GIVE_BACK_SECONDS):
                await self._give_back()
        except (ClusterError, TimeoutError) as error:
            log.warning("lease_not_given_back", message=f"{type(error).__name__}: {error}"[:500])

    async def _give_back(self) -> None:
        record = await self._leases.get_lease(self._claim.namespace, self._claim.name)
        if record is not None and record.holder == self._claim.identity:
            given_back = replace(record, holder="", renewed=self._stamp(), duration=1.0)
            await self._leases.put_lease(self._claim.namespace, self._claim.name, given_back)

    async def _hold(self) -> None:
        begun = self._turnstile.clock()
        await self.renew()
        patience = WATCH_SECONDS + self._claim.part + (self._seen.held_for if self._seen else 0.0)
        while not self._turnstile.is_open:
            if self._seen is None or self._turnstile.clock() - begun > patience:
                place = f"{self._claim.namespace}/{self._claim.name}"
                raise ClusterRefused(f"Lease {place}: {self._told}; lease.enabled: false writes without it")
            await asyncio.sleep(WATCH_SECONDS)
            await self.renew()

    async def _serve_term(self, term: Term, stop: asyncio.Event) -> None:
        log.info("lease_held", lease=self._claim.name, identity=self._claim.identity)
        over = asyncio.Event()
        serving = asyncio.ensure_future(term(over))
        others = [asyncio.ensure_future(self._keep()), asyncio.ensure_future(stop.wait())]
        try:
            await asyncio.wait([serving, *others], return_when=asyncio.FIRST_COMPLETED)
            if not self._turnstile.is_open:
                log.error("lease_lost", lease=self._claim.name, message=self._told)
            over.set()
            # What is under way may still write, so the Lease is renewed until it has ended.
            await serving
        finally:
            for each in others:
                each.cancel()

    async def _keep(self) -> None:
        """Renew until the Lease is lost."""
        asked = True
        while self._turnstile.is_open:
            await asyncio.sleep(self._claim.part / (1 if asked else _RETRIES_IN_A_PART))
            asked = await self.renew()

    async def _renew(self) -> None:
        begun = self._turnstile.clock()
        record = await self._leases.get_lease(self._claim.namespace, self._claim.name)
        self._seen = observed(self._seen, record, self._turnstile.clock())
        move = next_move(self._seen, self._claim.identity, self._turnstile.clock())
        match move:
            case Move.WAIT:
                self._turnstile.close()
                self._tell(f"held by {record.holder}" if record else "it was deleted, and may be held still")
            case Move.CREATE | Move.TAKE | Move.RENEW:
                await self._claim_it(self._claimed(record, move), begun)
            case _:
                assert_never(move)

    async def _claim_it(self, record: LeaseRecord, begun: float) -> None:
        written = await self._leases.put_lease(self._claim.namespace, self._claim.name, record)
        if written.outcome is not Outcome.APPLIED:
            # Nobody else has it before the last renewal has run out, so a term goes on until then.
            raise ClusterRefused(f"{written.outcome.value}: {written.message}")
        # Counted from before it was asked for: others count from after they have seen it.
        self._told = ""
        self._seen = observed(self._seen, record, self._turnstile.clock())
        self._turnstile.open(begun + self._claim.duration)

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
            event = "lease_not_renewed" if self._turnstile.is_open else "lease_not_held"
            log.info(event, lease=self._claim.name, message=message[:500])
        self._told = message


async def unless(stop: asyncio.Event, work: Awaitable[object]) -> None:
    """Do the work, or as much of it as is done until ``stop``."""
    task, stopped = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait([task, stopped], return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
    finally:
        task.cancel()
        stopped.cancel()
