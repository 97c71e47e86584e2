"""The spool: whatever comes in whatever order, each chain leaves in its order, and nothing is lost that is anywhere."""

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from canary_operator.archive.entry import Entry
from canary_operator.archive.spool import Gap, Spool
from canary_operator.model.rollout import RolloutRef

REF = RolloutRef("shop", "guestbook")


def an_entry(sequence, uid="a"):
    return Entry(REF, uid, sequence, f"{uid}{sequence}")


def a_spool(room=10, *, from_the_beginning=True):
    return Spool(room, from_the_beginning=from_the_beginning)


def test_a_chain_leaves_in_its_order():
    spool = a_spool()
    for sequence in (1, 2, 3):
        spool.offer(an_entry(sequence))

    left = []
    while entry := spool.next():
        left.append(entry.sequence)
        spool.settle(entry)

    assert left == [1, 2, 3]
    assert spool.behind() == 0


def test_what_is_told_twice_waits_once():
    spool = a_spool()

    assert [spool.offer(an_entry(1)), spool.offer(an_entry(1))] == [True, False]
    assert spool.behind() == 1


def test_what_has_no_room_is_a_gap_once_what_is_here_has_left():
    spool = a_spool(room=1)
    taken = [spool.offer(an_entry(sequence)) for sequence in (1, 2, 3)]
    spool.settle(spool.next())

    assert taken == [True, False, False]
    assert spool.next() == Gap(REF, "a", 3)
    assert spool.behind() == 2


def test_a_gap_is_filled_from_what_is_stored():
    spool = a_spool()
    spool.recall(REF, "a", 1)
    spool.notice(REF, "a", 3)

    filled = spool.fill(spool.next(), [an_entry(3), an_entry(1), an_entry(2)])

    assert ([each.sequence for each in filled.taken], filled.lost) == ([2, 3], 0)


def test_what_is_nowhere_any_more_is_lost_and_what_follows_is_not():
    spool = a_spool()
    spool.recall(REF, "a", 1)
    spool.notice(REF, "a", 5)

    filled = spool.fill(spool.next(), [an_entry(4), an_entry(5)])

    assert ([each.sequence for each in filled.taken], filled.lost) == ([4, 5], 2)
    assert spool.is_settled("a", 3)
    assert not spool.is_settled("a", 4)


def test_a_chain_of_which_nothing_is_stored_is_lost_up_to_what_was_heard_when_it_was_asked():
    spool = a_spool()
    spool.recall(REF, "a", 1)
    spool.notice(REF, "a", 3)
    gap = spool.next()
    spool.offer(an_entry(4))

    assert spool.fill(gap, []).lost == 2
    assert spool.next() == Gap(REF, "a", 4), "what was written after the question was not lost"


def test_a_hole_in_what_is_stored_is_lost_when_it_is_reached():
    spool = a_spool()
    spool.recall(REF, "a", 0)
    spool.notice(REF, "a", 3)
    stored = [an_entry(1), an_entry(3)]

    first = spool.fill(spool.next(), stored)
    spool.settle(spool.next())
    second = spool.fill(spool.next(), stored)

    assert (first.lost, [each.sequence for each in first.taken]) == (0, [1])
    assert (second.lost, [each.sequence for each in second.taken]) == (1, [3])


def test_a_chain_that_nobody_knows_begins_with_the_first_that_is_stored_and_nothing_before_is_lost():
    spool = a_spool()
    spool.offer(an_entry(9))

    filled = spool.fill(spool.next(), [an_entry(8), an_entry(9)])

    assert ([each.sequence for each in filled.taken], filled.lost) == ([8, 9], 0)


def test_where_nothing_is_remembered_a_chain_begins_with_what_is_heard_of_it_first():
    spool = a_spool(from_the_beginning=False)

    assert spool.is_settled("a", 7), "what was before is nobody's business"
    assert spool.offer(an_entry(8))
    spool.notice(REF, "b", 5)
    assert (spool.behind(), spool.is_settled("a", 7), spool.is_settled("a", 8)) == (1, True, False)


def test_where_something_is_remembered_a_chain_that_nobody_knows_is_not_safe():
    assert not a_spool().is_settled("a", 1)


def test_what_is_recalled_late_takes_away_what_was_handed_on_before():
    spool = a_spool()
    for sequence in (1, 2, 3):
        spool.offer(an_entry(sequence))

    spool.recall(REF, "a", 2)

    assert spool.next() == an_entry(3)
    assert spool.behind() == 1


