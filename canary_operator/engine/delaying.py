"""What a release waits for although its evidence suffices: the calendar, and the other releases.

Law: nouns only. A delay keeps back a promotion and nothing else: an abort, and a person's word, come at once.
"""

from dataclasses import dataclass

from canary_operator.model.verdict import Finding


@dataclass(frozen=True, slots=True)
class Delay:
    """A hold that is not about evidence.

    ``until`` is when it is over unless something changes, Unix seconds; infinity where nobody knows.
    """

    finding: Finding
    until: float
