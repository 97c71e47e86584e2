"""What begins with a term, what is forgotten at its end, and what is overheard between two."""

import asyncio
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from kubernetes.client import Configuration

from canary_operator import wiring
from canary_operator.cluster import kinds
from canary_operator.cluster.ledger import Ledger
from canary_operator.cluster.scribe import Scribe
from canary_operator.cluster.snapshot import Reader
from canary_operator.cluster.store import Store
from canary_operator.engine.answering import Told
from canary_operator.journal.records import Origin
from canary_operator.leading import Terms
from canary_operator.model.gate import GateStatus
from canary_operator.model.providers import ProviderAddresses
from canary_operator.model.rollout import RolloutRef
from canary_operator.reconcile import World
from canary_operator.settings import Settings
from canary_operator.telemetry import Telemetry
from canary_operator.wiring import Operator
from tests.builders import NAME, NAMESPACE, T0, at_a_pause
from tests.cluster_in_memory import ClusterInMemory

REF = RolloutRef(NAMESPACE, NAME)


class Ear:
    """A listener that says what it has heard."""

    def __init__(self):
        self.forgotten = []

    def looked(self, look):
        pass

    def forget(self, ref):
        self.forgotten.append(ref)


class House:
    """Terms and what is around them; a look lasts until ``free`` is set."""

    def __init__(self):
        self.store, self.ear, self.looks, self.listed = Store(), Ear(), [], 0
        self.free, self.seen = asyncio.Event(), asyncio.Event()
        self.free.set()
        api = ClusterInMemory(self.store)
        api.put(kinds.ROLLOUTS, at_a_pause())
        self.api = api
        self.world = World(
            reader=Reader(self.store, api, ProviderAddresses({}), 15.0),
            fetch=None,
            api=api,
            scribe=Scribe(api, self.store, lambda _: ""),
            ledger=Ledger(api, Origin("configuration"), 100),
            telemetry=Telemetry(),
            clock=lambda: T0,
            listeners=(self.ear,),
        )
        self.terms = Terms(self.world, self.store, self.look, self.list_all)

    async def list_all(self):
        self.listed += 1

    async def look(self, ref):
        self.looks.append(ref)
        self.seen.set()
        await self.free.wait()
        return float("inf")

    async def a_term(self):
        self.seen.clear()
        over = asyncio.Event()
        serving = asyncio.create_task(self.terms.serve(over))
        await asyncio.wait_for(self.seen.wait(), 30)
        over.set()
        await serving


async def test_a_term_begins_with_what_others_have_written_and_looks_at_everything():
    house = House()

    await house.a_term()
    await house.a_term()

    assert (house.listed, house.looks) == (2, [REF, REF])


async def test_what_was_due_and_told_in_a_term_is_forgotten_at_its_end():
    house = House()
    house.world.last_words[REF] = Told(GateStatus(), T0, 60.0)

    await house.a_term()
    house.terms.mark(RolloutRef("elsewhere", "later"))
    await house.a_term()

    assert house.world.last_words == {}
    assert house.ear.forgotten == [REF, REF]
    assert RolloutRef("elsewhere", "later") not in house.looks


async def test_a_look_that_is_under_way_is_finished_before_a_term_is_over():
    house, over = House(), asyncio.Event()
    house.free.clear()
    serving = asyncio.create_task(house.terms.serve(over))
    await asyncio.wait_for(house.seen.wait(), 30)

    over.set()
    await asyncio.sleep(0)
    assert not serving.done()
    house.free.set()
    await serving

    assert house.ear.forgotten == [REF]


def said(house, generation=1, **changed):
    known = {"phase": "Judging", "verdict": "Hold", "reason": "Collecting", "observedGeneration": 1, **changed}
    body = {"metadata": {"name": NAME, "namespace": NAMESPACE, "generation": generation}, "status": known}
    house.api.put(kinds.CANARY_GATES, body)


async def test_a_replica_that_watches_knows_what_a_gate_says_from_its_status():
    house = House()
    said(house)

    assert house.terms.overhear(REF).status.reason == "Collecting"

    words = house.world.last_words[REF]
    assert (words.status.reason, words.at, words.counts_for) == ("Collecting", T0, 60.0)


@pytest.mark.parametrize(
    "changed",
    [{"generation": 2}, {"unseenSince": "2026-09-14T10:00:00Z"}],
    ids=["a person has changed what the gate is told", "nothing was judged"],
)
async def test_what_is_no_look_of_another_replica_makes_no_word_younger(changed):
    house = House()
    said(house, **changed)

    assert house.terms.overhear(REF) is None
    assert house.world.last_words == {}


@pytest.fixture
def hanging():
    """The address of an API server that says nothing but about Leases."""
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            if "/leases/" not in self.path:
                over.wait(60)
            missing = {"kind": "Status", "message": "not found", "details": {"name": "x", "kind": "leases"}}
            self.say(404, missing)

        def do_POST(self):
            self.say(201, json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def say(self, status, document):
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        over.set()
        server.shutdown()


async def test_looks_that_hang_keep_nobody_from_renewing(hanging, monkeypatch):
    monkeypatch.setattr(wiring, "load_credentials", lambda: Configuration(host=hanging))
    operator = Operator(Settings(lease={"duration": "1m"}), ())
    looks = [asyncio.create_task(operator._api.get_rollout(REF)) for _ in range(20)]
    await asyncio.sleep(0)

    assert await operator._leadership.renew() is True

    assert not any(look.done() for look in looks)
    assert operator._may_write()
    for look in looks:
        look.cancel()
