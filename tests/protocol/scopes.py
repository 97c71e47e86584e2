"""What is explored: which release, what may go wrong and what people may do, and how often.

Law: parameters and their names; nothing here moves.
"""

from dataclasses import dataclass

from tests.builders import Body, pause, set_weight

# Seconds; a pause is longer than a Lease, so that another replica can take over within it.
PAUSE = 12
LEASE = 6.0
INTERVAL = 6.0
# A replica that runs for so long in one piece has held the pause twice, one lost reply included.
ATTENDED = 4.0

TIMED = (set_weight(25), pause(f"{PAUSE}s"))
TWO = (set_weight(25), pause(f"{PAUSE}s"), pause())
UNTIMED = (set_weight(25), pause(), pause())


@dataclass(frozen=True, slots=True)
class Scope:
    """A release and its troubles.

    Args:

        steps: of the canary.

        replicas: of the operator; more than one have a Lease.

        answers: what Prometheus may say at each look.

        faults: what may go wrong, and ``most_faults`` how often in all.

        acts: what people may do, and ``most_acts`` how often in all.

        from_pause: begin where Argo begins the first pause, not where the version is pushed.

        falls_back: whether Argo's informer falls back to an older object as up to 1.9.1.
    """

    name: str
    steps: tuple[Body, ...]
    replicas: int = 1
    answers: tuple[str, ...] = ("good",)
    faults: tuple[str, ...] = ()
    most_faults: int = 0
    acts: tuple[str, ...] = ()
    most_acts: int = 0
    falls_back: bool = True
    from_pause: bool = False
    interval: float = INTERVAL

    @property
    def leased(self) -> bool:
        return self.replicas > 1


REQUESTS = ("crash", "lose", "drop")
PEOPLE = (
    "promotes", "promotes in full", "aborts", "retries", "undoes", "pushes a third version", "edits the steps",
    "pauses the Rollout", "unpauses the Rollout", "scales", "takes the gate away", "gives the gate back",
    "wishes a promotion", "wishes an abort", "wishes a hold", "wishes nothing any more",
)  # fmt: skip

CALM = Scope("everything behaves", TIMED)
ANSWERS = Scope("any answer at each look", TWO, answers=("good", "bad", "none"))
FAULTS = Scope("a crash, a lost request or a lost reply", TIMED, faults=REQUESTS, most_faults=1)
LATE = Scope("a watch that is late", TWO, faults=("deaf",), most_faults=1, from_pause=True)
LEASES = Scope("two replicas", TIMED, replicas=2, faults=("crash", "freeze", "stop"), most_faults=1, from_pause=True)
BY_PEOPLE = Scope("one act of a person", TIMED, acts=PEOPLE, most_acts=1, from_pause=True)
BETWEEN = Scope(
    "an act and a fault", UNTIMED, acts=PEOPLE, most_acts=1, faults=REQUESTS, most_faults=1, from_pause=True
)

ALL = (CALM, ANSWERS, FAULTS, LATE, LEASES, BY_PEOPLE, BETWEEN)
