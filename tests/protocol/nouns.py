"""What a state of the model is: the API server, Argo, the replicas of the operator, and what really happened.

Law: frozen nouns. Objects are canonical JSON texts, so that a state can be compared, kept and hashed.
"""

import enum
import json
from dataclasses import dataclass
from typing import Any

from tests.builders import T0

Body = dict[str, Any]


def text_of(body: Any) -> str:
    """The one text of a body."""
    return json.dumps(body, sort_keys=True, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Objects:
    """The Rollout, the CanaryGate's status and what its spec wishes (an override, or nothing)."""

    rollout: str
    gate: str = "{}"
    wish: str = ""


@dataclass(frozen=True, slots=True)
class Lease:
    """Who holds it, and how often it was written; nobody's where ``holder`` is empty."""

    holder: str = ""
    version: int = 0


@dataclass(frozen=True, slots=True)
class Cluster:
    """What the API server has. ``records`` is the chain of GateDecisions."""

    objects: Objects
    records: tuple[str, ...] = ()
    lease: Lease = Lease()


@dataclass(frozen=True, slots=True)
class Argo:
    """Argo's controller.

    Args:

        cache: the Rollout as its informer has it.

        heard: the Rollout as the watch told it last.

        in_hand: what its last write returned; up to 1.9.1 that replaces whatever the informer has heard meanwhile.

        due: whether the Rollout is in its queue.
    """

    cache: str
    heard: str
    in_hand: str = ""
    due: bool = True


class Frozen(enum.Enum):
    """Whether a replica stands still, and whether its next request has passed its fence already."""

    NO = "no"
    BEFORE = "before its next request"
    SENT = "with its next request on the way"


@dataclass(frozen=True, slots=True)
class Reply:
    """What a request was answered with; without an answer nobody knows whether it was done."""

    answered: bool
    text: str = ""


@dataclass(frozen=True, slots=True)
class Cycle:
    """A look that is under way: what it began with, and what it was answered so far."""

    objects: Objects
    at: float
    answer: str
    replies: tuple[Reply, ...] = ()


@dataclass(frozen=True, slots=True)
class Replica:
    """One process of the operator.

    Args:

        objects: what its watches have told, and what it wrote itself.

        news: whether it has heard something since its last look.

        fence: until when it holds the Lease, by its own clock.

        lease_version: the Lease as it was seen last, and ``lease_since`` since when.
    """

    name: str
    objects: Objects
    alive: bool = True
    frozen: Frozen = Frozen.NO
    deaf: bool = False
    cycle: Cycle | None = None
    next_look: float = T0
    news: bool = True
    fence: float = 0.0
    lease_version: int = 0
    lease_since: float = T0

    @property
    def moves(self) -> bool:
        """Whether it runs."""
        return self.alive and self.frozen is Frozen.NO


@dataclass(frozen=True, slots=True)
class Spot:
    """A pause: of which version, at which step, begun when."""

    pod_hash: str
    step: int
    start: float


class Licence(enum.Enum):
    """Why a pause may end."""

    NONE = "nobody has said so"
    GATE = "the gate has promoted"
    PERSON = "a person has promoted"
    UNGATED = "a person took the gate away"
    UNATTENDED = "no replica ran for long enough"


@dataclass(frozen=True, slots=True)
class Truth:
    """What really happened, as nobody in the model knows it.

    Args:

        spot: the pause that the Rollout is at.

        good: whether good evidence was heard at this very pause.

        attended: seconds in one piece for which a replica ran at this pause.

        bad: versions about which bad evidence was heard, or which a person wants aborted.

        applied: decisions that were carried out, with their action.

        recorded: records of actions: decision and outcome.

        meddled: what people did since an intention was written down last.

        wrong: what must never happen, and did.
    """

    spot: Spot | None = None
    licence: Licence = Licence.NONE
    good: bool = False
    attended: float = 0.0
    bad: frozenset[str] = frozenset()
    applied: tuple[tuple[str, str], ...] = ()
    recorded: tuple[tuple[str, str], ...] = ()
    meddled: frozenset[str] = frozenset()
    wrong: str = ""


@dataclass(frozen=True, slots=True)
class State:
    """Everything at one moment. ``faults`` and ``acts`` are how many more may happen."""

    now: float
    cluster: Cluster
    argo: Argo
    replicas: tuple[Replica, ...]
    truth: Truth
    faults: int
    acts: int
