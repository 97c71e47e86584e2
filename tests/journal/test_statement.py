"""What an in-toto statement says of a promoted release, and when nothing can be said."""

import jsonschema
import pytest

from canary_operator.journal.records import signed
from canary_operator.journal.statement import Statement, Unsaid, statement_of
from canary_operator.model.record import RunningImage
from tests.archive.trail import REF, a_record
from tests.builders import CANARY, UID

DIGEST = "0123456789abcdef" * 4
OTHER = "fedcba9876543210" * 4
# https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md, and resource_descriptor.md
SHAPE = {
    "type": "object",
    "required": ["_type", "subject", "predicateType"],
    "additionalProperties": False,
    "properties": {
        "_type": {"const": "https://in-toto.io/Statement/v1"},
        "subject": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["digest"],
                "properties": {
                    "name": {"type": "string", "minLength": 1},
                    "digest": {
                        "type": "object",
                        "minProperties": 1,
                        "properties": {"sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"}},
                        "additionalProperties": False,
                    },
                },
            },
        },
        "predicateType": {"type": "string", "format": "uri", "pattern": "^https://"},
        "predicate": {"type": "object"},
    },
}


def an_image(image=f"shop.example.com/web@sha256:{DIGEST}", container="main", version="Canary"):
    return RunningImage(version=version, container=container, image=image, pods=2)


def told(sequence, verdict="Promote", reason="ConditionsMet", images=None, **fields):
    record = a_record(sequence, verdict=verdict, reason=reason, **fields)
    return signed(record.model_copy(update={"images": tuple(images or (an_image(),))}))


def said(*records, stable=CANARY):
    return statement_of(REF, records, UID, stable)


def test_a_promoted_release_is_its_images_by_digest_and_what_the_gate_said():
    records = [told(1, "Hold", "NoData"), told(2)]

    statement = said(*reversed(records))

    assert isinstance(statement, Statement)
    document = statement.document()
    jsonschema.validate(document, SHAPE)
    assert document["subject"] == [{"name": "shop.example.com/web", "digest": {"sha256": DIGEST}}]
    assert document["predicateType"] == "https://canary-operator.io/attestation/promotion/v1"
    predicate = document["predicate"]
    assert (predicate["verdict"], predicate["reason"]) == ("Promote", "ConditionsMet")
    assert predicate["rollout"]["podHash"] == CANARY
    assert predicate["records"] == [{"sequence": each.sequence, "hash": each.hash} for each in records]
    assert predicate["chainHead"] == {"sequence": 2, "hash": records[-1].hash}


ANOTHER = {name: a_record().rollout.model_dump() | {name: "another"} for name in ("pod_hash", "uid")}


def test_every_container_is_a_subject_once():
    sidecar = an_image(f"shop.example.com/proxy@sha256:{OTHER}", "proxy")
    statement = said(told(1, images=[an_image(), sidecar, an_image(version="Stable", image="old")]))

    assert statement.subject == (("shop.example.com/proxy", OTHER), ("shop.example.com/web", DIGEST))


@pytest.mark.parametrize(
    ("records", "why"),
    [
        ([], "no record is about the version"),
        (
            [told(1, rollout=ANOTHER["pod_hash"])],
            "no record is about the version",
        ),
        ([told(1), told(2, "Hold", "CanaryRegression")], "was Hold CanaryRegression: the gate did not promote it"),
        ([told(1), told(2, "Abort", "ConditionsFailed")], "was Abort ConditionsFailed"),
        ([told(1, images=[an_image(version="Stable")])], "names an image"),
        ([told(1, images=[an_image("shop.example.com/web:2")])], "ran shop.example.com/web:2, which names no digest"),
        ([told(1, images=[an_image(), an_image(f"web@sha256:{OTHER}")])], "container main ran more than one image"),
        ([told(1).model_copy(update={"message": "forged"})], "record 1 does not have the hash of what it says"),
        ([told(1, rollout=ANOTHER["uid"])], "no record is about the version"),
    ],
)
def test_what_cannot_be_said_is_not_and_says_why(records, why):
    unsaid = said(*records)

    assert isinstance(unsaid, Unsaid)
    assert why in unsaid.why


def test_a_rollout_without_a_stable_version_says_nothing():
    assert isinstance(said(told(1), stable=""), Unsaid)


def test_the_shape_can_fail():
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**said(told(1)).document(), "subject": []}, SHAPE)
