"""Records reach their place at least once and in order, whoever is away meanwhile and whenever the operator dies."""

import asyncio
import inspect
import json

import pytest
from structlog.testing import capture_logs

from canary_operator.archive.notebook import Notebook
from canary_operator.archive.stream import Stream
from canary_operator.model.gate import GateStatus
from canary_operator.model.look import Listener, Look
from canary_operator.model.sink import Sink
from tests.archive.trail import REF, Desk, Records, Shelf, a_record, until
from tests.builders import CANARY, STABLE, UID, a_snapshot

DELIVERED, LOST = ("shelf", "delivered"), ("shelf", "lost")


class Silent(Shelf):
    """A place that is away while ``away`` holds a reason."""

    def __init__(self, away="HTTP 503"):
        super().__init__()
        self.away = away

    def refuses(self, _entry):
        return self.away


def a_look(sequence):
    judged = {"uid": UID, "generation": 2, "revision": 2, "podHash": CANARY, "stableHash": STABLE}
    status = GateStatus.model_validate({"rollout": judged, "sequence": sequence})
    return Look(a_snapshot(), status, 0.0, verdict_changed=False)


@pytest.fixture
def records():
    return Records()


@pytest.fixture
def notebook(tmp_path):
    return Notebook(tmp_path / "shelf.sqlite")


async def stopped(desk):
    """As a kill leaves it: nothing is finished."""
    desk.forwarder._task.cancel()
    await asyncio.wait([desk.forwarder._task])


def test_it_is_a_sink_and_a_listener():
    desk = Desk(Records(), Shelf())
    _sink: Sink = desk.forwarder
    _listener: Listener = desk.forwarder

    for name in ("keep", "is_kept", "looked", "forget"):
        assert not inspect.iscoroutinefunction(getattr(desk.forwarder, name)), "returns at once"


async def test_records_are_handed_on_in_the_order_of_their_chain(records):
    desk = Desk(records, Shelf())
    desk.forwarder.start()
    for sequence in range(1, 6):
        desk.forwarder.keep(REF, records.write(a_record(sequence)))
    await desk.settled()

    assert desk.place.sequences() == [1, 2, 3, 4, 5]
    assert desk.counts.records == {DELIVERED: 5}
    assert desk.forwarder.is_kept(UID, 5)
    assert records.asked == 0


async def test_a_place_that_is_away_gets_everything_in_order_when_it_is_back(records, notebook):
    desk = Desk(records, Silent(), notebook, room=3)
    with capture_logs() as lines:
        desk.forwarder.start()
        for sequence in range(1, 9):
            desk.forwarder.keep(REF, records.write(a_record(sequence)))
        await until(lambda: desk.place.attempts >= 5)
        assert (desk.forwarder.behind(), desk.forwarder.is_kept(UID, 1)) == (8, False)
        desk.place.away = None
        await desk.settled()

    assert desk.place.sequences() == list(range(1, 9))
    assert desk.counts.records == {DELIVERED: 8}
    assert desk.counts.failures["shelf", "place"] >= 5
    assert [line["event"] for line in lines] == ["audit_place_fails", "audit_place_works_again"], "told once"
    assert lines[0]["message"] == "HTTP 503"


async def test_waits_grow_and_stay_within_a_minute(records):
    desk = Desk(records, Silent())
    desk.forwarder.start()
    desk.forwarder.keep(REF, records.write(a_record()))
    await until(lambda: len(desk.waits) >= 12)
    await stopped(desk)

    assert all(0 <= wait <= min(2**number, 60) for number, wait in enumerate(desk.waits))


async def test_a_record_that_is_never_taken_stops_no_other_rollout(records, notebook):
    class Picky(Shelf):
        def refuses(self, entry):
            return "HTTP 413" if entry.uid == "huge" else None

    desk = Desk(records, Picky(), notebook)
    desk.forwarder.start()
    for sequence in (1, 2, 3):
        for uid in ("huge", "other"):
            desk.forwarder.keep(REF, records.write(a_record(sequence, uid)))
    await until(lambda: len(desk.place.taken) == 3)

    assert desk.place.sequences("other") == [1, 2, 3]
    assert (desk.place.sequences("huge"), desk.forwarder.behind()) == ([], 3)
    await stopped(desk)


@pytest.mark.parametrize("told", [True, False], ids=["after it was told", "before it was told"])
async def test_a_kill_loses_nothing_that_is_recorded(records, notebook, told):
    desk = Desk(records, Silent(), notebook)
    desk.forwarder.start()
    desk.forwarder.keep(REF, records.write(a_record(1)))
    desk.place.away = None
    await desk.settled()
    desk.place.away = "HTTP 503"
    for sequence in (2, 3):
        record = records.write(a_record(sequence))
        if told:
            desk.forwarder.keep(REF, record)
    await asyncio.sleep(0.05)
    await stopped(desk)

    again = Desk(records, Shelf(), notebook)
    again.forwarder.start()
    await again.settled()

    assert desk.place.sequences() + again.place.sequences() == [1, 2, 3]


