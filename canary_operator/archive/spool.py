"""What is still to be handed on, Rollout by Rollout.

A chain that has records for which there is no room, or of which only the place was heard, has a gap: whoever hands on
asks the API server for what is in it.

Law: pure. Nothing is handed on before what stands before it in its chain is settled: handed on, or known to be lost.
"""

from collections import OrderedDict, deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from canary_operator.archive.entry import Entry
from canary_operator.model.rollout import RolloutRef


@dataclass(frozen=True, slots=True)
class Gap:
    """Records of a chain that are not here: those after a place, up to one that was heard of."""

    ref: RolloutRef
    uid: str
    upto: int


@dataclass(frozen=True, slots=True)
class Filled:
    """What was found for a gap: the entries that were taken, and how many places are lost."""

    taken: tuple[Entry, ...]
    lost: int


@dataclass(slots=True)
class _Chain:
    """``done``: the place up to which all is settled; None where the first record that there is begins the chain."""

    ref: RolloutRef
    uid: str
    done: int | None
    head: int = 0
    waiting: deque[Entry] = field(default_factory=deque)

    @property
    def last(self) -> int | None:
        return self.waiting[-1].sequence if self.waiting else self.done

    @property
    def behind(self) -> int:
        return max(0, self.head - (self.done or 0))

    def follows(self, sequence: int) -> bool:
        """Whether a place is the very next one."""
        return sequence == (self.last or 0) + 1


class Spool:
    """The chains of all Rollouts at one place.

    Args:

        room: how many entries wait here at most; the others wait in the API server.

        from_the_beginning: whether a chain that nobody knows yet is handed on from its first record on, or from the
            one on that is heard of first.
    """

    def __init__(self, room: int, *, from_the_beginning: bool) -> None:
        self._room = room
        self._from_the_beginning = from_the_beginning
        self._chains: dict[str, _Chain] = {}
        # Chains that are behind, the one that has waited for longest first.
        self._due: OrderedDict[str, _Chain] = OrderedDict()
        self._held = 0

    def recall(self, ref: RolloutRef, uid: str, done: int) -> None:
        """Remember up to which place a chain was handed on before; something of it may have been heard already."""
        chain = self._chains.setdefault(uid, _Chain(ref, uid, None))
        while chain.waiting and chain.waiting[0].sequence <= done:
            chain.waiting.popleft()
            self._held -= 1
        chain.done = max(done, chain.done or 0)
        self._sort(chain)

    def knows(self, uid: str) -> bool:
        """Whether anything was heard of a chain."""
        return uid in self._chains

    def notice(self, ref: RolloutRef, uid: str, sequence: int) -> None:
        """Hear that a chain has a record at a place."""
        chain = self._chain(ref, uid, begins_after=sequence)
        self._heard(chain, sequence)

    def offer(self, entry: Entry) -> bool:
        """Hear of a record. Whether it waits here now: there may be no room, or others of its chain come first."""
        chain = self._chain(entry.ref, entry.uid, begins_after=entry.sequence - 1)
        self._heard(chain, entry.sequence)
        return self._take(chain, entry, self._room)

    def next(self) -> Entry | Gap | None:
        """What is to be handed on, or asked for, before anything else; None where all is settled."""
        for chain in self._due.values():
            return chain.waiting[0] if chain.waiting else Gap(chain.ref, chain.uid, chain.head)
        return None

    def settle(self, entry: Entry) -> None:
        """An entry was handed on; it was the first of its chain."""
        chain = self._chains[entry.uid]
        chain.waiting.popleft()
        self._held -= 1
        self._done(chain, entry.sequence)

    def put_off(self, uid: str) -> None:
        """Let the other chains have their turn before this one."""
        self._due.move_to_end(uid)

    def fill(self, gap: Gap, stored: Sequence[Entry]) -> Filled:
        """Take what the API server has of a chain whose gap was asked for; what it does not have is lost."""
        chain = self._chains[gap.uid]
        there = sorted((each for each in stored if each.sequence > (chain.last or 0)), key=lambda each: each.sequence)
        if there:
            self._heard(chain, there[-1].sequence)
        lost = 0
        if not chain.waiting:
            settled = there[0].sequence - 1 if there else gap.upto
            lost = 0 if chain.done is None else max(0, settled - chain.done)
            self._done(chain, max(settled, chain.done or 0))
        # One is taken even where others have all the room: a chain that has a gap would never move.
        room = max(self._room, self._held + 1)
        return Filled(tuple(each for each in there if self._take(chain, each, room)), lost)

    def is_settled(self, uid: str, sequence: int) -> bool:
        """Whether a record need not be kept anywhere else for this place's sake."""
        chain = self._chains.get(uid)
        if chain is None:
            return not self._from_the_beginning
        return chain.done is not None and sequence <= chain.done

    def done(self, uid: str) -> int:
        """The place up to which a chain is settled, 0 where none is."""
        return self._chains[uid].done or 0

    def behind(self) -> int:
        """How many records wait, here or in the API server."""
        return sum(chain.behind for chain in list(self._due.values()))

    def forget_settled(self, known: Collection[str]) -> list[str]:
        """Forget the chains that are settled and not ``known`` to have records; returns which."""
        gone = [uid for uid in self._chains if uid not in known and uid not in self._due]
        for uid in gone:
            del self._chains[uid]
        return gone

    def _chain(self, ref: RolloutRef, uid: str, begins_after: int) -> _Chain:
        if uid not in self._chains:
            begins = None if self._from_the_beginning and begins_after else begins_after
            self._chains[uid] = _Chain(ref, uid, begins)
        return self._chains[uid]

    def _heard(self, chain: _Chain, sequence: int) -> None:
        chain.head = max(chain.head, sequence)
        self._sort(chain)

    def _sort(self, chain: _Chain) -> None:
        """Whether a chain is behind, or not any more."""
        chain.head = max(chain.head, chain.done or 0)
        if chain.behind:
            self._due.setdefault(chain.uid, chain)
        else:
            self._due.pop(chain.uid, None)

    def _take(self, chain: _Chain, entry: Entry, room: int) -> bool:
        unknown_begin = chain.done is None and not chain.waiting
        if unknown_begin or not chain.follows(entry.sequence) or self._held >= room:
            return False
        chain.waiting.append(entry)
        self._held += 1
        return True

    def _done(self, chain: _Chain, sequence: int) -> None:
        chain.done = sequence
        self._due.move_to_end(chain.uid)
        self._sort(chain)
