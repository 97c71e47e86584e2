"""What one request to a provider came to.

Law: nouns only, of this room. Nothing of a body, a header or a credential is in them but numbers.
"""

import enum
from dataclasses import dataclass

from canary_operator.model.samples import Absent, Answer


class Fault(enum.Enum):
    """Why there is no answer, as far as it matters for what is asked next."""

    QUERY = "the query is refused, or what it returns cannot be judged"
    SIZE = "the question or its answer is too large"
    PARTIAL = "the server answered, and says itself that something is missing"
    SERVER = "no server that works answered"


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back.

    Args:

        fault: None exactly where ``answer`` is an Answer.

        infos: how many remarks on the query came with the answer. They do not make it doubtful, warnings do.

        retry_after: seconds that the server wants to be left alone, None where it did not say.
    """

    answer: Answer | Absent
    fault: Fault | None = None
    infos: int = 0
    retry_after: float | None = None