async def test_what_waits_on_disk_outlives_its_namespace(records, notebook):
    desk = Desk(records, Silent(), notebook)
    desk.forwarder.start()
    for sequence in (1, 2):
        desk.forwarder.keep(REF, records.write(a_record(sequence)))
    await until(lambda: desk.place.attempts >= 2)
    await stopped(desk)
    records.bodies.clear()

    again = Desk(records, Shelf(), notebook)
    again.forwarder.start()
    await again.settled()

    assert again.place.sequences() == [1, 2]
    assert again.counts.records == {DELIVERED: 2}


async def test_what_is_nowhere_any_more_is_told_as_lost(records, notebook):
    desk = Desk(records, Silent(), notebook, room=1)
    desk.forwarder.start()
    for sequence in range(1, 6):
        desk.forwarder.keep(REF, records.write(a_record(sequence)))
    await asyncio.sleep(0.05)
    records.bodies.clear()
    with capture_logs() as lines:
        desk.place.away = None
        await desk.settled()

    assert desk.place.sequences() == [1]
    assert desk.counts.records == {DELIVERED: 1, LOST: 4}
    (line,) = [line for line in lines if line["event"] == "audit_records_lost"]
    assert (line["rollout"], line["records"], line["upto"]) == (str(REF), 4, 5)


async def test_a_new_place_gets_everything_that_is_stored(records, notebook):
    for sequence in range(5, 26):
        records.write(a_record(sequence))
    desk = Desk(records, Shelf(), notebook)

    desk.forwarder.start()
    await desk.settled()

    assert desk.place.sequences() == list(range(5, 26))
    assert LOST not in desk.counts.records


async def test_without_a_spool_what_was_before_is_not_sent_and_what_comes_is(records):
    for sequence in (1, 2):
        records.write(a_record(sequence))
    desk = Desk(records, Shelf())
    desk.forwarder.start()
    desk.forwarder.looked(a_look(2))
    desk.forwarder.keep(REF, records.write(a_record(3)))
    await desk.settled()

    assert desk.place.sequences() == [3]
    assert desk.forwarder.is_kept(UID, 1)


async def test_a_look_tells_of_records_that_nobody_told(records):
    desk = Desk(records, Shelf())
    desk.forwarder.start()
    desk.forwarder.keep(REF, records.write(a_record(1)))
    for sequence in (2, 3):
        records.write(a_record(sequence))
    desk.forwarder.looked(a_look(3))
    await desk.settled()

    assert desk.place.sequences() == [1, 2, 3]


async def test_an_api_server_that_is_away_is_asked_again(records, notebook):
    records.down = True
    desk = Desk(records, Shelf(), notebook)
    desk.forwarder.start()
    records.write(a_record(1))
    await until(lambda: records.asked >= 3)
    records.down = False
    await desk.settled()

    assert desk.place.sequences() == [1]
    assert desk.counts.failures["shelf", "records"] >= 3


async def test_a_spool_that_cannot_be_used_costs_nothing_but_its_memory(records, tmp_path):
    (tmp_path / "spool").write_text("a file, not a folder")
    desk = Desk(records, Shelf(), Notebook(tmp_path / "spool" / "shelf.sqlite"))
    with capture_logs() as lines:
        desk.forwarder.start()
        for sequence in (1, 2):
            desk.forwarder.keep(REF, records.write(a_record(sequence)))
        await desk.settled()

    assert desk.place.sequences() == [1, 2]
    assert desk.counts.failures["shelf", "spool"] > 0
    assert len([line for line in lines if line.get("trouble") == "spool"]) == 1, "told once"


async def test_whatever_nobody_has_foreseen_is_told_and_tried_again(records):
    class Broken(Shelf):
        async def hand_on(self, entry):
            self.attempts += 1
            if self.attempts == 1:
                raise RuntimeError("https://audit.example/s3cret")
            return await super().hand_on(entry)

    desk = Desk(records, Broken())
    with capture_logs() as lines:
        desk.forwarder.start()
        desk.forwarder.keep(REF, records.write(a_record()))
        await desk.settled()

    assert desk.place.sequences() == [1]
    assert lines[0]["message"] == "RuntimeError"


async def test_a_full_disk_gets_what_it_missed_once_there_is_room(records, tmp_path):
    file = tmp_path / "decisions.jsonl"
    file.symlink_to("/dev/full")
    desk = Desk(records, Stream(file))
    desk.forwarder.start()
    for sequence in (1, 2, 3):
        desk.forwarder.keep(REF, records.write(a_record(sequence)))
    await until(lambda: len(desk.waits) >= 3)

    file.unlink()
    await desk.settled()

    assert [json.loads(line)["spec"]["sequence"] for line in file.read_text().splitlines()] == [1, 2, 3]


async def test_it_ends_in_time_whatever_hangs(records):
    class Hanging(Shelf):
        async def hand_on(self, _entry):
            await asyncio.Event().wait()

    desk = Desk(records, Hanging())
    desk.forwarder.start()
    desk.forwarder.keep(REF, records.write(a_record()))

    async with asyncio.timeout(5):
        await desk.forwarder.close(0.05)


async def test_what_can_be_handed_on_before_the_end_is(records):
    desk = Desk(records, Shelf())
    desk.forwarder.start()
    desk.forwarder.keep(REF, records.write(a_record()))

    await desk.forwarder.close(30.0)

    assert desk.place.sequences() == [1]
