"""The body of a reply of Prometheus' query API, read into an answer or a reason why there is none.

Law: pure and total. Anything unexpected is an Absent; nothing of the body gets into a message but
counts and the error types that are known.
"""

import json
import math
import operator
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import accumulate, chain, compress, count, pairwise
from typing import Any, Literal, TypeVar

import msgspec

from canary_operator.model.samples import (
    Absent,
    Answer,
    NativeBucket,
    NativeSample,
    NativeSeries,
    ResultKind,
    Sample,
    Series,
)
from canary_operator.model.verdict import HoldReason
from canary_operator.prometheus.replies import Fault, Reply

# Whatever one condition looks at is far less; raw samples are asked for many versions at once.
MAX_SERIES = 10_000
MAX_RAW_SERIES = 50_000
# Samples that are read at once: what that needs besides is gone with each batch.
_BATCH = 1000
NATIVE_REFUSED = "the query returns a native histogram: use histogram_quantile or histogram_fraction"

# What Go prints for a float64. float() alone would also take "1_000", " 1" and other alphabets' digits.
_GO_FLOAT = r"(?:[+-]?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|Inf)|NaN)"
_NUMBER = re.compile(_GO_FLOAT, re.ASCII)
_NUMBERS = re.compile(rf"{_GO_FLOAT}(?: {_GO_FLOAT})*", re.ASCII)
_ERROR_TYPE = re.compile(r"[A-Za-z0-9_-]{1,32}", re.ASCII)
# Prometheus' own; VictoriaMetrics writes the status instead. Any other word could be anything, a token for example.
_KNOWN_ERROR = re.compile(
    "bad_data|canceled|execution|internal|not_acceptable|not_found|timeout|too_many_requests|unavailable|[45][0-9]{2}"
)
_ANOTHER_ERROR = "an error of another kind"

# As Sample._make, without a call of Python's for each.
_MAKE_SAMPLE = partial(tuple.__new__, Sample)

Labels = tuple[tuple[str, str], ...]
Element = dict[str, Any]
AnySample = TypeVar("AnySample", Sample, NativeSample)
OneSeries = TypeVar("OneSeries", Series, NativeSeries)


class _UnreadableError(Exception):
    """A part of the body is not what the API promises; the text names the part, not its content."""


class _RefusedError(Exception):
    """The query returns something that no condition can use."""


class _TooManyError(Exception):
    """The query returns more series than are looked at."""


class _PartialError(Exception):
    """The server says itself that the answer is not complete."""


