"""One replica writes: who, and until when."""

import itertools
import math
import random
from dataclasses import replace

import pytest

from canary_operator.cluster import calls
from canary_operator.cluster.api import Written, lease_body, parse_lease
from canary_operator.cluster.lease import Claim, Fence, Leadership, claim_of
from canary_operator.errors import ClusterUnavailable
from canary_operator.model.decision import Outcome
from canary_operator.model.lease import LeaseRecord
from canary_operator.settings import Lease

WRITE = calls.PATCH_ROLLOUT_STATUS
DURATION = 15.0


class Server:
    """One Lease in memory. ``lost`` counts answers that will not arrive, though the write is done."""

    def __init__(self):
        self.record = None
        self.broken = False
        self.lost = 0
        self._versions = itertools.count(1)

    async def get_lease(self, namespace, name):
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
    """A hold on the Lease together with its fence."""

    def __init__(self, server, clock, name):
        self.own = Fence(DURATION, clock)
        claim = Claim("home", "canary-operator", name, DURATION)
        super().__init__(server, claim, self.own, lambda: f"at {clock.now}")

    @property
    def leads(self):
        return self.own.is_open

    def fence(self, call):
        return self.own.seconds_for(call)


def a_replica(server, clock, name):
    return Replica(server, clock, name)


async def test_the_first_replica_holds_the_lease_and_the_second_waits(server, clock):
    one, two = a_replica(server, clock, "one"), a_replica(server, clock, "two")

    await one.renew()
    await two.renew()

    assert (one.leads, two.leads) == (True, False)
    assert (server.record.holder, server.record.transitions) == ("one", 0)


async def test_no_write_begins_in_the_last_third_and_none_lasts_beyond_the_end(server, clock):
    one = a_replica(server, clock, "one")
    assert one.fence(WRITE) == 0
    await one.renew()

    clock.now += 9.9
    assert one.fence(WRITE) == pytest.approx(5.1)
    clock.now += 0.2
    assert (one.leads, one.fence(WRITE)) == (False, 0)


async def test_reading_and_renewing_are_never_fenced(server, clock):
    one = a_replica(server, clock, "one")

    assert one.fence(calls.GET_ROLLOUT) == one.fence(calls.UPDATE_LEASE) == math.inf


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
        ends = [(each, clock.now + each.fence(WRITE)) for each in replicas if each.fence(WRITE)]
        assert len(ends) <= 1, "two may begin a write"
        led |= {replicas.index(each) for each, _ in ends}
    assert len(led) > 1, "the Lease has changed hands"


def test_a_lease_is_read_as_it_was_written():
    record = LeaseRecord("one", "2026-11-30T10:00:00.000000Z", "2026-11-30T09:00:00.000000Z", 15.0, 3, "77")

    assert parse_lease(lease_body("home", "canary-operator", record)) == record
    assert lease_body("home", "x", replace(record, duration=2.1))["spec"]["leaseDurationSeconds"] == 3


def test_operators_of_different_namespaces_have_leases_of_their_own(monkeypatch):
    monkeypatch.setenv("POD_NAMESPACE", "tools")
    whole, shop, both = (claim_of(Lease(), namespaces) for namespaces in ((), ("shop",), ("shop", "bank")))

    assert (whole.namespace, whole.name, whole.duration) == ("tools", "canary-operator", 15)
    assert len({whole.name, shop.name, both.name}) == 3
    assert both.name == claim_of(Lease(), ("bank", "shop")).name
    assert claim_of(Lease(), ()).identity != whole.identity
    assert claim_of(Lease(namespace="home", name="mine"), ()).namespace == "home"
    monkeypatch.delenv("POD_NAMESPACE")
    assert claim_of(Lease(), ()).namespace == "canary-operator"
