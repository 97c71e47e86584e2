"""Plan: the committed files are what the models say; objects and schemas agree both ways; a schema Kubernetes takes.

Strict objects are validated by jsonschema with unknown fields forbidden, as the API server does for kubectl. What only
a real API server can tell (rules, their cost, pruning, the status subresource) is tested in tests/cluster.
"""

import pathlib
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import jsonschema
import pydantic
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from canary_operator.model.gate import GateStatus
from canary_operator.model.policy import CanaryGateSpec, Override, SLOPolicySpec, Timing
from canary_operator.model.record import GateDecisionSpec, RecordedAction

ROLLOUT = {"uid": "u", "generation": 17, "revision": 7, "podHash": "6c54544bf9", "stableHash": "7d8f9cbb44"}
DECISION = {
    "rolloutName": "guestbook",
    "rollout": ROLLOUT,
    "step": {"index": 1, "count": 4, "kind": "pause", "weight": 20},
    "at": "2026-09-14T10:00:00Z",
    "mode": "enforce",
    "verdict": "Hold",
    "reason": "Collecting",
    "message": "12 of 40 requests",
    "action": {"kind": "Hold", "decisionId": "d-1", "outcome": "Applied", "message": ""},
    "policies": [{"name": "strict", "digest": "sha256:0"}],
    "operatorVersion": "0.1.0",
    "actor": {"kind": "Operator"},
    "configuration": "",
    "inputs": {"digest": "", "size": 0, "data": "", "leftOut": "everything, 1 KiB"},
    "sequence": 1,
    "previousHash": "",
    "hash": "sha256:1",
}
OVERRIDE = {"action": "Hold", "reason": "a hunch", "requestedBy": "me", "expiresAt": "2026-09-14T10:00:00Z"}


