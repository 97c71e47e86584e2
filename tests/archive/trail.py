"""Records, places and an API server that the tests of this room begin with."""

import asyncio
import dataclasses
import json

from canary_operator.archive.backlog import Backlog
from canary_operator.archive.entry import Entry, written_entry
from canary_operator.archive.forwarding import Forwarder
from canary_operator.archive.stored import Stored
from canary_operator.archive.troubles import Teller
from canary_operator.cluster import kinds
from canary_operator.cluster.ledger import UID_LABEL
from canary_operator.errors import ClusterUnavailable
from canary_operator.model import durations
from canary_operator.model.record import GateDecisionSpec
from canary_operator.model.rollout import RolloutRef
from canary_operator.posting.once import Later, Taken
from tests.builders import CANARY, NAME, NAMESPACE, STABLE, T0, UID

REF = RolloutRef(NAMESPACE, NAME)


def a_record(sequence=1, uid=UID, **fields):
    judged = {"uid": uid, "generation": 2, "revision": 2, "podHash": CANARY, "stableHash": STABLE}
    return GateDecisionSpec.model_validate(
        {
            "rolloutName": NAME,
            "rollout": judged,
            "at": durations.format_time(T0),
            "mode": "enforce",
            "verdict": "Hold",
            "reason": "NoData",
            "message": "held at step 1/4 (25 %): error-rate has no data",
            "operatorVersion": "0.1.0",
            "actor": {"kind": "Operator"},
            "configuration": "",
            "inputs": {"digest": "", "size": 0, "data": "", "leftOut": "everything, 1 KiB"},
            "sequence": sequence,
            "previousHash": "",
            "hash": f"{sequence:064x}",
            **fields,
        }
    )


def an_entry(sequence=1, uid=UID):
    return written_entry(REF, a_record(sequence, uid))


class Records:
    """What of GateDecisions the API server has; ``down`` while it cannot be asked."""

    def __init__(self):
        self.bodies = {}
        self.down = False
        self.asked = 0

    def write(self, record):
        body = json.loads(written_entry(REF, record).line)
        body["metadata"] |= {"labels": {UID_LABEL: record.rollout.uid}, "uid": "x", "resourceVersion": "7"}
        self.bodies[record.rollout.uid, record.sequence] = body
        return record

    async def list_decisions(self, namespace=None, labels=None):
        self._asked()
        found = [body for (uid, _), body in self.bodies.items() if uid == labels[UID_LABEL]]
        return tuple(found) if namespace == NAMESPACE else ()

    async def decisions(self, namespace):
        self._asked()
        for body in list(self.bodies.values()):
            if namespace in {None, body["metadata"]["namespace"]}:
                yield body

    def _asked(self):
        self.asked += 1
        if self.down:
            raise ClusterUnavailable(f"list {kinds.GATE_DECISIONS.plural}: no answer")


@dataclasses.dataclass
class Shelf:
    """A place that takes what it is given, but for the entries that ``refuses`` says (a reason, or None)."""

    taken: list[Entry] = dataclasses.field(default_factory=list)
    attempts: int = 0

    def refuses(self, _entry):
        return None

    async def hand_on(self, entry):
        self.attempts += 1
        why = self.refuses(entry)
        if why is not None:
            return Later(why)
        self.taken.append(entry)
        return Taken()

    async def close(self):
        pass

    def sequences(self, uid=UID):
        return [each.sequence for each in self.taken if each.uid == uid]


@dataclasses.dataclass
class Counts:
    """A Watcher that counts."""

    records: dict = dataclasses.field(default_factory=dict)
    failures: dict = dataclasses.field(default_factory=dict)

    def archived(self, place, outcome, records):
        key = (place, outcome.value)
        self.records[key] = self.records.get(key, 0) + records

    def archive_failed(self, place, trouble):
        key = (place, trouble.value)
        self.failures[key] = self.failures.get(key, 0) + 1


async def until(true):
    """Wait until something that no event tells is true."""
    async with asyncio.timeout(30):
        while not true():  # noqa: ASYNC110 - places of tests tell nobody what they were given
            await asyncio.sleep(0.001)


class Desk:
    """A forwarder with everything around it; waiting takes no time."""

    def __init__(self, stored, place, notebook=None, room=10):
        self.counts = Counts()
        self.place = place
        self.waits = []
        teller = Teller("shelf", self.counts)
        self.forwarder = Forwarder(place, Backlog(Stored(stored, ()), notebook, room, teller), teller, self._sleep)

    async def _sleep(self, seconds):
        self.waits.append(seconds)
        await asyncio.sleep(0)

    async def settled(self):
        await asyncio.wait_for(self.forwarder._idle.wait(), 30)
