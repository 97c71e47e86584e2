"""Scripted answers of a Prometheus, and what the Go client that Argo uses makes of them.

Law: pure. A script says status and body, so that both sides read the same bytes; the words of transport faults are
Go's, and where they depend on a JSON library they are not foretold (UNTOLD).
"""

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from canary_operator.model.samples import Absent, Answer, ResultKind, Sample, Series
from canary_operator.model.verdict import HoldReason

AT = 1700000000
HANG_SECONDS = 1.4
# A fault whose words are a JSON library's: any text will do.
UNTOLD = "\0untold"
VALUES = ("0", "0.01", "0.05", "0.1", "0.2", "0.5", "0.97", "1", "10", "NaN", "+Inf", "-Inf", "-0", "1e-7", "1e+21")
VALUES += ("0.30000000000000004",)
ODD_FROM = VALUES.index("NaN")


@dataclass(frozen=True, slots=True)
class Heard:
    """What the client hands on, and the warnings that came along."""

    answer: Answer | Absent
    warnings: tuple[str, ...] = ()


def scripted(chance: random.Random, kind: str, *, oddness: float) -> dict[str, Any]:
    """One answer of a metric whose query returns ``kind``; with probability ``oddness`` one that is not plain."""
    if chance.random() < oddness:
        return _odd(chance, kind)
    return plain(kind, [_value(chance, oddness) for _ in range(_size(chance, kind))])


def _size(chance: random.Random, kind: str) -> int:
    return 1 if kind == "scalar" else chance.choices((1, 2, 3, 0), (70, 16, 8, 6))[0]


def _value(chance: random.Random, oddness: float) -> str:
    return chance.choice(VALUES if chance.random() < oddness + 0.05 else VALUES[:ODD_FROM])


def plain(kind: str, values: Sequence[str], **more: Any) -> dict[str, Any]:
    """A complete answer."""
    return {"status": 200, "body": json.dumps({"status": "success", "data": _data(kind, values), **more})}


def _data(kind: str, values: Sequence[str]) -> dict[str, Any]:
    match kind:
        case "scalar":
            result: Any = [AT, values[0]]
        case "vector":
            result = [{"metric": {"pod": f"p{at}"}, "value": [AT, value]} for at, value in enumerate(values)]
        case _:
            result = [
                {"metric": {"pod": f"p{at}"}, "values": [[AT, value], [AT + 60, value]]}
                for at, value in enumerate(values)
            ]
    return {"resultType": kind, "result": result}


def _odd(chance: random.Random, kind: str) -> dict[str, Any]:
    choices: tuple[tuple[int, dict[str, Any]], ...] = (
        (4, plain(kind, ["NaN"])),
        (3, plain("vector", ["0.01", "NaN"])),
        (4, plain("vector", [])),
        (1, plain("matrix", [])),
        (3, plain("vector", [chance.choice(VALUES), chance.choice(VALUES)])),
        (2, plain(chance.choice(("scalar", "vector", "matrix")), [chance.choice(VALUES)])),
        (3, plain(kind, ["0.01"], warnings=["PromQL warning", 'it is "partial"'][: chance.randint(1, 2)])),
        (1, plain(kind, ["0.01"], infos=["PromQL info"])),
        (1, {"status": 200, "body": '{"status":"success","data":{"resultType":"string","result":[1,"a"]}}'}),
        (1, {"status": 200, "body": '{"status":"success","data":{"resultType":"vector","result":null}}'}),
        (1, {"status": 200, "body": '{"status":"success","data":null}'}),
        (1, {"status": 200, "body": '{"status":"success","data":{"resultType":"vector","result":[{"metric":{}}]}}'}),
        (1, {"status": 200, "body": "<html>not JSON</html>"}),
        (3, _refused(400, "bad_data", 'invalid parameter "query": 1:5: parse error')),
        (2, _refused(422, "execution", "found duplicate series")),
        (2, _refused(503, "timeout", "query timed out")),
        (2, {"status": chance.choice((401, 403, 404, 429, 500, 502, 504)), "body": "no"}),
        (2, {"drop": True}),
        (2, {"hang": HANG_SECONDS}),
    )
    weights = [weight for weight, _ in choices]
    return chance.choices([answer for _, answer in choices], weights)[0]


def _refused(status: int, kind: str, error: str) -> dict[str, Any]:
    return {"status": status, "body": json.dumps({"status": "error", "errorType": kind, "error": error})}


def heard(script: Mapping[str, Any], url: str, timeout: float) -> Heard:
    """What Go's client makes of a scripted answer.

    Args:

        url: what it asked, as it stands in its errors.

        timeout: seconds after which it gives up.
    """
    if "drop" in script:
        return _lost(f'Post "{url}": EOF')
    if "hang" in script:
        return (
            _lost(f'Post "{url}": context deadline exceeded')
            if timeout < script["hang"]
            else _read(plain("scalar", ["0"]))
        )
    return _read(script)


def _read(script: Mapping[str, Any]) -> Heard:
    status = script["status"]
    if status // 100 == 5:
        return _lost(f"server_error: server error: {status}")
    if status // 100 == 4 and status not in (400, 422):
        return _lost(f"client_error: client error: {status}")
    try:
        reply = json.loads(script["body"])
    except ValueError:
        return _lost(UNTOLD)
    if reply["status"] == "error":
        return _lost(f"{reply['errorType']}: {reply['error']}")
    return _answered(reply)


def _answered(reply: Mapping[str, Any]) -> Heard:
    data, warnings = reply.get("data"), tuple(reply.get("warnings", ()))
    if data is None or data["result"] is None or data["resultType"] == "string":
        return _lost(UNTOLD)
    match data["resultType"]:
        case "scalar":
            return Heard(Answer(ResultKind.SCALAR, (_series({"value": data["result"]}),)), warnings)
        case "vector":
            return Heard(Answer(ResultKind.VECTOR, tuple(map(_series, data["result"]))), warnings)
        case _:
            return Heard(Answer(ResultKind.MATRIX, tuple(map(_series, data["result"]))), warnings)


def _series(raw: Mapping[str, Any]) -> Series:
    # A sample without a value is Go's zero value.
    pairs = raw.get("values") or [raw.get("value", [0, "0"])]
    labels = tuple(sorted(raw.get("metric", {}).items()))
    return Series(labels, tuple(Sample(float(at), float(value)) for at, value in pairs))


def _lost(message: str) -> Heard:
    return Heard(Absent(HoldReason.TELEMETRY_UNAVAILABLE, message))
