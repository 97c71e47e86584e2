"""Putting matchers into every selector of an expression, and proving that nothing else changed.

Law: text is edited token by token and never by search and replace; the edited text is read again, and its tree must
be the tree of the original with the matchers added. What cannot be proved is refused. The identity of a version and
the namespace are safe only because of this.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from canary_operator.errors import ConfigurationError
from canary_operator.model.indicator import Matcher, MatchKind, Selector
from canary_operator.model.promql import quote, written_matchers
from canary_operator.slo import syntax, tokens
from canary_operator.slo.syntax import Node
from canary_operator.slo.tokens import Token, TokenKind

_LABEL = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Their series describe objects and carry no label of the version's own series: a matcher would empty the join.
_INFO_METRIC = re.compile(r".*_info|kube_.*_(labels|annotations)|kube_pod_owner|kube_replicaset_owner")
_ARITHMETIC = frozenset(("+", "-", "*", "/", "%", "^", "==", "!=", ">", "<", ">=", "<="))


@dataclass(frozen=True, slots=True)
class _Place:
    """A selector among the tokens: where it begins, and its last token (its name, or the closing brace)."""

    start: int
    end: int
    braces: bool


def inject(promql: str, matchers: Sequence[Matcher]) -> str:
    """The expression with the matchers in every vector selector; a matcher that is there already stays once.

    A selector's own matchers on the same label are kept: both must hold.

    Raises:

        ConfigurationError: it is not PromQL, it reads metrics that only describe objects, or the result could not be
            proved; with the column where there is one.
    """
    for matcher in matchers:
        _allowed(matcher)
    words = tokens.tokenize(promql)
    before = syntax.parse_tokens(words)
    pairs = _paired(words, before)
    _refuse_info(before, pairs, words)
    text = tokens.written(_edited(words, pairs, matchers))
    if syntax.parse(text) != _carrying(before, matchers):
        raise ConfigurationError(f"a matcher could not be put into this PromQL with certainty: {promql[:200]}")
    return text


def selectors(promql: str) -> tuple[Selector, ...]:
    """Every vector selector of an expression, in the order of the text.

    Raises:

        ConfigurationError: it is not PromQL.
    """
    return tuple(syntax.selectors_of(syntax.parse(promql)))


def require_matcher(promql: str, label: str, value: str) -> None:
    """Make sure that every selector is bound to one value of a label, such as the tenant's namespace.

    Raises:

        ConfigurationError: a selector has no ``label="value"``, with its column; or a part reads series that no
            selector names.
    """
    words = tokens.tokenize(promql)
    tree = syntax.parse_tokens(words)
    _refuse_hidden(tree)
    for place, found in _paired(words, tree):
        if Matcher(label, MatchKind.EQUAL, value) not in found.matchers:
            shown = f"{label}={quote(value)}"
            raise ConfigurationError(f"column {words[place.start].column}: the selector {_name(found)} needs {shown}")


def _name(selector: Selector) -> str:
    return selector.metric or "without a name"


def _allowed(matcher: Matcher) -> None:
    if not _LABEL.fullmatch(matcher.label) or matcher.label == syntax.NAME_LABEL:
        raise ConfigurationError(f"{ascii(matcher.label)[:80]} is not a label name such as namespace or pod")


def _paired(words: Sequence[Token], tree: Node) -> list[tuple[_Place, Selector]]:
    places, found = _places(words), list(syntax.selectors_of(tree))
    if len(places) != len(found):
        raise ConfigurationError(f"{len(places)} selectors were seen and {len(found)} were read in this PromQL")
    return list(zip(places, found, strict=True))


def _refuse_info(tree: Node, pairs: Iterable[tuple[_Place, Selector]], words: Sequence[Token]) -> None:
    _refuse_hidden(tree)
    for place, selector in pairs:
        names = [selector.metric, *(each.value for each in selector.matchers if each.label == syntax.NAME_LABEL)]
        if any(map(_INFO_METRIC.fullmatch, names)):
            raise ConfigurationError(
                f"column {words[place.start].column}: {_name(selector)} only describes objects; "
                "a matcher for one version would empty the join with it"
            )


def _refuse_hidden(node: Node) -> None:
    if node.kind == "call" and node.detail == ("info",):
        raise ConfigurationError("info() reads series that no selector names")
    for child in node.children:
        _refuse_hidden(child)


def _carrying(node: Node, matchers: Sequence[Matcher]) -> Node:
    """The tree as it must be after the edit."""
    children = tuple(_carrying(child, matchers) for child in node.children)
    if node.selector is None:
        return replace(node, children=children)
    together = {*node.selector.matchers, *matchers}
    ordered = tuple(sorted(together, key=lambda each: (each.label, each.kind.value, each.value)))
    return replace(node, selector=replace(node.selector, matchers=ordered))


def _edited(
    words: Sequence[Token], pairs: Iterable[tuple[_Place, Selector]], matchers: Sequence[Matcher]
) -> Iterable[Token]:
    added = {place.end: (place, [each for each in matchers if each not in found.matchers]) for place, found in pairs}
    for index, word in enumerate(words):
        place, missing = added.get(index, (None, []))
        if place is None or not missing:
            yield word
        elif place.braces:
            comma = "" if words[index - 1].is_sign("{") or words[index - 1].is_sign(",") else ","
            yield replace(word, text=comma + written_matchers(missing) + word.gap + word.text, gap="")
        else:
            yield replace(word, text=f"{word.text}{{{written_matchers(missing)}}}")


def _places(words: Sequence[Token]) -> list[_Place]:
    """Where the selectors are. PromQL's keywords may be names of metrics too, so the position decides.

    Raises:

        ConfigurationError: something stands where PromQL knows nothing of the kind, with the column.
    """
    reader = _Reader(words)
    while reader.position < len(words):
        if reader.wants_operand:
            reader.read_operand()
        else:
            reader.read_operator()
    return reader.places


class _Reader:
    """Reads tokens from left to right and knows whether an operand or an operator comes next."""

    def __init__(self, words: Sequence[Token]) -> None:
        self.words = words
        self.position = 0
        self.wants_operand = True
        self.places: list[_Place] = []

    def read_operand(self) -> None:
        word = self._take()
        if word.kind is TokenKind.NAME:
            self._read_name(word)
        elif word.is_sign("{"):
            self.position -= 1
            self._selector(self.position)
        elif word.is_sign("(") or word.is_sign("+") or word.is_sign("-"):
            return
        elif word.is_sign(")") or word.kind in (TokenKind.NUMBER, TokenKind.STRING):
            self.wants_operand = False
        else:
            raise _unexpected(word)

    def read_operator(self) -> None:
        word = self._take()
        if word.is_word("and", "or", "unless", "atan2") or word.text in _ARITHMETIC or word.is_sign(","):
            self.wants_operand = True
        elif word.is_sign("["):
            self._skip_to("]")
        elif word.is_word("offset") or word.is_sign("@"):
            self._skip_time()
        elif word.is_word("by", "without"):
            self._skip_list(word)
        elif not word.is_sign(")"):
            raise _unexpected(word)

    def _read_name(self, word: Token) -> None:
        if word.is_word("bool"):
            return
        if word.is_word("on", "ignoring", "group_left", "group_right"):
            self._skip_list(word, optional=True)
        elif self._peek("("):
            self._take()
        elif self._aggregates():
            self._skip_list(self._take())
        elif word.is_word("inf", "nan"):
            self.wants_operand = False
        else:
            self._selector(self.position - 1)

    def _aggregates(self) -> bool:
        """Whether what comes is the grouping in front of an aggregation's operand."""
        following = self.words[self.position : self.position + 2]
        return len(following) == 2 and following[0].is_word("by", "without") and following[1].is_sign("(")

    def _selector(self, start: int) -> None:
        braces = self._peek("{")
        if braces:
            self._skip_to("}")
        self.places.append(_Place(start, self.position - 1, braces))
        self.wants_operand = False

    def _skip_list(self, word: Token, *, optional: bool = False) -> None:
        if self._peek("("):
            self._skip_to(")")
        elif not optional:
            raise _unexpected(word)

    def _skip_to(self, closing: str) -> None:
        opening = self.words[self.position - 1]
        while self.position < len(self.words):
            if self._take().is_sign(closing):
                return
        raise _unexpected(opening)

    def _skip_time(self) -> None:
        """Skip what follows ``offset`` or ``@``: a signed number, or start() or end()."""
        if self._peek("-") or self._peek("+"):
            self._take()
        word = self._take()
        if word.is_word("start", "end") and self._peek("("):
            self._skip_to(")")
        elif word.kind is not TokenKind.NUMBER:
            raise _unexpected(word)

    def _peek(self, sign: str) -> bool:
        return self.position < len(self.words) and self.words[self.position].is_sign(sign)

    def _take(self) -> Token:
        if self.position >= len(self.words):
            raise ConfigurationError("the PromQL ends too early")
        self.position += 1
        return self.words[self.position - 1]


def _unexpected(word: Token) -> ConfigurationError:
    return ConfigurationError(f"column {word.column}: {ascii(word.text)[:80]} is not understood here")
