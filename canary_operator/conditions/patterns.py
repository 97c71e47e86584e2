r"""Regular expressions for ``matches``: RE2's, as in Go.

Law: no backtracking. All ways through the expression are followed at once, so that the work is the length of the text
times the size of the expression, whatever they are; both are bounded, and whoever asks can know the work before.
"""

from dataclasses import dataclass, field
from functools import lru_cache

from canary_operator.conditions import pattern_syntax
from canary_operator.conditions.pattern_syntax import Choice, Edge, One, Part, Repeat, Sequence, Test
from canary_operator.conditions.problems import OperandError

MAX_STATES = 2000
# Steps that compiling one pattern is worth while a condition is computed.
COMPILING = 3000
_WORD = frozenset("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_")
_UNKNOWN = "\ufffd"


@dataclass(frozen=True, slots=True)
class _State:
    """A place in the expression: a character to pass, an edge to stand on, or just ways on."""

    ways: tuple[int, ...]
    test: Test | None = None
    edge: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Pattern:
    """A compiled expression; its last state is the match."""

    states: tuple[_State, ...]
    start: int

    def cost(self, subject: str) -> int:
        """How much work it is at most to search a text, in steps of a condition."""
        return (len(subject) + 1) * len(self.states)

    def found(self, subject: str) -> bool:
        """Whether the expression matches somewhere in the text."""
        text = [_UNKNOWN if "\ud800" <= one <= "\udfff" else one for one in subject]
        current: set[int] = set()
        for place in range(len(text) + 1):
            here = self._reached({*current, self.start}, text, place)
            if 0 in here:
                return True
            if place == len(text):
                break
            one = text[place]
            current = {self.states[state].ways[0] for state in here if self._passes(state, one)}
        return False

    def _passes(self, state: int, one: str) -> bool:
        test = self.states[state].test
        return test is not None and test(one)

    def _reached(self, states: set[int], text: list[str], place: int) -> set[int]:
        """Follow all ways that take no character; what is left waits for one, or is the match."""
        waiting, seen = list(states), set(states)
        while waiting:
            state = self.states[waiting.pop()]
            if state.test is not None or (state.edge and not _is_edge(state.edge, text, place)):
                continue
            new = [way for way in state.ways if way not in seen]
            seen.update(new)
            waiting.extend(new)
        return seen


def _is_edge(kind: str, text: list[str], place: int) -> bool:
    match kind:
        case "^":
            return place == 0
        case "$":
            return place == len(text)
        case "<":
            return place == 0 or text[place - 1] == "\n"
        case ">":
            return place == len(text) or text[place] == "\n"
        case _:
            before = place > 0 and text[place - 1] in _WORD
            after = place < len(text) and text[place] in _WORD
            return (before != after) is (kind == "b")


@lru_cache(maxsize=64)
def compiled(pattern: str) -> Pattern:
    """Compile a pattern.

    Raises:

        OperandError: Go would refuse it, it is too large, or it uses what is not supported.
    """
    builder = _Builder(pattern)
    start = builder.add(pattern_syntax.parse(pattern), 0)
    return Pattern(tuple(builder.states), start)


def found(pattern: str, subject: str) -> bool:
    """Whether the pattern matches somewhere in the subject; OperandError as for ``compiled``."""
    return compiled(pattern).found(subject)


@dataclass(slots=True)
class _Builder:
    pattern: str
    # The first one is the match.
    states: list[_State] = field(default_factory=lambda: [_State(())])

    def state(self, state: _State) -> int:
        if len(self.states) >= MAX_STATES:
            raise OperandError(f"regular expression {self.pattern!r} is too large")
        self.states.append(state)
        return len(self.states) - 1

    def add(self, part: Part, after: int) -> int:
        """Write a part that goes on to ``after``, from the end to the beginning; return where it begins."""
        match part:
            case One():
                return self.state(_State((after,), test=part.test))
            case Edge():
                return self.state(_State((after,), edge=part.kind))
            case Sequence():
                for one in reversed(part.parts):
                    after = self.add(one, after)
                return after
            case Choice():
                return self.state(_State(tuple([self.add(one, after) for one in part.parts])))
            case Repeat():
                return self.repeated(part, after)

    def repeated(self, part: Repeat, after: int) -> int:
        begin = after
        if part.most is None:
            begin = self.state(_State((after,)))
            self.states[begin] = _State((self.add(part.part, begin), after))
        else:
            for _ in range(part.most - part.least):
                begin = self.state(_State((self.add(part.part, begin), after)))
        for _ in range(part.least):
            begin = self.add(part.part, begin)
        return begin
