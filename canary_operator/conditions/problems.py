"""What can be wrong with a condition, and how to show the place.

Law: every problem keeps the text and the position, so that a person is shown where, not only what.
"""

from canary_operator import errors

NEARBY_CHARACTERS = 24


class ConditionError(errors.ConfigurationError):
    """A condition is not one that Argo Rollouts would accept, or one that this operator does not know.

    Args:

        message: what is wrong, without the place.

        text: the whole condition.

        position: index of the character in ``text`` where the problem begins.
    """

    def __init__(self, message: str, text: str, position: int) -> None:
        super().__init__(message)
        self.message = message
        self.text = text
        self.position = min(position, len(text))

    def __str__(self) -> str:
        return in_one_line(self)


class EvaluationError(ConditionError):
    """A well-formed condition cannot be computed for this result, for example an index out of range."""


class OperandError(Exception):
    """An operation is not possible with these values or types.

    It never leaves the room: whoever knows the place turns it into a ConditionError.
    """


def in_one_line(error: ConditionError) -> str:
    """Render the problem for a status field: message, column and what stands there."""
    rest = " ".join(error.text[error.position :].split())
    if not rest:
        return f"{error.message}, at the end"
    shown = rest if len(rest) <= NEARBY_CHARACTERS else rest[:NEARBY_CHARACTERS] + "..."
    return f"{error.message}, at column {error.position + 1}: {shown}"


def with_caret(error: ConditionError) -> str:
    """Render the problem for a terminal: message, the line of the condition, a caret under the place."""
    start = error.text.rfind("\n", 0, error.position) + 1
    line = error.text[start:].split("\n", 1)[0].replace("\t", " ")
    return f"{error.message}\n  {line}\n  {' ' * (error.position - start)}^"
