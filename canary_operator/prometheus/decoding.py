"""The body of a reply of Prometheus' query API, read into an answer or a reason why there is none.

Law: pure and total. Anything unexpected is an Absent; nothing of the body gets into a message but
counts, the result type, and the error type where it is one word.
"""

import itertools
import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from canary_operator.model.samples import Absent, Answer, ResultKind, Sample, Series
from canary_operator.model.verdict import HoldReason

MAX_SERIES = 10_000

# What Go prints for a float64. float() alone would also take "1_000", " 1" and other alphabets' digits.
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|Inf)|NaN", re.ASCII)
_ERROR_TYPE = re.compile(r"[A-Za-z0-9_-]{1,32}", re.ASCII)

Labels = tuple[tuple[str, str], ...]
ReadSamples = Callable[[Mapping[str, Any]], tuple[Sample, ...]]


class _UnreadableError(Exception):
    """A part of the body is not what the API promises; the text names the part, not its content."""


class _RefusedError(Exception):
    """The query returns something that no condition can use."""


def decode_answer(body: bytes) -> Answer | Absent:
    """Read the body of a reply with status 200.

    Returns: the complete answer; or an Absent with TELEMETRY_UNAVAILABLE (not readable, partial, or
    with warnings) or CONFIGURATION_ERROR (the query returns what cannot be judged).
    """
    try:
        return _answer(_parse(body))
    except _UnreadableError as error:
        return Absent(HoldReason.TELEMETRY_UNAVAILABLE, f"the answer cannot be read: {error}")
    except _RefusedError as error:
        return Absent(HoldReason.CONFIGURATION_ERROR, str(error))


def decode_error_type(body: bytes) -> str | None:
    """Read the ``errorType`` of a reply with another status, None when it is not one of Prometheus' own."""
    try:
        reply = _mapping(_parse(body), "reply")
    except _UnreadableError:
        return None
    kind = reply.get("errorType")
    if reply.get("status") != "error" or not isinstance(kind, str) or not _ERROR_TYPE.fullmatch(kind):
        return None
    return kind


def is_encodable(text: str) -> bool:
    """Tell whether the text can be written as UTF-8: Python's strings may hold halves of characters."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _parse(body: bytes) -> object:
    try:
        return json.loads(body)
    except RecursionError as error:
        raise _UnreadableError("nested too deeply") from error
    except ValueError as error:
        raise _UnreadableError("not JSON") from error


def _answer(parsed: object) -> Answer | Absent:
    reply = _mapping(parsed, "reply")
    if reply.get("status") != "success":
        raise _UnreadableError("the status is not success")
    partial = _partial(reply)
    if partial is not None:
        return Absent(HoldReason.TELEMETRY_UNAVAILABLE, partial)
    data = _mapping(reply.get("data"), "data")
    return _result(data.get("resultType"), data.get("result"))


def _partial(reply: Mapping[str, Any]) -> str | None:
    warnings = _list(reply.get("warnings", []), "warnings")
    if warnings:
        return f"the answer came with {len(warnings)} warning(s), so it may be partial"
    # VictoriaMetrics says so when a storage node did not answer.
    if reply.get("isPartial", False) is not False:
        return "the answer is partial"
    return None


def _result(kind: object, result: object) -> Answer:
    match kind:
        case "scalar":
            return Answer(ResultKind.SCALAR, (Series((), (_sample(result),)),))
        case "vector":
            return Answer(ResultKind.VECTOR, _series(result, _instant))
        case "matrix":
            return Answer(ResultKind.MATRIX, _series(result, _range))
        case "string":
            raise _RefusedError("the query returns a string, and only numbers can be judged")
        case _:
            raise _UnreadableError("the result type is unknown")


def _series(result: object, samples_of: ReadSamples) -> tuple[Series, ...]:
    elements = _list(result, "result")
    if len(elements) > MAX_SERIES:
        raise _RefusedError(f"the query returns {len(elements)} series, more than {MAX_SERIES}: aggregate it")
    series = tuple(_one_series(_mapping(element, "series"), samples_of) for element in elements)
    if len({each.labels for each in series}) < len(series):
        raise _UnreadableError("two series have the same labels")
    return series


def _one_series(element: Mapping[str, Any], samples_of: ReadSamples) -> Series:
    if "histogram" in element or "histograms" in element:
        raise _RefusedError("the query returns a native histogram: use histogram_quantile or histogram_fraction")
    return Series(_labels(element.get("metric")), samples_of(element))


def _instant(element: Mapping[str, Any]) -> tuple[Sample, ...]:
    return (_sample(element.get("value")),)


def _range(element: Mapping[str, Any]) -> tuple[Sample, ...]:
    samples = tuple(_sample(pair) for pair in _list(element.get("values"), "values"))
    if not samples:
        raise _UnreadableError("a series has no samples")
    if any(later.at <= earlier.at for earlier, later in itertools.pairwise(samples)):
        raise _UnreadableError("the times of a series do not grow")
    return samples


def _sample(pair: object) -> Sample:
    match pair:
        case [int() | float() as at, str() as value] if not isinstance(at, bool):
            return Sample(_time(at), _value(value))
        case _:
            raise _UnreadableError("a sample is not a time and a value")


def _time(at: float) -> float:
    # Python's JSON reads NaN, Infinity and integers of any length; none of those is a time.
    try:
        seconds = float(at)
    except OverflowError as error:
        raise _UnreadableError("a time is out of range") from error
    if not math.isfinite(seconds):
        raise _UnreadableError("a time is not finite")
    return seconds


def _value(text: str) -> float:
    if not _NUMBER.fullmatch(text):
        raise _UnreadableError("a value is not a number")
    value = float(text)
    if math.isinf(value) and "Inf" not in text:
        raise _UnreadableError("a value is out of range")
    return value


def _labels(metric: object) -> Labels:
    labels = _mapping(metric, "metric")
    return tuple(sorted((_text(name), _text(value)) for name, value in labels.items()))


def _text(value: object) -> str:
    # JSON can spell half a surrogate pair, which no later writer (status, log, journal) could encode.
    if not isinstance(value, str) or not (value.isascii() or is_encodable(value)):
        raise _UnreadableError("a label is not text")
    return value


def _mapping(value: object, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise _UnreadableError(f"{what} is not an object")
    return value


def _list(value: object, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise _UnreadableError(f"{what} is not a list")
    return value