def schema_of(crds: pathlib.Path, plural: str) -> dict[str, Any]:
    definition = yaml.safe_load((crds / f"{plural}.yaml").read_text())
    return dict(definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"])


def strict(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema as field validation Strict reads it: nothing unknown."""
    copied = {name: value for name, value in schema.items() if name not in {"format", "default"}}
    if "properties" in schema:
        copied["properties"] = {name: strict(value) for name, value in schema["properties"].items()}
        copied["additionalProperties"] = False
    if "items" in schema:
        copied["items"] = strict(schema["items"])
    return copied


def every_place(schema: dict[str, Any], place: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    yield place, schema
    for name, value in (schema.get("properties") or {}).items():
        yield from every_place(value, f"{place}.{name}")
    if "items" in schema:
        yield from every_place(schema["items"], f"{place}[]")


PLURALS = ("slopolicies", "canarygates", "gatedecisions")


def test_the_committed_files_are_what_the_models_say(generate: ModuleType, crds: pathlib.Path) -> None:
    rendered = generate.render_all()

    assert {name: (crds / name).read_text() for name in rendered} == rendered, "run: python crds/generate.py"
    named = yaml.safe_load((crds / "kustomization.yaml").read_text())["resources"]
    assert sorted(named) == sorted(rendered)


def test_the_charts_kinds_are_the_same_and_outlive_it(generate: ModuleType, crds: pathlib.Path) -> None:
    folder = crds.parent / "charts" / "canary-operator" / "charts" / "crds" / "templates"
    rendered = generate.render_for_the_chart()

    assert {path.name: path.read_text() for path in folder.iterdir()} == rendered, "run: python crds/generate.py"
    for name, text in rendered.items():
        kept, plain = yaml.safe_load(text), yaml.safe_load((crds / name).read_text())
        assert kept["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
        assert (kept["metadata"]["name"], kept["spec"]) == (plain["metadata"]["name"], plain["spec"])


@pytest.mark.parametrize("plural", PLURALS)
def test_every_schema_is_structural_and_every_field_is_described(crds: pathlib.Path, plural: str) -> None:
    for place, schema in every_place(schema_of(crds, plural)):
        assert {"$ref", "anyOf", "oneOf", "allOf", "not", "title", "const"}.isdisjoint(schema), place
        assert "type" in schema, place
        assert place == ".metadata" or schema.get("description"), place


@pytest.mark.parametrize(("plural", "part"), [("canarygates", ".status"), ("gatedecisions", "")])
def test_what_the_operator_writes_has_no_defaults(crds: pathlib.Path, plural: str, part: str) -> None:
    defaults = [
        place
        for place, schema in every_place(schema_of(crds, plural))
        if place.startswith(part) and "default" in schema
    ]
    assert defaults == []


def test_the_defaults_of_a_policy_are_those_of_the_model(crds: pathlib.Path) -> None:
    def filled(schema: dict[str, Any], value: dict[str, Any]) -> dict[str, Any]:
        for name, part in schema["properties"].items():
            if "default" in part:
                value.setdefault(name, part["default"])
            if part["type"] == "object" and name in value:
                value[name] = filled(part, dict(value[name]))
        return value

    defaulted = filled(schema_of(crds, "slopolicies")["properties"]["spec"], {})

    assert SLOPolicySpec().model_dump(mode="json", by_alias=True, exclude_none=True) == defaulted
    assert SLOPolicySpec.model_validate(defaulted) == SLOPolicySpec()


def test_the_table_of_gates_is_the_one_users_know(crds: pathlib.Path) -> None:
    definition = yaml.safe_load((crds / "canarygates.yaml").read_text())["spec"]
    columns = definition["versions"][0]["additionalPrinterColumns"]

    assert [(column["name"], column["jsonPath"]) for column in columns if not column.get("priority")] == [
        ("STEP", ".status.rolloutStep"),
        ("WEIGHT", ".status.step.weight"),
        ("VERDICT", ".status.verdict"),
        ("REASON", ".status.reason"),
        ("REQUESTS", ".status.requests"),
        ("AGE", ".metadata.creationTimestamp"),
    ]
    assert definition["names"]["shortNames"] == ["cg"]
    assert definition["versions"][0]["subresources"] == {"status": {}}


def test_the_table_of_decisions(crds: pathlib.Path) -> None:
    version = yaml.safe_load((crds / "gatedecisions.yaml").read_text())["spec"]["versions"][0]

    names = [column["name"] for column in version["additionalPrinterColumns"]]
    assert names == ["ROLLOUT", "VERDICT", "REASON", "ACTION", "OUTCOME", "AT"]
    assert "subresources" not in version
    rules = version["schema"]["openAPIV3Schema"]["properties"]["spec"]["x-kubernetes-validations"]
    assert [rule["rule"] for rule in rules] == ["self == oldSelf"]


@pytest.mark.parametrize("plural", PLURALS)
def test_columns_name_fields_that_exist(crds: pathlib.Path, plural: str) -> None:
    definition = yaml.safe_load((crds / f"{plural}.yaml").read_text())
    places = {place for place, _ in every_place(schema_of(crds, plural))}

    for column in definition["spec"]["versions"][0]["additionalPrinterColumns"]:
        assert column["jsonPath"] in places | {".metadata.creationTimestamp"}


def test_what_the_models_dump_fits_the_schemas(crds: pathlib.Path) -> None:
    def dumped(model: pydantic.BaseModel) -> dict[str, Any]:
        return model.model_dump(mode="json", by_alias=True, exclude_none=True)

    override = Override.model_validate(OVERRIDE)
    for plural, part, model in (
        ("slopolicies", "spec", SLOPolicySpec(timing=Timing(warm_up=90, max_hold=1800))),
        ("canarygates", "spec", CanaryGateSpec(suspend=True, override=override)),
        ("canarygates", "status", GateStatus()),
        ("gatedecisions", "spec", GateDecisionSpec.model_validate(DECISION)),
    ):
        jsonschema.validate(dumped(model), strict(schema_of(crds, plural)["properties"][part]))


@pytest.mark.parametrize(
    ("plural", "spec"),
    [
        ("slopolicies", {"timing": {"warmUp": "soon"}}),
        ("slopolicies", {"timing": {"onMaxHold": "Explode"}}),
        ("slopolicies", {"timing": {"minMeasurements": 0}}),
        ("slopolicies", {"telemetryLoss": {"then": "Promote"}}),
        ("slopolicies", {"riks": {}}),
        ("canarygates", {"suspend": "perhaps"}),
        ("canarygates", {"override": {"action": "Hold"}}),
        ("canarygates", {"override": OVERRIDE | {"reason": ""}}),
        ("gatedecisions", {key: value for key, value in DECISION.items() if key != "hash"}),
        ("gatedecisions", DECISION | {"sequence": 0}),
    ],
)
def test_schema_and_model_refuse_the_same(crds: pathlib.Path, plural: str, spec: dict[str, Any]) -> None:
    models = {"slopolicies": SLOPolicySpec, "canarygates": CanaryGateSpec, "gatedecisions": GateDecisionSpec}

    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(spec, strict(schema_of(crds, plural)["properties"]["spec"]))
    with pytest.raises(pydantic.ValidationError):
        models[plural].model_validate(spec)


def values_of(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Any value that the schema allows."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "pattern" in schema:
        return st.builds("{}{}".format, st.integers(0, 200), st.sampled_from(["ms", "s", "m", "h"]))
    match schema["type"]:
        case "object":
            required = set(schema.get("required") or ())
            fields = {name: values_of(part) for name, part in schema["properties"].items()}
            return st.fixed_dictionaries(
                {name: value for name, value in fields.items() if name in required},
                optional={name: value for name, value in fields.items() if name not in required},
            )
        case "array":
            return st.lists(values_of(schema["items"]), max_size=1)
        case "string":
            return st.text("abc-", min_size=schema.get("minLength", 0), max_size=10)
        case "integer":
            return st.integers(schema.get("minimum", 0), schema.get("maximum", 10**6))
        case "number":
            return st.floats(schema.get("minimum", 0), schema.get("maximum", 10**6))
        case "boolean":
            return st.booleans()
    raise AssertionError(schema)


# Rules between fields, and bounds of what is written as text: the tests of the models have them.
BEYOND_A_SCHEMA = {"objectives", "attribution", "risk", "guards", "stratifyBy", "bake", "freezeWindows"}


def without_rules_beyond(schema: dict[str, Any]) -> dict[str, Any]:
    if "properties" not in schema:
        return schema
    parts = {name: part for name, part in schema["properties"].items() if name not in BEYOND_A_SCHEMA}
    return {**schema, "properties": {name: without_rules_beyond(part) for name, part in parts.items()}}


@pytest.mark.parametrize(
    ("plural", "part", "model"),
    [
        ("slopolicies", "spec", SLOPolicySpec),
        ("canarygates", "spec", CanaryGateSpec),
        ("canarygates", "status", GateStatus),
        ("gatedecisions", "spec", GateDecisionSpec),
    ],
)
@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_whatever_a_schema_allows_is_read_and_comes_back_the_same(
    data: st.DataObject, plural: str, part: str, model: type[pydantic.BaseModel], crds: pathlib.Path
) -> None:
    schema = schema_of(crds, plural)["properties"][part]
    value = data.draw(values_of(without_rules_beyond(schema)))
    jsonschema.validate(value, strict(schema))

    read = model.model_validate(value)

    dumped = read.model_dump(mode="json", by_alias=True, exclude_none=True)
    jsonschema.validate(dumped, strict(schema))
    again = model.model_validate(dumped)
    assert again.model_dump(mode="json", by_alias=True, exclude_none=True) == dumped


def test_a_field_without_a_description_is_an_error(generate: ModuleType) -> None:
    class Undescribed(pydantic.BaseModel):
        """Described itself."""

        silent: int

    with pytest.raises(ValueError, match=r"Undescribed\.silent has no description"):
        generate.structural_schema(Undescribed, defaults=False, bounds=False)


def test_a_union_is_an_error(generate: ModuleType) -> None:
    class Either(pydantic.BaseModel):
        """Described itself."""

        either: int | str = pydantic.Field(description="Two types.")

    with pytest.raises(ValueError, match="union"):
        generate.structural_schema(Either, defaults=False, bounds=False)


def test_an_action_that_was_only_intended_is_no_record() -> None:
    assert "Nudge" not in str(RecordedAction.model_json_schema())