def test_one_chain_that_is_put_off_lets_the_others_go_first():
    spool = a_spool()
    for uid in ("a", "b"):
        spool.offer(an_entry(1, uid))

    spool.put_off("a")

    assert spool.next() == an_entry(1, "b")


def test_a_chain_with_a_gap_gets_on_though_others_have_all_the_room():
    spool = a_spool(room=1)
    spool.offer(an_entry(1, "a"))
    spool.recall(REF, "b", 0)
    spool.notice(REF, "b", 2)
    spool.put_off("a")

    filled = spool.fill(spool.next(), [an_entry(1, "b"), an_entry(2, "b")])

    assert [each.sequence for each in filled.taken] == [1]


def test_settled_chains_without_records_are_forgotten():
    spool = a_spool()
    for uid in ("gone", "known"):
        spool.recall(REF, uid, 4)
    spool.offer(an_entry(1, "behind"))

    assert spool.forget_settled({"known"}) == ["gone"]


UIDS = st.sampled_from("abc")


class Deliveries(RuleBasedStateMachine):
    """Records are written, told or not, handed on, put off, and deleted by somebody; in any order.

    ``stored`` is the API server: what is deleted there before it was handed on is all that may be lost.
    """

    @initialize(room=st.integers(1, 4), remembers=st.booleans())
    def begin(self, room, remembers):
        self.spool = Spool(room, from_the_beginning=remembers)
        self.remembers = remembers
        self.stored, self.deleted, self.lost = {}, set(), 0
        self.written, self.heard, self.left = (dict.fromkeys("abc", value) for value in (0, None, ()))

    @rule(uid=UIDS, told=st.booleans())
    def write(self, uid, told):
        self.written[uid] += 1
        entry = self.stored[uid, self.written[uid]] = an_entry(self.written[uid], uid)
        if told:
            self._hears(uid, self.written[uid], begin=self.written[uid])
            self.spool.offer(entry)

    @rule(uid=UIDS, back=st.integers(0, 3))
    def tell_again(self, uid, back):
        begin, end = self.heard[uid] or (1, 0)
        if begin <= end:
            self.spool.offer(an_entry(max(begin, end - back), uid))

    @rule(uid=UIDS)
    def look(self, uid):
        if self.written[uid]:
            # Where nothing is remembered, the first look is where a chain begins: behind what there is by then.
            self._hears(uid, self.written[uid], begin=self.written[uid] + 1)
            self.spool.notice(REF, uid, self.written[uid])

    @rule()
    def hand_on(self):
        due = self.spool.next()
        if isinstance(due, Gap):
            there = [each for each in self.stored.values() if each.uid == due.uid]
            self.lost += self.spool.fill(due, there).lost
        elif due is not None:
            self.left[due.uid] += (due.sequence,)
            self.spool.settle(due)

    @rule()
    def fail(self):
        if (due := self.spool.next()) is not None:
            self.spool.put_off(due.uid)

    @rule(uid=UIDS)
    def delete(self, uid):
        gone = [key for key in self.stored if key[0] == uid]
        self.deleted |= set(gone)
        for key in gone:
            del self.stored[key]

    def _hears(self, uid, sequence, begin):
        """Note from where to where a chain must be handed on."""
        first = (1 if self.remembers else begin) if self.heard[uid] is None else self.heard[uid][0]
        self.heard[uid] = first, sequence

    @invariant()
    def each_chain_leaves_in_its_order_and_each_record_once(self):
        for left in self.left.values():
            assert list(left) == sorted(set(left))

    def teardown(self):
        while self.spool.next() is not None:
            self.hand_on()
        assert self.spool._held == 0
        assert self.deleted or not self.lost
        for uid, heard in self.heard.items():
            begin, end = heard or (1, 0)
            missing = {(uid, sequence) for sequence in range(begin, end + 1)} - {(uid, each) for each in self.left[uid]}
            assert missing <= self.deleted


TestDeliveries = Deliveries.TestCase
TestDeliveries.settings = settings(max_examples=200, stateful_step_count=40)


@given(st.lists(st.tuples(st.integers(1, 30), st.sampled_from("ab")), max_size=60), st.integers(1, 5))
def test_no_more_waits_here_than_there_is_room_for(told, room):
    spool = a_spool(room)
    for sequence, uid in told:
        spool.offer(an_entry(sequence, uid))

    assert spool._held <= room
    assert spool._held == sum(len(chain.waiting) for chain in spool._chains.values())
