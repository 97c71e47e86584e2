"""One replica writes: who, and until when."""

import asyncio
import itertools
import math
import random
import time
from dataclasses import replace

import pytest
import structlog

from canary_operator.cluster import calls, lease
from canary_operator.cluster.api import Written, lease_body, parse_lease
from canary_operator.cluster.lease import Claim, Leadership, Turnstile, claim_of, limits_of
from canary_operator.errors import ClusterRefused, ClusterUnavailable
from canary_operator.model.decision import Outcome
from canary_operator.model.lease import LeaseRecord
from canary_operator.settings import Lease

WRITE = calls.PATCH_ROLLOUT_STATUS
DURATION = 15.0


class Server:
    """One Lease in memory.

    ``lost`` counts answers that will not arrive, though the write is done, ``hanging`` requests that are not answered.
    """

    def __init__(self):
        self.record = None
        self.broken = False
        self.lost = 0
        self.hanging = 0
        self._versions = itertools.count(1)

    async def get_lease(self, namespace, name):
        if self.hanging:
            self.hanging -= 1
            await asyncio.Event().wait()
        if self.broken:
            raise ClusterUnavailable("get leases")
        return self.record

    async def put_lease(self, namespace, name, record):
        if self.broken:
            raise ClusterUnavailable("update leases")
        known = "" if self.record is None else self.record.version
        if record.version != known:
            return Written(Outcome.STALE)
        self.record = replace(record, version=str(next(self._versions)))
        if self.lost:
            self.lost -= 1
            raise ClusterUnavailable("no answer")
        return Written(Outcome.APPLIED)


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def server():
    return Server()


@pytest.fixture
def clock():
    return Clock()


class Replica(Leadership):
    """A hold on the Lease together with its turnstile."""

    def __init__(self, server, clock, name, duration=DURATION):
        self.turnstile = Turnstile(duration, clock)
        claim = Claim("home", "canary-operator", name, duration)
        super().__init__(server, claim, self.turnstile, lambda: f"at {clock()}")

    @property
    def leads(self):
        return self.turnstile.is_open

    def seconds_for(self, call):
        with self.turnstile.passing(call) as seconds:
            return seconds


def a_replica(server, clock, name, **changed):
    return Replica(server, clock, name, **changed)


async def test_the_first_replica_holds_the_lease_and_the_second_waits(server, clock):
    one, two = a_replica(server, clock, "one"), a_replica(server, clock, "two")

    await one.renew()
    await two.renew()

    assert (one.leads, two.leads) == (True, False)
    assert (server.record.holder, server.record.transitions) == ("one", 0)


async def test_no_write_begins_in_the_last_third_and_none_lasts_beyond_the_end(server, clock):
    one = a_replica(server, clock, "one")
    assert one.seconds_for(WRITE) == 0
    await one.renew()

    clock.now += 9.9
    assert one.seconds_for(WRITE) == pytest.approx(5.1)
    clock.now += 0.2
    assert (one.leads, one.seconds_for(WRITE)) == (False, 0)


async def test_reading_is_never_fenced(server, clock):
    assert a_replica(server, clock, "one").seconds_for(calls.GET_ROLLOUT) == math.inf


async def test_a_lease_that_is_not_renewed_is_taken_after_its_duration_and_never_before(server, clock):
    one, two = a_replica(server, clock, "one"), a_replica(server, clock, "two")
    await one.renew()
    await two.renew()

    clock.now += 15
    await two.renew()
    assert two.leads is False
    clock.now += 0.1
    await two.renew()

    assert (two.leads, server.record.transitions) == (True, 1)
    await one.renew()
    assert one.leads is False


async def test_a_lease_that_was_given_back_is_taken_at_once(server, clock):
    one, two = a_replica(server, clock, "one"), a_replica(server, clock, "two")
    await one.renew()
    await two.renew()

    await one.give_back()
    await two.renew()

    assert (one.leads, two.leads) == (False, True)


async def test_who_does_not_hold_it_gives_nothing_back(server, clock):
    one, two = a_replica(server, clock, "one"), a_replica(server, clock, "two")
    await one.renew()

    await two.give_back()

    assert server.record.holder == "one"


async def test_an_outage_of_the_api_server_ends_the_term_before_others_may_begin(server, clock):
    one = a_replica(server, clock, "one")
    await one.renew()
    server.broken = True

    clock.now += 5
    await one.renew()
    assert one.leads is True
    clock.now += 5.1
    await one.renew()
    assert one.leads is False
    server.broken = False
    await one.renew()
    assert one.leads is True


