"""What a decision was a function of, as a record keeps it, so that anybody can decide again.

Law: pure. Nothing is kept that deciding does not look at. What is too large is left out, and the record says so.
"""

import base64
import binascii
import hashlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from canary_operator.errors import ConfigurationError
from canary_operator.journal import exact
from canary_operator.model.decision import Snapshot
from canary_operator.model.record import RecordedInputs
from canary_operator.model.rollout import Body
from canary_operator.model.samples import Absent, Samples

# etcd takes 1.5 MB an object, and a record is more than its inputs.
MAX_COMPRESSED_BYTES = 128 * 1024
# More than anything that was recorded grows to; a forged record must not fill the memory of whoever replays it.
MAX_BYTES = 256 * 1024 * 1024
_METADATA = ("name", "generation")


@dataclass(frozen=True, slots=True)
class Inputs:
    """The arguments of ``engine.decide``: what was known, what Prometheus said, and when (Unix seconds)."""

    snapshot: Snapshot
    samples: Samples
    now: float


def pack(inputs: Inputs) -> RecordedInputs:
    """The inputs as a record keeps them: without the answers where they are too large, else without anything."""
    # In their order: of two providers with one address the first is meant.
    whole = exact.write(replace(inputs, snapshot=_needed(inputs.snapshot)), Inputs)
    text = exact.ordered(whole)
    packed = _packed(text, "")
    if _fits(packed):
        return packed
    answers = exact.ordered(whole["samples"])
    packed = _packed(exact.ordered({**whole, "samples": []}), f"answers of {_size(answers)}")
    return packed if _fits(packed) else _packed("", f"everything, {_size(text)}")


def unpack(packed: RecordedInputs) -> Inputs:
    """The inputs that a record keeps.

    Raises:

        ConfigurationError: something was left out, was changed, or cannot be read by this version.
    """
    if packed.left_out:
        raise ConfigurationError(f"{packed.left_out} were left out")
    text = _unpacked(packed.data)
    if hashlib.sha256(text).hexdigest() != packed.digest:
        raise ConfigurationError("the inputs are not those that were recorded: their hash differs")
    return exact.read(json.loads(text), Inputs)


def _packed(text: str, left_out: str) -> RecordedInputs:
    raw = text.encode()
    return RecordedInputs(
        digest=hashlib.sha256(raw).hexdigest(),
        size=len(raw),
        data=base64.b64encode(zlib.compress(raw)).decode() if raw else "",
        left_out=left_out,
    )


def _fits(packed: RecordedInputs) -> bool:
    return len(packed.data) * 3 <= MAX_COMPRESSED_BYTES * 4


def _size(text: str) -> str:
    return f"{len(text) / 1024:.0f} KiB"


def _unpacked(data: str) -> bytes:
    try:
        return zlib.decompressobj().decompress(base64.b64decode(data, validate=True), MAX_BYTES)
    except (binascii.Error, zlib.error, ValueError) as error:
        raise ConfigurationError(f"the inputs cannot be unpacked: {error}") from error


def _needed(snapshot: Snapshot) -> Snapshot:
    """The snapshot without what people keep in annotations of their own."""
    facts = snapshot.facts
    definitions = {
        key: found if isinstance(found, Absent) else _bare(found) for key, found in facts.definitions.items()
    }
    return replace(
        snapshot,
        rollout=replace(snapshot.rollout, annotations={}),
        templates={ref: _bare(body) for ref, body in snapshot.templates.items()},
        facts=replace(facts, definitions=definitions),
    )


def _bare(body: Body) -> Mapping[str, Any]:
    meta = body.get("metadata") or {}
    return {**body, "metadata": {name: meta[name] for name in _METADATA if name in meta}}
