"""Program and result -> value: a stack machine like Argo's own, in a bounded number of steps.

Law: the machine is Argo's to the letter, also where that leaves something on its stack that nobody asked for. Every
operation looks at the actual values, because ``any`` passes the types' check. What is not possible is an
EvaluationError at its place. Nothing recurses but the comparison of values, whose depth is bounded.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from canary_operator.conditions.dialects import Dialect, Trait, refusal
from canary_operator.conditions.problems import EvaluationError, OperandError
from canary_operator.conditions.values import Value, type_of, wrapped

# A condition over 1,000 series with 20 operations takes 20,000 steps, some ten milliseconds. One step is one
# operation in a loop, or one item or character that an operation looks at.
MAX_STEPS = 200_000
# Argo's own bound: how many items ranges, lists and maps may have together.
MEMORY = 1_000_000

# What an operation needs to know is between it and the compiler: a value, a distance, a count or a pattern.
Argument = Any
Operation = Callable[["Machine", Argument], int | None]


# An operation, what it needs to know, and its place in the text. Without an operation the value itself is put on the
# stack: no other instruction is as frequent.
Instruction = tuple[Operation | None, Argument, int]


@dataclass(frozen=True, slots=True)
class Program:
    """A compiled condition."""

    text: str
    instructions: tuple[Instruction, ...]


@dataclass(slots=True)
class Scope:
    """Where a predicate stands in its list."""

    items: Sequence[Value] | None
    length: int
    index: int = 0
    count: int = 0
    groups: list[tuple[Value, Value]] | None = None
    accumulated: Value = None


@dataclass(slots=True)
class Machine:
    """The state of one evaluation."""

    result: Value
    dialect: Dialect
    stack: list[Value] = field(default_factory=list)
    scopes: list[Scope] = field(default_factory=list)
    variables: dict[int, Value] = field(default_factory=dict)
    steps: int = 0
    memory: int = 0

    def spend(self, steps: int) -> None:
        """Count work.

        Raises:

            OperandError: it is more than one condition may take.
        """
        self.steps += steps
        if self.steps > MAX_STEPS:
            raise OperandError(f"takes more than {MAX_STEPS} steps")

    def allocate(self, items: int) -> None:
        """Count items of new lists as Argo does.

        Raises:

            OperandError: they are more than Argo allows.
        """
        self.memory += items
        if self.memory >= MEMORY:
            raise OperandError("memory budget exceeded")

    def whole(self, value: int) -> int:
        """Cut an integer to 64 bits.

        Raises:

            OperandError: it has more, and the dialect refuses that.
        """
        cut = wrapped(value)
        if cut != value:
            self.refuse(Trait.OVERFLOW)
        return cut

    def refuse(self, trait: Trait) -> None:
        """Raise OperandError if the dialect refuses a trait."""
        why = refusal(self.dialect, trait)
        if why is not None:
            raise OperandError(why)


def evaluate(program: Program, result: Value, dialect: Dialect) -> bool:
    """Compute a compiled condition.

    Raises:

        EvaluationError: it cannot be computed for this result, takes too many steps, or gives no bool.
    """
    machine = Machine(result, dialect)
    value = _run(program, machine)
    if value is True or value is False:
        return value
    raise EvaluationError(f"expected bool, but got {type_of(value)}", program.text, 0)


def _run(program: Program, machine: Machine) -> Value:
    instructions, stack = program.instructions, machine.stack
    place, end = 0, len(instructions)
    try:
        while place < end:
            operation, argument, _ = instructions[place]
            place += 1
            if operation is None:
                stack.append(argument)
                continue
            jump = operation(machine, argument)
            if jump:
                place += jump
    except OperandError as fault:
        raise EvaluationError(str(fault), program.text, instructions[place - 1][2]) from None
    return stack[-1]
