"""Taking an expression apart into counts: (bad or good, total) of counters.

Law: algebra on sums of counters with exact numbers. A step is taken only if it holds for all values of the counters;
everything else is Unsplittable with the reason in words. A fallback to 0 (``or vector(0)``) may go, because an absent
part of a present total is 0 here anyway, and an absent total is no data.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from canary_operator.model.indicator import Events, Latency, Ratio, Selector
from canary_operator.slo import selectors
from canary_operator.slo.syntax import Node

# All three are proportional to the same increase of the counter; the gate counts it over a window of its own.
_COUNTING = frozenset(("rate", "increase", "irate"))
_FALLBACKS = frozenset(("0.0", "1.0"))


class Unsplittable(Exception):
    """The expression is not a ratio of two sums of counters; the text says why. Never leaves the room."""


@dataclass(frozen=True, slots=True)
class Sum:
    """Counters with factors.

    Args:

        terms: selector -> factor, none 0.

        unit: what each counter is passed through, such as ("rate", "0:05:00"); sums of different units do not mix.
    """

    terms: Mapping[Selector, Fraction]
    unit: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Share:
    """constant + factor * part / total, with all counters of part and of total summed."""

    part: tuple[Selector, ...]
    total: tuple[Selector, ...]
    constant: Fraction
    factor: Fraction


@dataclass(frozen=True, slots=True)
class _Quotient:
    """constant + factor * numerator / denominator."""

    numerator: Sum
    denominator: Sum
    constant: Fraction = Fraction(0)
    factor: Fraction = Fraction(1)


_Value = Fraction | Sum | _Quotient


def read_share(node: Node) -> Share:
    """The share that an expression computes.

    Raises:

        Unsplittable: it computes something else.
    """
    match _read(node):
        case _Quotient() as quotient:
            return _share(quotient)
        case Sum():
            raise Unsplittable("it is a sum and no ratio")
    raise Unsplittable("it is a number and no ratio")


def read_sum(node: Node) -> Sum:
    """The sum of counters that an expression computes. A bare selector is one, of the unit ("", "").

    Raises:

        Unsplittable: it computes something else.
    """
    if node.selector is not None:
        return _counter(node, ("", ""))
    value = _read(node)
    if not isinstance(value, Sum):
        raise Unsplittable("it is not a sum of counters")
    return value


def share_of(part: Sum, total: Sum, *, instant: bool = False) -> Share:
    """Simplify part / total.

    Args:

        instant: whether counters may stand as they are, because the source says that they are counters.

    Raises:

        Unsplittable: the sides are of different units, the same, or no plain sums.
    """
    return _share(_Quotient(part, total), instant=instant)


def measure_of(share: Share, events: Events) -> Ratio | Latency:
    """What is counted, as the latency of a histogram where it is one."""
    if events is Events.GOOD and len(share.part) == len(share.total) == 1:
        latency = selectors.latency_of(share.part[0], share.total[0])
        if latency is not None:
            return latency
    return Ratio(events, share.part, share.total)


def _share(quotient: _Quotient, *, instant: bool = False) -> Share:
    part, total = quotient.numerator, quotient.denominator
    if part.unit != total.unit:
        raise Unsplittable(f"the sides are measured differently: {_unit(part)} over {_unit(total)}")
    if part.unit[0] not in _COUNTING and not instant:
        raise Unsplittable("it divides values as they stand and no increases of counters")
    divisor = _common(total.terms)
    if divisor is None:
        raise Unsplittable("what it divides by is no plain sum of counters")
    # The part is written as a multiple of the total and a rest: total - good has the rest -good.
    whole = min((part.terms.get(selector, Fraction(0)) for selector in total.terms), default=Fraction(0))
    rest = _added(part.terms, total.terms, -whole / divisor)
    factor = _common(rest) if rest else None
    if factor is None or (whole != 0 and factor > 0):
        rest, whole, factor = dict(part.terms), Fraction(0), _common(part.terms)
    if factor is None:
        raise Unsplittable("what it divides is neither a plain sum of counters nor the total less one")
    if set(rest) == set(total.terms):
        raise Unsplittable("both sides count the same, so the ratio never changes")
    scale = quotient.factor / divisor
    return Share(tuple(rest), tuple(total.terms), quotient.constant + scale * whole, scale * factor)


def _common(terms: Mapping[Selector, Fraction]) -> Fraction | None:
    factors = set(terms.values())
    return factors.pop() if len(factors) == 1 else None


def _unit(side: Sum) -> str:
    function, window = side.unit
    return f"{function}[{window}]" if function else "a counter as it stands"


def _added(
    left: Mapping[Selector, Fraction], right: Mapping[Selector, Fraction], times: Fraction
) -> dict[Selector, Fraction]:
    both = {
        selector: left.get(selector, Fraction(0)) + times * right.get(selector, Fraction(0))
        for selector in {**left, **right}
    }
    return {selector: factor for selector, factor in both.items() if factor != 0}


def _read(node: Node) -> _Value:
    match node.kind:
        case "paren":
            return _read(node.children[0])
        case "number":
            return _number(node)
        case "unary":
            return _times(_read(node.children[0]), Fraction(-1))
        case "aggregate":
            return _summed(node)
        case "binary":
            return _binary(node)
        case "call":
            raise Unsplittable(f"{node.detail[0]}() is not a sum of counters")
    raise Unsplittable("it has series that are not summed")


def _number(node: Node) -> Fraction:
    try:
        return Fraction(str(node.detail[0]))
    except ValueError as error:
        raise Unsplittable(f"it computes with {node.detail[0]}") from error


def _summed(node: Node) -> Sum:
    operation, _, labels = node.detail
    if operation != "sum":
        raise Unsplittable(f"{operation}() is not a sum of counters")
    if labels or "Without" in str(node.detail[1]):
        raise Unsplittable("it is grouped: one ratio for each value of some labels")
    return _inside(node.children[-1])


def _inside(node: Node) -> Sum:
    """What a sum over everything adds up; a sum by some labels in between changes nothing."""
    while node.kind == "paren" or (node.kind == "aggregate" and node.detail[0] == "sum"):
        node = node.children[-1]
    if node.kind == "selector":
        return _counter(node, ("sum", ""))
    if node.kind != "call":
        raise Unsplittable("inside of sum() is more than one counter")
    function, argument = str(node.detail[0]), node.children[0] if node.children else node
    if function not in _COUNTING:
        raise Unsplittable(f"{function}() does not count")
    if argument.kind != "matrix":
        raise Unsplittable(f"{function}() of something that is no counter's range")
    return _counter(argument.children[0], (function, str(argument.detail[0])))


def _counter(node: Node, unit: tuple[str, str]) -> Sum:
    selector = node.selector
    assert selector is not None
    if any(node.detail):
        raise Unsplittable("it looks at another time with offset or @")
    if reason := selectors.refusal(selector):
        raise Unsplittable(reason)
    return Sum({selector: Fraction(1)}, unit)


def _binary(node: Node) -> _Value:
    operator, _, returns_bool, _, _, fill = node.detail
    if fill != (None, None) or returns_bool:
        raise Unsplittable("it compares or fills inside of the query")
    if operator == "or":
        return _with_fallback(*node.children)
    if operator == ">":
        return _if_positive(*node.children)
    left, right = map(_read, node.children)
    match operator:
        case "+":
            return _plus(left, right)
        case "-":
            return _plus(left, _times(right, Fraction(-1)))
        case "*":
            return _product(left, right)
        case "/":
            return _divided(left, right)
    raise Unsplittable(f"the operator {operator} is not one of + - * /")


def _with_fallback(left: Node, right: Node) -> _Value:
    value = _read(left)
    while right.kind == "paren":
        (right,) = right.children
    is_constant = right.kind == "call" and right.detail == ("vector",) and right.children[0].kind == "number"
    number = right.children[0].detail[0] if is_constant else ""
    if number == "0.0" or (number in _FALLBACKS and isinstance(value, _Quotient)):
        return value
    raise Unsplittable("it falls back to something other than vector(0)")


def _if_positive(left: Node, right: Node) -> _Value:
    value = _read(left)
    if isinstance(value, Sum) and right.kind == "number" and right.detail == ("0.0",):
        return value
    raise Unsplittable("it compares inside of the query")


def _plus(left: _Value, right: _Value) -> _Value:
    match left, right:
        case Fraction(), Fraction():
            return left + right
        case Sum(), Sum() if left.unit == right.unit:
            return Sum(_added(left.terms, right.terms, Fraction(1)), left.unit)
        case Sum(), Sum():
            raise Unsplittable(f"it adds what is measured differently: {_unit(left)} and {_unit(right)}")
        case (_Quotient() as quotient, Fraction() as number) | (Fraction() as number, _Quotient() as quotient):
            return _Quotient(quotient.numerator, quotient.denominator, quotient.constant + number, quotient.factor)
    raise Unsplittable("it adds a ratio or a number to a sum of counters")


def _product(left: _Value, right: _Value) -> _Value:
    if isinstance(right, Fraction):
        return _times(left, right)
    if isinstance(left, Fraction):
        return _times(right, left)
    raise Unsplittable("it multiplies counters with counters")


def _times(value: _Value, number: Fraction) -> _Value:
    match value:
        case Fraction():
            return value * number
        case Sum():
            return Sum(_added({}, value.terms, number), value.unit)
        case _Quotient():
            return _Quotient(value.numerator, value.denominator, value.constant * number, value.factor * number)


def _divided(left: _Value, right: _Value) -> _Value:
    match left, right:
        case _, Fraction() if right != 0:
            return _times(left, 1 / right)
        case Sum(), Sum() if left.terms and right.terms:
            return _Quotient(left, right)
    raise Unsplittable("it does not divide one sum of counters by another")
