"""Checked tree -> program, as Argo's compiler writes it.

Law: the order of the instructions is Argo's, also where it is odd: what is left on the stack is left there.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from canary_operator.conditions import functions, operations, patterns, syntax
from canary_operator.conditions.evaluation import Argument, Instruction, Operation, Program
from canary_operator.conditions.problems import ConditionError
from canary_operator.conditions.syntax import Node
from canary_operator.conditions.values import Value

Body = Callable[[], object]


def compiled(text: str, root: Node) -> Program:
    """Write the program of a checked tree."""
    compiler = _Compiler(text)
    compiler.visit(root)
    return Program(text, tuple(compiler.code))


@dataclass(slots=True)
class _Compiler:
    text: str
    code: list[Instruction] = field(default_factory=list)
    at: int = 0
    variables: list[tuple[str, int]] = field(default_factory=list)
    declared: int = 0
    # For each chain the jumps that lead to its end.
    chains: list[list[int]] = field(default_factory=list)
    floats: dict[float, float] = field(default_factory=dict)

    def emit(self, operation: Operation | None, argument: Argument = None) -> int:
        self.code.append((operation, argument, self.at))
        return len(self.code) - 1

    def land(self, place: int) -> None:
        """Let a jump end here."""
        operation, _, at = self.code[place]
        self.code[place] = (operation, len(self.code) - place - 1, at)

    def push(self, value: Value) -> None:
        # Argo keeps equal constants once, so that -0.0 becomes the 0.0 that was there before.
        self.emit(None, self.floats.setdefault(value, value) if type(value) is float else value)

    def visit(self, node: Node) -> None:
        outside, self.at = self.at, node.at
        _VISITORS[type(node)](self, node)
        self.at = outside

    def literal(self, node: syntax.Literal | syntax.Constant) -> None:
        self.push(node.value)

    def name(self, node: syntax.Name) -> None:
        for name, index in reversed(self.variables):
            if name == node.name:
                self.emit(operations.load, index)
                return
        if node.name == "result":
            self.emit(operations.load_result)
        elif node.name == "$env":
            self.emit(operations.load_environment)
        else:
            # A function of the language is no value: Argo finds nothing by its name.
            self.push(functions.ARGO.get(node.name))

    def pointer(self, node: syntax.Pointer) -> None:
        named = {"": operations.pointer, "index": operations.get_index, "acc": operations.get_accumulated}
        self.emit(named[node.name])

    def unary(self, node: syntax.Unary) -> None:
        self.visit(node.operand)
        if node.operator == "-":
            self.emit(operations.negate)
        elif node.operator != "+":
            self.emit(operations.invert)

    def binary(self, node: syntax.Binary) -> None:
        usual = _usual(node)
        if usual is not None:
            self.emit(operations.compare_item, usual)
        self.visit(node.left)
        skips = _SKIPS.get(node.operator)
        if skips is not None:
            end = self.emit(skips)
            self.emit(operations.pop)
            self.visit(node.right)
            self.land(end)
        elif node.operator == "matches" and (pattern := _text(node.right)) is not None and node.type is not None:
            self.emit(operations.matches_constant, patterns.compiled(pattern))
        else:
            self.visit(node.right)
            self.operator(node)

    def operator(self, node: syntax.Binary) -> None:
        if node.operator == "!=":
            self.emit(operations.OPERATORS["=="])
            self.emit(operations.invert)
            return
        same = None
        if node.operator == "==" and node.left.type is not None and node.right.type is not None:
            same = operations.SAME.get(node.left.type.kind) if node.left.type.kind is node.right.type.kind else None
        self.emit(same or operations.OPERATORS[node.operator])

    def conditional(self, node: syntax.Conditional) -> None:
        self.visit(node.condition)
        otherwise = self.emit(operations.jump_if_false)
        self.emit(operations.pop)
        self.visit(node.yes)
        end = self.emit(operations.jump)
        self.land(otherwise)
        self.emit(operations.pop)
        self.visit(node.no)
        self.land(end)

    def member(self, node: syntax.Member) -> None:
        if _is_result(node.base) and isinstance(node.index, syntax.Literal) and type(node.index.value) is int:
            # By far the most usual beginning of a condition; it cannot be told from its three single steps.
            self.emit(operations.load_item, node.index.value)
            return
        self.visit(node.base)
        if node.optional:
            self.chains[-1].append(self.emit(operations.jump_if_nil))
        self.visit(node.index)
        self.emit(operations.fetch)

    def chain(self, node: syntax.Chain) -> None:
        self.chains.append([])
        self.visit(node.inner)
        for place in self.chains.pop():
            self.land(place)

    def slice(self, node: syntax.Slice) -> None:
        self.visit(node.base)
        if node.stop is None:
            self.emit(operations.length)
        else:
            self.visit(node.stop)
        if node.start is None:
            self.push(0)
        else:
            self.visit(node.start)
        self.emit(operations.slice_)

    def array(self, node: syntax.ArrayLiteral) -> None:
        for item in node.items:
            self.visit(item)
        self.push(len(node.items))
        self.emit(operations.make_list)

    def map(self, node: syntax.MapLiteral) -> None:
        for key, value in zip(node.keys, node.values, strict=True):
            self.visit(key)
            self.visit(value)
        self.push(len(node.keys))
        self.emit(operations.make_map)

    def let(self, node: syntax.Let) -> None:
        self.visit(node.value)
        index = self.declared
        self.declared += 1
        self.emit(operations.store, index)
        self.variables.append((node.name, index))
        self.visit(node.body)
        self.variables.pop()

    def closure(self, node: syntax.Closure) -> None:
        self.visit(node.body)

    # Calls.

    def call(self, node: syntax.Call) -> None:
        for argument in node.arguments:
            self.visit(argument)
        if isinstance(node.callee, syntax.Name) and node.callee.name in functions.ARGO:
            self.emit(operations.call_argo, (node.callee.name, len(node.arguments)))
            return
        self.visit(node.callee)
        self.emit(operations.call, len(node.arguments))

    def builtin(self, node: syntax.Builtin) -> None:
        written = _PREDICATES.get(node.name)
        if written is not None:
            self.visit(node.arguments[0])
            self.emit(operations.begin)
            written(self, node)
            self.emit(operations.end)
            if node.name in ("filter", "map"):
                self.emit(operations.make_list)
            return
        for argument in node.arguments:
            self.visit(argument)
        known = functions.BUILTINS[node.name]
        if known is None:
            raise ConditionError(f"{node.name} takes a predicate", self.text, node.at)
        self.emit(operations.call_builtin, (node.name, known, len(node.arguments)))

    # Predicates, between the beginning and the end of the list.

    def loop(self, body: Body) -> None:
        begin = len(self.code)
        end = self.emit(operations.jump_if_end)
        body()
        self.emit(operations.next_item, 1)
        self.emit(operations.jump_back, begin - len(self.code) - 1)
        self.land(end)

    def loop_back(self, body: Body) -> None:
        self.emit(operations.get_length)
        self.push(1)
        self.emit(operations.OPERATORS["-"])
        self.emit(operations.set_index)
        begin = len(self.code)
        self.emit(operations.get_index)
        self.push(0)
        self.emit(operations.OPERATORS[">="])
        # Argo never takes this answer from its stack.
        end = self.emit(operations.jump_if_false)
        body()
        self.emit(operations.next_item, -1)
        self.emit(operations.jump_back, begin - len(self.code) - 1)
        self.land(end)

    def where(self, node: syntax.Builtin, body: Body) -> None:
        """Do something for an item that satisfies the closure."""
        self.visit(node.arguments[1])
        no = self.emit(operations.jump_if_false)
        self.emit(operations.pop)
        body()
        end = self.emit(operations.jump)
        self.land(no)
        self.emit(operations.pop)
        self.land(end)

    def decided(self, node: syntax.Builtin, *, by: Operation, otherwise: bool, inverted: bool = False) -> None:
        """``all``, ``any``, ``none``: the first item that decides ends the loop."""
        decided: list[int] = []

        def body() -> None:
            self.visit(node.arguments[1])
            if inverted:
                self.emit(operations.invert)
            decided.append(self.emit(by))
            self.emit(operations.pop)

        self.loop(body)
        self.push(otherwise)
        self.land(decided[0])

    def all(self, node: syntax.Builtin) -> None:
        self.decided(node, by=operations.jump_if_false, otherwise=True)

    def any(self, node: syntax.Builtin) -> None:
        self.decided(node, by=operations.jump_if_true, otherwise=False)

    def none(self, node: syntax.Builtin) -> None:
        self.decided(node, by=operations.jump_if_false, otherwise=True, inverted=True)

    def count(self, node: syntax.Builtin) -> None:
        self.loop(lambda: self.where(node, lambda: self.emit(operations.count)))
        self.emit(operations.get_count)

    def one(self, node: syntax.Builtin) -> None:
        self.count(node)
        self.push(1)
        self.emit(operations.OPERATORS["=="])

    def item(self, node: syntax.Builtin) -> None:
        if node.then is None:
            self.emit(operations.pointer)
        else:
            self.visit(node.then)

    def filter(self, node: syntax.Builtin) -> None:
        def body() -> None:
            self.emit(operations.count)
            self.item(node)

        self.loop(lambda: self.where(node, body))
        self.emit(operations.get_count)

    def map_items(self, node: syntax.Builtin) -> None:
        self.loop(lambda: self.visit(node.arguments[1]))
        self.emit(operations.get_length)

    def find(self, node: syntax.Builtin) -> None:
        self.search(node, self.loop, lambda: self.item(node))

    def find_last(self, node: syntax.Builtin) -> None:
        self.search(node, self.loop_back, lambda: self.item(node))

    def find_index(self, node: syntax.Builtin) -> None:
        self.search(node, self.loop, lambda: self.emit(operations.get_index))

    def find_last_index(self, node: syntax.Builtin) -> None:
        self.search(node, self.loop_back, lambda: self.emit(operations.get_index))

    def search(self, node: syntax.Builtin, loop: Callable[[Body], None], answer: Body) -> None:
        found: list[int] = []

        def body() -> None:
            self.visit(node.arguments[1])
            no = self.emit(operations.jump_if_false)
            self.emit(operations.pop)
            answer()
            found.append(self.emit(operations.jump))
            self.land(no)
            self.emit(operations.pop)

        loop(body)
        if node.throws:
            self.emit(operations.out_of_range)
        else:
            self.push(None)
        self.land(found[0])

    def group_by(self, node: syntax.Builtin) -> None:
        def body() -> None:
            self.visit(node.arguments[1])
            self.emit(operations.group)

        self.loop(body)
        self.emit(operations.get_groups)

    def reduce(self, node: syntax.Builtin) -> None:
        if len(node.arguments) > 2:
            self.visit(node.arguments[2])
        else:
            self.emit(operations.pointer)
            self.emit(operations.next_item, 1)
        self.emit(operations.set_accumulated)

        def body() -> None:
            self.visit(node.arguments[1])
            self.emit(operations.set_accumulated)

        self.loop(body)
        self.emit(operations.get_accumulated)


def _usual(node: syntax.Binary) -> operations.Usual | None:
    """What an item of the result is compared with, where that is all that a comparison does."""
    holds = operations.OF_FLOATS.get(node.operator)
    match node.left, node.right:
        case syntax.Member(base=base, index=syntax.Literal(value=int(index))), syntax.Literal(
            value=int() | float() as bound
        ):
            plain = type(index) is int and type(bound) in (int, float) and index >= 0
            return (holds, index, float(bound)) if holds is not None and plain and _is_result(base) else None
    return None


def _is_result(node: Node) -> bool:
    # No variable can have this name.
    return isinstance(node, syntax.Name) and node.name == "result"


def _text(node: Node) -> str | None:
    return node.value if isinstance(node, syntax.Literal) and isinstance(node.value, str) else None


_SKIPS: Mapping[str, Operation] = {
    "or": operations.jump_if_true,
    "||": operations.jump_if_true,
    "and": operations.jump_if_false,
    "&&": operations.jump_if_false,
    "??": operations.jump_if_not_nil,
}
_PREDICATES: Mapping[str, Callable[[_Compiler, syntax.Builtin], None]] = {
    "all": _Compiler.all,
    "any": _Compiler.any,
    "none": _Compiler.none,
    "one": _Compiler.one,
    "count": _Compiler.count,
    "filter": _Compiler.filter,
    "map": _Compiler.map_items,
    "find": _Compiler.find,
    "findLast": _Compiler.find_last,
    "findIndex": _Compiler.find_index,
    "findLastIndex": _Compiler.find_last_index,
    "groupBy": _Compiler.group_by,
    "reduce": _Compiler.reduce,
}
_VISITORS: Mapping[type, Callable[..., None]] = {
    syntax.Literal: _Compiler.literal,
    syntax.Constant: _Compiler.literal,
    syntax.Name: _Compiler.name,
    syntax.Pointer: _Compiler.pointer,
    syntax.Unary: _Compiler.unary,
    syntax.Binary: _Compiler.binary,
    syntax.Conditional: _Compiler.conditional,
    syntax.Member: _Compiler.member,
    syntax.Chain: _Compiler.chain,
    syntax.Slice: _Compiler.slice,
    syntax.ArrayLiteral: _Compiler.array,
    syntax.MapLiteral: _Compiler.map,
    syntax.Call: _Compiler.call,
    syntax.Closure: _Compiler.closure,
    syntax.Builtin: _Compiler.builtin,
    syntax.Let: _Compiler.let,
}