async def test_a_lost_answer_costs_nothing(server, clock):
    one = a_replica(server, clock, "one")
    server.lost = 1

    await one.renew()
    assert one.leads is False
    await one.renew()
    assert (one.leads, server.record.transitions) == (True, 0)


@pytest.mark.parametrize("seed", range(50))
async def test_two_replicas_never_write_at_once(server, clock, seed):
    """Looks, outages, lost answers and stops of a process in any order; time passes at every step."""
    chance = random.Random(seed)
    replicas = [a_replica(server, clock, name) for name in ("one", "two", "three")]
    led = set()
    for _ in range(400):
        clock.now += chance.choice([0.1, 1, 4, 20])
        server.broken = chance.random() < 0.1
        server.lost = chance.random() < 0.1
        replica = chance.choice(replicas)
        await (replica.give_back() if chance.random() < 0.05 else replica.renew())
        ends = [(each, clock.now + each.seconds_for(WRITE)) for each in replicas if each.seconds_for(WRITE)]
        assert len(ends) <= 1, "two may begin a write"
        led |= {replicas.index(each) for each, _ in ends}
    assert len(led) > 1, "the Lease has changed hands"


def test_a_lease_is_read_as_it_was_written():
    record = LeaseRecord("one", "2026-11-30T10:00:00.000000Z", "2026-11-30T09:00:00.000000Z", 15.0, 3, "77")

    assert parse_lease(lease_body("home", "canary-operator", record)) == record
    assert lease_body("home", "x", replace(record, duration=2.1))["spec"]["leaseDurationSeconds"] == 3


async def test_a_lease_that_was_deleted_is_waited_for_as_long_as_it_may_be_held(server, clock):
    one, two = a_replica(server, clock, "one"), a_replica(server, clock, "two")
    await one.renew()
    await two.renew()
    clock.now += 5
    server.record = None

    for _ in range(15):
        await two.renew()
        assert two.leads is False
        clock.now += 1
    clock.now += 0.1
    await two.renew()

    assert two.leads is True
    assert server.record.holder == "two"


async def test_who_finds_its_own_lease_deleted_writes_no_more_and_waits_as_well(server, clock):
    one = a_replica(server, clock, "one")
    await one.renew()
    server.record = None

    await one.renew()

    assert one.leads is False
    assert server.record is None


async def test_a_renewal_that_was_overtaken_ends_no_term_and_is_tried_again(server, clock):
    one = a_replica(server, clock, "one")
    await one.renew()
    written = server.put_lease

    async def overtaken(namespace, name, record):
        # A renewal that was given up has arrived after all.
        server.record = replace(server.record, version="late")
        server.put_lease = written
        return await written(namespace, name, record)

    server.put_lease = overtaken
    clock.now += 5

    assert await one.renew() is False
    assert one.leads is True
    assert await one.renew() is True
    clock.now += 9
    assert one.leads is True


async def test_a_renewal_that_hangs_is_given_up_and_says_so(server):
    one = a_replica(server, time.monotonic, "one", duration=0.6)
    server.hanging = 1

    with structlog.testing.capture_logs() as said:
        assert await one.renew() is False

    assert [line["message"] for line in said] == ["no answer within 0.1 s"]
    assert await one.renew() is True


def test_two_renewals_may_hang_before_a_term_ends():
    claim = Claim("home", "canary-operator", "one", DURATION)
    last_write = DURATION * (1 - lease._SPARE_PARTS / lease.PARTS)

    assert claim.part + 2 * limits_of(claim).total < last_write


# Serving


async def eventually(true):
    async with asyncio.timeout(30):
        while not true():  # noqa: ASYNC110 - what is waited for knows no events
            await asyncio.sleep(0.01)


class Term:
    """Does nothing until it is over."""

    def __init__(self):
        self.begun, self.ended = asyncio.Event(), False

    async def __call__(self, over):
        self.begun.set()
        await over.wait()
        self.ended = True


async def served(replica, term):
    """The replica serves until the term has begun; ends when that is done."""
    stop = asyncio.Event()
    serving = asyncio.create_task(replica.serve(term, stop))
    await asyncio.wait_for(term.begun.wait(), 30)
    return stop, serving


async def test_a_clean_stop_ends_the_term_and_gives_the_lease_back(server):
    one, term = a_replica(server, time.monotonic, "one"), Term()
    stop, serving = await served(one, term)

    stop.set()
    await serving

    assert term.ended
    assert (server.record.holder, one.leads) == ("", False)


async def test_a_lease_is_not_given_back_while_a_write_is_under_way(server):
    one, term = a_replica(server, time.monotonic, "one"), Term()
    stop, serving = await served(one, term)

    with one.turnstile.passing(WRITE) as seconds:
        assert seconds > 0
        stop.set()
        await serving

    assert server.record.holder == "one"
    assert one.seconds_for(WRITE) == 0


