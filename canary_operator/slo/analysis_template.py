"""An AnalysisTemplate's metric, read as an SLO: a ratio of two sums of counters, compared with a number.

Law: the query and the condition are read, never guessed; what does not fit stays a condition of the template and
says why. Arguments are filled in as values, so that none can become PromQL.
"""

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from canary_operator.errors import ConfigurationError
from canary_operator.model.indicator import Events, Indicator, Opaque, SLORef
from canary_operator.slo import counts, fields, result, syntax, variables
from canary_operator.slo.counts import Share, Unsplittable

_NUMBER = r"([0-9]{1,9}(?:\.[0-9]{1,12})?)"
_RESULT = r"(?:result\[0\]|result)"
# What lets an answer without data pass has no effect here: no data is never a pass.
_GUARD = r"(?:(?:len\(result\) == 0|isNaN\(result\[0\]\)) \|\| )?"
_COMPARISON = re.compile(rf"{_GUARD}\(?{_RESULT} (<|<=|>|>=) {_NUMBER}\)?")
_REVERSED = re.compile(rf"{_NUMBER} (<|<=|>|>=) {_RESULT}")
_EACH = re.compile(rf"all\(result, \{{? ?# (<|<=|>|>=) {_NUMBER} ?\}}?\)")
_TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_NEGATED = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}


def read(reference: SLORef, body: Mapping[str, Any], arguments: Mapping[str, str]) -> Indicator | Opaque:
    """The indicator of one metric of a template.

    Args:

        reference: its entry is the name of the metric, "" where there is only one.

        arguments: argument -> value, resolved.

    Raises:

        ConfigurationError: the metric is not there, is not Prometheus', or its query is not PromQL.
    """
    metric, place = _metric(reference, fields.mapping(body, "spec", str(reference)))
    provider = fields.mapping(metric, "provider", place)
    prometheus = fields.mapping(provider, "prometheus", f"{place}.provider")
    place = f"{place}.provider.prometheus"
    raw = fields.text(prometheus, "query", place)
    values = {f"args.{name}": value for name, value in arguments.items()}
    try:
        query = variables.fill(raw, values)
        tree = syntax.parse(query)
    except ConfigurationError as error:
        raise ConfigurationError(f"{place}.query: {error}") from error
    try:
        events, allowed, share = _limited(counts.read_share(tree), metric, values)
        return result.counted(reference, counts.measure_of(share, events), allowed)
    except Unsplittable as reason:
        return result.opaque(reference, query, str(reason))


def _metric(reference: SLORef, spec: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
    place = f"{reference}: spec"
    metrics = fields.items(spec, "metrics", place)
    known = [fields.text(each, "name", f"{place}.metrics[{at}]") for at, each in enumerate(metrics)]
    wanted = [at for at, name in enumerate(known) if reference.entry in ("", name)]
    if len(wanted) != 1:
        raise fields.wrong(str(reference), reference.entry or "no entry", f"one metric of {', '.join(known)}")
    return metrics[wanted[0]], f"{place}.metrics[{wanted[0]}]"


def _limited(share: Share, metric: Mapping[str, Any], values: Mapping[str, str]) -> tuple[Events, Fraction, Share]:
    """What the part counts and how many bad requests are allowed, by the template's conditions."""
    limits = [
        _limit(share, *_comparison(metric, key, values, negate=key == "failureCondition"))
        for key in ("successCondition", "failureCondition")
        if metric.get(key)
    ]
    if not limits:
        raise Unsplittable("it has no condition")
    if len({events for events, _ in limits}) > 1:
        raise Unsplittable("its two conditions contradict each other")
    # The success condition is the objective; a failure condition beside it may only be laxer.
    events, allowed = limits[0]
    if limits[-1][1] < allowed:
        raise Unsplittable("its failure condition is stricter than its success condition")
    if not 0 < allowed < 1:
        raise Unsplittable("it allows none or all of the requests to be bad, which no number of requests can show")
    return events, allowed, share


def _comparison(
    metric: Mapping[str, Any], key: str, values: Mapping[str, str], *, negate: bool
) -> tuple[str, Fraction]:
    condition = _filled(metric.get(key), values)
    if found := _COMPARISON.fullmatch(condition) or _EACH.fullmatch(condition):
        operator, number = found.groups()
    elif found := _REVERSED.fullmatch(condition):
        operator, number = _TURNED[found[2]], found[1]
    else:
        raise Unsplittable(f"its {key} is more than a comparison with a number: {condition[:80]!r}")
    return (_NEGATED[operator] if negate else operator), Fraction(number)


def _filled(condition: object, values: Mapping[str, str]) -> str:
    """The condition on one line with one space between its words, and its arguments in it."""
    text = str(condition)
    for name in variables.names(text):
        if name not in values:
            raise Unsplittable(f"its condition needs {name[:80]!r}, which has no value")
    text = variables.substitute(text, values)
    return " ".join(re.sub(r"(<=|>=|==|\|\||<(?!=)|>(?!=))", r" \1 ", text).split())


def _limit(share: Share, operator: str, number: Fraction) -> tuple[Events, Fraction]:
    """The condition on the query's value as one on part / total; a negative factor turns it around."""
    bound = (number - share.constant) / share.factor
    below = operator in ("<", "<=")
    if share.factor < 0:
        below = not below
    return (Events.BAD, bound) if below else (Events.GOOD, 1 - bound)
