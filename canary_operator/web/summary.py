"""One gate in one line, who must look at it, and which gates somebody wants to see.

Law: pure. What needs a person is what the tables of precedence say.
"""

import enum
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from canary_operator.engine import tables
from canary_operator.model.gate import GateStatus
from canary_operator.model.rollout import RolloutRef
from canary_operator.model.verdict import Finding, Verdict, parse_reason
from canary_operator.web.sight import Known

NO_VERDICT = "None"
VERDICTS = (Verdict.ABORT.value, Verdict.HOLD.value, Verdict.PROMOTE.value, NO_VERDICT)


class Group(enum.Enum):
    """The groups of the table, in their order."""

    PERSON = "Needs a person"
    JUDGING = "Being judged"
    ENDED = "Ended"
    IDLE = "No release"


ORDER = {group: position for position, group in enumerate(Group)}


@dataclass(frozen=True, slots=True)
class Balance:
    """0 to 1: how near a gate is to an abort, which one evidence is enough for, and to a promotion, which needs all."""

    abort: float
    promote: float


@dataclass(frozen=True, slots=True)
class Summary:
    """One gate in one line; ``balance`` is None where there is no evidence."""

    ref: RolloutRef
    status: GateStatus
    group: Group
    balance: Balance | None
    message: str

    @property
    def verdict(self) -> str:
        """The verdict, ``None`` in words where there is nothing to judge."""
        return self.status.verdict or NO_VERDICT

    @property
    def key(self) -> str:
        """What sorts the rows of one group: those that still go on first, then by name."""
        return f"{'1' if self.status.phase == 'Ended' else '0'}{self.ref}"

    @property
    def words(self) -> str:
        """What a search looks in, in lower case."""
        return f"{self.ref} {self.verdict} {self.status.reason} {self.message}".lower()


def summary(known: Known) -> Summary:
    """A gate in one line."""
    status = known.status
    return Summary(known.ref, status, _group(known), _balance(status), known.lack or status.message)


def _group(known: Known) -> Group:
    status = known.status
    if known.lack or _needs_a_person(status):
        return Group.PERSON
    return {"Judging": Group.JUDGING, "Ended": Group.ENDED, "Idle": Group.IDLE}[status.phase]


def _needs_a_person(status: GateStatus) -> bool:
    if status.verdict is None:
        return False
    if status.phase == "Judging" and status.last_action is not None and status.last_action.outcome == "Refused":
        return True
    try:
        finding = Finding(parse_reason(status.verdict, status.reason), "")
    except ValueError:
        # A newer operator wrote it; whoever reads it can tell.
        return True
    # What has ended with a hold was ended by somebody who knew.
    open_or_aborted = status.phase == "Judging" or status.verdict == Verdict.ABORT.value
    return open_or_aborted and tables.needs_a_person(finding)


def _balance(status: GateStatus) -> Balance | None:
    if not status.evidence or status.phase == "Idle":
        return None
    return Balance(
        max(each.towards_abort for each in status.evidence), min(each.towards_promote for each in status.evidence)
    )


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which gates somebody wants to see; an empty field wants all."""

    text: str = ""
    namespace: str = ""
    verdict: str = ""

    def matches(self, row: Summary) -> bool:
        """Whether a gate is wanted: its namespace, its verdict, and every word of the text somewhere in it."""
        if self.namespace not in ("", row.ref.namespace) or self.verdict not in ("", row.verdict):
            return False
        words = row.words
        return all(word in words for word in self.text.lower().split())

    def query(self, **changes: str) -> str:
        """The query of an address that wants this, with some fields changed; empty where all is wanted."""
        fields: Mapping[str, str] = {"q": self.text, "namespace": self.namespace, "verdict": self.verdict} | changes
        given = {name: value for name, value in fields.items() if value}
        return urlencode(given)


def counts(rows: Iterable[Summary]) -> Mapping[str, int]:
    """How many gates have each verdict, all verdicts included."""
    found = Counter(row.verdict for row in rows)
    return {verdict: found[verdict] for verdict in VERDICTS}