async def test_a_stop_interrupts_a_replica_that_hangs_at_the_lease(server):
    server.hanging = 1000
    one, stop = a_replica(server, time.monotonic, "one", duration=3600), asyncio.Event()
    serving = asyncio.create_task(one.serve(Term(), stop))
    await eventually(lambda: server.hanging < 1000)

    stop.set()

    # Giving it back is asked as well, for a second at most.
    await asyncio.wait_for(serving, 30)


async def test_a_term_is_kept_while_renewals_hang_now_and_then(server):
    one, term = a_replica(server, time.monotonic, "one", duration=3), Term()
    stop, serving = await served(one, term)
    first = server.record.version

    for _ in range(2):
        server.hanging = 1
        await eventually(lambda: not server.hanging)
    await eventually(lambda: server.record.version != first)

    assert (term.ended, one.leads) == (False, True)
    stop.set()
    await serving


async def test_a_term_ends_when_the_lease_cannot_be_renewed(server):
    one, term = a_replica(server, time.monotonic, "one", duration=0.6), Term()
    stop, serving = await served(one, term)

    server.broken = True
    await eventually(lambda: term.ended)

    assert one.leads is False
    stop.set()
    await serving


async def test_a_term_that_fails_is_told_and_gives_the_lease_back(server):
    async def failing(_):
        raise RuntimeError("nobody foresaw this")

    for serve in (lambda one: one.serve(failing, asyncio.Event()), lambda one: one.serve_once(failing)):
        with pytest.raises(RuntimeError):
            await serve(a_replica(server, time.monotonic, "one"))
        assert server.record.holder == ""


async def test_one_pass_waits_for_a_lease_that_nobody_renews(server):
    server.record = LeaseRecord("gone", "r", "a", 1.0, 0, "1")
    one, done = a_replica(server, time.monotonic, "one", duration=1), []

    async def term(_):
        done.append(one.leads)

    await one.serve_once(term)

    assert done == [True]
    assert (server.record.holder, server.record.transitions) == ("", 1)


async def test_one_pass_is_refused_while_another_replica_renews(server):
    server.record = LeaseRecord("other", "r", "a", 1.0, 0, "1")
    read, versions = server.get_lease, itertools.count(2)

    async def renewed(namespace, name):
        server.record = replace(server.record, version=str(next(versions)))
        return await read(namespace, name)

    server.get_lease = renewed

    with pytest.raises(ClusterRefused, match=r"Lease home/canary-operator: held by other; lease.enabled: false"):
        await a_replica(server, time.monotonic, "one", duration=1).serve_once(Term())
    assert server.record.holder == "other"


async def test_one_pass_is_refused_at_once_when_nobody_can_say(server):
    server.broken = True

    with pytest.raises(ClusterRefused, match="ClusterUnavailable: get leases"):
        await a_replica(server, time.monotonic, "one", duration=3600).serve_once(Term())


# Which one


def test_operators_of_different_namespaces_have_leases_of_their_own(monkeypatch):
    monkeypatch.setenv("POD_NAMESPACE", "tools")
    whole, shop, both = (claim_of(Lease(), namespaces) for namespaces in ((), ("shop",), ("shop", "bank")))

    assert (whole.namespace, whole.name, whole.duration) == ("tools", "canary-operator", 15)
    assert len({whole.name, shop.name, both.name}) == 3
    assert both.name == claim_of(Lease(), ("bank", "shop")).name
    assert claim_of(Lease(), ()).identity != whole.identity


def test_a_lease_that_is_named_is_the_same_whatever_is_watched():
    """So that an upgrade that changes the namespaces has one writer all the time."""
    named = Lease(name="mine")

    assert {claim_of(named, namespaces).name for namespaces in ((), ("shop",), ("shop", "bank"))} == {"mine"}


def test_a_lease_is_where_it_is_said_else_where_the_pod_is(monkeypatch, tmp_path):
    where = tmp_path / "namespace"
    monkeypatch.setattr(lease, "_NAMESPACE_OF_POD", where)
    monkeypatch.delenv("POD_NAMESPACE", raising=False)

    assert claim_of(Lease(), ()).namespace == "canary-operator"
    where.write_text("of-the-token\n")
    assert claim_of(Lease(), ()).namespace == "of-the-token"
    monkeypatch.setenv("POD_NAMESPACE", "of-the-pod")
    assert claim_of(Lease(), ()).namespace == "of-the-pod"
    assert claim_of(Lease(namespace="home"), ()).namespace == "home"