class _Element(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    metric: dict[str, str]
    values: list[tuple[float, str]]


class _Data(msgspec.Struct, gc=False):
    kind: Literal["matrix"] = msgspec.field(name="resultType")
    result: list[_Element]


class _Success(msgspec.Struct, gc=False):
    """What almost every long answer looks like: raw samples of counters, and nothing to remark.

    What is text here can be encoded: half a surrogate pair is malformed to msgspec.
    """

    status: Literal["success"]
    data: _Data
    infos: list[Any] = []
    warnings: list[Any] = []
    is_partial: bool = msgspec.field(name="isPartial", default=False)


_SUCCESS = msgspec.json.Decoder(_Success)


def decode_answer(body: bytes | bytearray) -> Reply:
    """Read the body of a reply with status 200.

    Returns: the complete answer, native histograms of raw samples included; or an Absent with
    TELEMETRY_UNAVAILABLE (not readable, partial, or with warnings) or CONFIGURATION_ERROR (the query
    returns what cannot be judged, or too much of it).
    """
    try:
        if (success := _parse_success(body)) is not None:
            return Reply(_raw_samples(success.data.result), infos=len(success.infos))
        reply = _mapping(_parse(body), "reply")
        return Reply(_answer(reply), infos=_infos(reply))
    except _UnreadableError as error:
        return Reply(_unavailable(f"the answer cannot be read: {error}"), Fault.SERVER)
    except _PartialError as error:
        return Reply(Absent(HoldReason.TELEMETRY_UNAVAILABLE, str(error), partial=True), Fault.PARTIAL)
    except _TooManyError as error:
        return Reply(Absent(HoldReason.CONFIGURATION_ERROR, str(error)), Fault.SIZE)
    except _RefusedError as error:
        return Reply(Absent(HoldReason.CONFIGURATION_ERROR, str(error)), Fault.QUERY)


def _unavailable(message: str) -> Absent:
    return Absent(HoldReason.TELEMETRY_UNAVAILABLE, message)


def decode_error_type(body: bytes | bytearray) -> str | None:
    """Read the ``errorType`` of a reply with another status, None when it is no error of such a server.

    Returns: one of the words that are known, or that it is another.
    """
    try:
        reply = _mapping(_parse(body), "reply")
    except _UnreadableError:
        return None
    kind = reply.get("errorType")
    if reply.get("status") != "error" or not isinstance(kind, str) or not _ERROR_TYPE.fullmatch(kind):
        return None
    return kind if _KNOWN_ERROR.fullmatch(kind) else _ANOTHER_ERROR


def is_encodable(text: str) -> bool:
    """Tell whether the text can be written as UTF-8: Python's strings may hold halves of characters."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _parse_success(body: bytes | bytearray) -> _Success | None:
    """Parse it in half the time, knowing what to expect; None where anything is not so, and is to be named."""
    try:
        success = _SUCCESS.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    is_plain = not success.warnings and not success.is_partial and len(success.data.result) <= MAX_RAW_SERIES
    return success if is_plain else None


def _parse(body: bytes | bytearray) -> object:
    try:
        return json.loads(body)
    except RecursionError as error:
        raise _UnreadableError("nested too deeply") from error
    except ValueError as error:
        raise _UnreadableError("not JSON") from error


def _answer(reply: Element) -> Answer:
    if reply.get("status") != "success":
        raise _UnreadableError("the status is not success")
    _demand_complete(reply)
    data = _mapping(reply.get("data"), "data")
    return _result(data.get("resultType"), data.get("result"))


def _demand_complete(reply: Element) -> None:
    warnings = _list(reply.get("warnings", []), "warnings")
    if warnings:
        raise _PartialError(f"the answer came with {len(warnings)} warning(s), so it may be partial")
    # VictoriaMetrics says so when a storage node did not answer.
    if reply.get("isPartial", False) is not False:
        raise _PartialError("the answer is partial")


def _infos(reply: Element) -> int:
    infos = reply.get("infos")
    return len(infos) if isinstance(infos, list) else 0


def _result(kind: object, result: object) -> Answer:
    match kind:
        case "scalar":
            return Answer(ResultKind.SCALAR, (Series((), (_sample(result),)),))
        case "vector":
            return _vector(_elements(result, MAX_SERIES))
        case "matrix":
            return _matrix(_elements(result, MAX_RAW_SERIES))
        case "string":
            raise _RefusedError("the query returns a string, and only numbers can be judged")
        case _:
            raise _UnreadableError("the result type is unknown")


def _elements(result: object, most: int) -> list[Element]:
    elements = _list(result, "result")
    if len(elements) > most:
        raise _TooManyError(f"the query returns {len(elements)} series, more than {most}: aggregate it")
    return [_mapping(element, "series") for element in elements]


def _vector(elements: list[Element]) -> Answer:
    if any("histogram" in element for element in elements):
        raise _RefusedError(NATIVE_REFUSED)
    samples = ((_sample(element.get("value")),) for element in elements)
    return Answer(ResultKind.VECTOR, _distinct(map(Series, _labels_of(_metrics(elements)), samples)))


def _raw_samples(elements: list[_Element]) -> Answer:
    metrics, values = [element.metric for element in elements], [element.values for element in elements]
    series = zip(_labels_of(metrics), _ranges(values, _numbers), strict=True)
    return Answer(ResultKind.MATRIX, _distinct(map(Series._make, series)))


def _matrix(elements: list[Element]) -> Answer:
    if not all("values" in element or "histograms" in element for element in elements):
        raise _UnreadableError("a series has no samples")
    # A series that became a native histogram within the range has both.
    numbers = [element for element in elements if "values" in element]
    histograms = [element for element in elements if "histograms" in element]
    series = map(Series, _labels_of(_metrics(numbers)), _ranges(_lists(numbers, "values"), _numbers))
    native = map(NativeSeries, _labels_of(_metrics(histograms)), _ranges(_lists(histograms, "histograms"), _natives))
    return Answer(ResultKind.MATRIX, _distinct(series), _distinct(native))


def _lists(elements: list[Element], key: str) -> list[list[Any]]:
    return [_list(element[key], key) for element in elements]


def _ranges(
    lists: Sequence[Sequence[Any]], read: Callable[[list[Any]], tuple[AnySample, ...]]
) -> Iterator[tuple[AnySample, ...]]:
    """The samples of each series. Raw samples come by the ten thousand: all are read and looked at together."""
    if not all(lists):
        raise _UnreadableError("a series has no samples")
    samples = read([*chain.from_iterable(lists)])
    ends: list[int] = [*accumulate(map(len, lists))]
    times = [sample.at for sample in samples]
    not_later = compress(count(1), map(operator.ge, times, times[1:]))
    if not set(ends).issuperset(not_later):
        raise _UnreadableError("the times of a series do not grow")
    return (samples[first:end] for first, end in pairwise([0, *ends]))


def _distinct(series: Iterable[OneSeries]) -> tuple[OneSeries, ...]:
    found = tuple(series)
    if len({each.labels for each in found}) < len(found):
        raise _UnreadableError("two series have the same labels")
    return found


def _numbers(pairs: list[Any]) -> tuple[Sample, ...]:
    # What is odd is read one by one, which tells what is odd about it.
    batches = (pairs[first : first + _BATCH] for first in range(0, len(pairs), _BATCH))
    return tuple(chain.from_iterable(_all_at_once(batch) or map(_sample, batch) for batch in batches))


def _all_at_once(pairs: list[Any]) -> list[Sample]:
    """The samples, none where anything needs a closer look."""
    try:
        times, texts = zip(*pairs, strict=True)
        if not {*map(type, times)} <= {int, float} or not _are_numbers(texts):
            return []
        seconds, values = [*map(float, times)], [*map(float, texts)]
    except (TypeError, ValueError, OverflowError):
        return []
    # A sum is finite where all parts are; where it is not, that may be for a NaN, which is a value and no time.
    certain = math.isfinite(sum(values)) or not any(map(math.isinf, values))
    if not certain or not all(map(math.isfinite, seconds)):
        return []
    return [*map(_MAKE_SAMPLE, zip(seconds, values, strict=True))]


def _are_numbers(texts: tuple[Any, ...]) -> bool:
    """Whether all are written as Go does, if float() takes each. Raises TypeError if one is no text."""
    together = "".join(texts)
    # Counters are whole numbers mostly. A text with a space in it would pass for two numbers, and float() refuses it.
    return (together.isascii() and together.isdecimal()) or _NUMBERS.fullmatch(" ".join(texts)) is not None


def _natives(pairs: list[Any]) -> tuple[NativeSample, ...]:
    return tuple(map(_native, pairs))


def _native(pair: object) -> NativeSample:
    match pair:
        case [int() | float() as at, {"count": str() as count, **rest}] if not isinstance(at, bool):
            buckets = tuple(map(_bucket, _list(rest.get("buckets", []), "buckets")))
            return NativeSample(_time(at), _value(count), buckets)
        case _:
            raise _UnreadableError("a sample is not a time and a native histogram")


def _bucket(bucket: object) -> NativeBucket:
    # The first number says which ends belong to the bucket. It matters for negative values only, and none are slow.
    match bucket:
        case [int(), str() as lower, str() as upper, str() as count]:
            read = NativeBucket(_value(lower), _value(upper), _value(count))
        case _:
            raise _UnreadableError("a bucket of a native histogram is not two bounds and a count")
    if math.isnan(read.lower) or math.isnan(read.upper):
        raise _UnreadableError("a bound of a native histogram is not a number")
    return read


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


def _metrics(elements: list[Element]) -> list[Element]:
    metrics = [_mapping(element.get("metric"), "metric") for element in elements]
    try:
        text = "".join(chain.from_iterable(chain(metric, metric.values()) for metric in metrics))
    except TypeError as error:
        raise _UnreadableError("a label is not text") from error
    # JSON can spell half a surrogate pair, which no later writer (status, log, journal) could encode.
    if not (text.isascii() or is_encodable(text)):
        raise _UnreadableError("a label is not text")
    return metrics


def _labels_of(metrics: Sequence[dict[str, str]]) -> list[Labels]:
    labels = map(dict.items, metrics)
    # Series of one metric have the same names, and servers sort them.
    names = [*metrics[0]] if metrics else []
    are_sorted = names == sorted(names) and [*chain.from_iterable(metrics)] == names * len(metrics)
    return [*map(tuple, labels if are_sorted else map(sorted, labels))]


def _mapping(value: object, what: str) -> Element:
    if not isinstance(value, dict):
        raise _UnreadableError(f"{what} is not an object")
    return value


def _list(value: object, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise _UnreadableError(f"{what} is not a list")
    return value
