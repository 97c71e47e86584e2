"""Whose rules apply, and what of Argo's condition language the safe dialect refuses: the one table.

Law: the language itself is Argo's. Whoever meets a trait of this table asks here, and decides nothing itself.
"""

import enum
from collections.abc import Mapping


class Dialect(enum.Enum):
    """Whose rules apply, in the words of ``SLOPolicy.spec.compatibility``."""

    SAFE = "safe"
    ARGO = "argo"


class Trait(enum.Enum):
    """Something that Argo's language does and that hardly anybody means."""

    SWALLOWED_NOT = "`a + b not in c`"
    SEARCH = "`find`, `findIndex`"
    BACKWARDS = "`findLast`, `findLastIndex`, `last(filter(...))`, `filter(...)[-1]`"
    HIDDEN = "`result[9] > 1 or true`"
    OVERFLOW = "integers over 64 bits"
    NO_INTEGER = "`int(NaN)`, `asInt(Inf)`"
    FUNCTION_VALUE = "`len == nil`"
    ENVIRONMENT = "`$env`"
    VALUE_CALL = "`result.value(x)`"
    ORDER = "`keys`, `values`, `toPairs`"
    NO_BOOL = "`1`"


# Trait -> why it is refused, as a person reads it behind the place.
REFUSED_WHEN_SAFE: Mapping[Trait, str] = {
    Trait.SWALLOWED_NOT: "put the left side of 'not' into parentheses: Argo forgets a 'not' after a tighter operator",
    Trait.SEARCH: "it is not supported: where nothing is found Argo goes on with nil as if it were a number",
    Trait.BACKWARDS: "the last value of a filter is not supported: Argo leaves wrong values beside it",
    Trait.HIDDEN: "Argo's optimizer changes what this means",
    Trait.OVERFLOW: "integer overflow",
    Trait.NO_INTEGER: "it has no integer value, and Argo's answer depends on the processor",
    Trait.FUNCTION_VALUE: "it is a function: write it with (...)",
    Trait.ENVIRONMENT: "$env is not supported: write the name itself",
    Trait.VALUE_CALL: "only functions can be called: Argo does not check what such a call is given",
    Trait.ORDER: "it is not supported: Argo gives the keys of a map in another order each time",
    Trait.NO_BOOL: "a condition must be true or false",
}


def refusal(dialect: Dialect, trait: Trait) -> str | None:
    """Why a dialect refuses a trait; None where it does not."""
    return REFUSED_WHEN_SAFE.get(trait) if dialect is Dialect.SAFE else None
