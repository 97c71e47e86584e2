"""Write the CustomResourceDefinitions from the pydantic models, here and for the chart: ``python crds/generate.py``.

A CRD needs a structural schema: no references, no unions, a type everywhere. The models are the only source of
fields, bounds and descriptions; what only Kubernetes knows (columns, short names, rules) stands in KINDS.

Law: the same models give the same bytes. A field without a description is an error.
"""

import pathlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml
from pydantic import BaseModel

from canary_operator.model.document import RULES
from canary_operator.model.gate import GateStatus
from canary_operator.model.policy import CanaryGateSpec, SLOPolicySpec
from canary_operator.model.record import GateDecisionSpec

NAME = "canary-operator"
GROUP = "canary-operator.io"
VERSION = "v1alpha1"

# Bounds of a spec where its model has none. The API server estimates what a rule costs from the largest object that
# the schema allows. A status has no rules and no bounds: a gate that cannot say what is wrong would be worse.
MAX_LENGTH = 8_192
MAX_PATTERN_LENGTH = 64
MAX_ITEMS = 256

_KEPT = (
    *("type", "description", "enum", "format", "pattern", "minimum", "maximum", "minLength", "maxLength", "maxItems"),
    RULES,
)


@dataclass(frozen=True)
class Kind:
    """One kind: its models, and what the models cannot say."""

    name: str
    plural: str
    short_names: list[str]
    description: str
    spec: type[BaseModel]
    spec_required: bool
    columns: list[dict[str, Any]]
    status: type[BaseModel] | None = None
    # Defaults of what people write are shown; what the operator writes is stored as it was written.
    spec_defaults: bool = True
    rules: list[dict[str, str]] = field(default_factory=list)


def _column(name: str, path: str, kind: str = "string", *, wide: bool = False) -> dict[str, Any]:
    return {"name": name, "type": kind, "jsonPath": path} | ({"priority": 1} if wide else {})


_AGE = _column("AGE", ".metadata.creationTimestamp", "date")

KINDS = (
    Kind(
        name="SLOPolicy",
        plural="slopolicies",
        short_names=["slop"],
        description="Risk and timing of the gates that refer to it by name. People write it.",
        spec=SLOPolicySpec,
        spec_required=False,
        columns=[
            _column("FAIL ACTION", ".spec.failAction"),
            _column("MAX HOLD", ".spec.timing.maxHold"),
            _column("ON MAX HOLD", ".spec.timing.onMaxHold"),
            _AGE,
        ],
    ),
    Kind(
        name="CanaryGate",
        plural="canarygates",
        short_names=["cg"],
        description="The gate of the Rollout of the same name. The operator creates it and writes its status; "
        "people may write its spec.",
        spec=CanaryGateSpec,
        spec_required=False,
        status=GateStatus,
        columns=[
            _column("STEP", ".status.rolloutStep"),
            _column("WEIGHT", ".status.step.weight", "integer"),
            _column("VERDICT", ".status.verdict"),
            _column("REASON", ".status.reason"),
            _column("REQUESTS", ".status.requests", "integer"),
            _AGE,
            _column("MODE", ".status.mode", wide=True),
            _column("PHASE", ".status.phase", wide=True),
            _column("MESSAGE", ".status.message", wide=True),
        ],
    ),
    Kind(
        name="GateDecision",
        plural="gatedecisions",
        short_names=["gd"],
        description="One decision of one gate, for ever. The operator writes it, hash-chained; nobody changes it.",
        spec=GateDecisionSpec,
        spec_required=True,
        spec_defaults=False,
        rules=[{"rule": "self == oldSelf", "message": "a decision is a record: it cannot be changed"}],
        columns=[
            _column("ROLLOUT", ".spec.rolloutName"),
            _column("VERDICT", ".spec.verdict"),
            _column("REASON", ".spec.reason"),
            _column("ACTION", ".spec.action.kind"),
            _column("OUTCOME", ".spec.action.outcome"),
            _column("AT", ".spec.at"),
        ],
    ),
)


def main() -> None:
    """Write every CRD beside this file, and as a template of the chart."""
    here = pathlib.Path(__file__).parent
    chart = here.parent / "charts" / "canary-operator" / "charts" / "crds" / "templates"
    for folder, files in ((here, render_all()), (chart, render_for_the_chart())):
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")


def render_all() -> dict[str, str]:
    """Render all files, by name."""
    return {f"{kind.plural}.yaml": _written(definition(kind)) for kind in KINDS}


def render_for_the_chart() -> dict[str, str]:
    """Render all templates of the chart, by name: a kind outlives the release that brought it."""
    kept = {"annotations": {"helm.sh/resource-policy": "keep"}, "labels": {"app.kubernetes.io/part-of": NAME}}
    bodies = {f"{kind.plural}.yaml": definition(kind) for kind in KINDS}
    files = {name: _written({**body, "metadata": body["metadata"] | kept}) for name, body in bodies.items()}
    # What looks like a template in a description is none.
    return {name: text.replace("{{", '{{ "{{" }}') for name, text in files.items()}


def _written(body: dict[str, Any]) -> str:
    head = "# Generated by crds/generate.py from canary_operator/model; do not edit.\n"
    return head + yaml.safe_dump(body, sort_keys=False, allow_unicode=True, width=120)


def definition(kind: Kind) -> dict[str, Any]:
    """Compose the CustomResourceDefinition of a kind."""
    names = {"kind": kind.name, "listKind": f"{kind.name}List", "plural": kind.plural}
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "additionalPrinterColumns": kind.columns,
        "schema": {"openAPIV3Schema": _object_schema(kind)},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": names | {"singular": kind.name.lower(), "shortNames": kind.short_names, "categories": ["canary"]},
            "versions": [version if kind.status is None else version | {"subresources": {"status": {}}}],
        },
    }


def structural_schema(model: type[BaseModel], *, defaults: bool, bounds: bool) -> dict[str, Any]:
    """Turn a model into a structural schema, with the model's defaults and with bounds where it has none.

    Raises:

        ValueError: if a field has no description, or a type that a structural schema cannot say.
    """
    schema = model.model_json_schema(by_alias=True)
    return _Structural(schema.get("$defs") or {}, defaults=defaults, bounds=bounds).convert(schema, model.__name__)


def _object_schema(kind: Kind) -> dict[str, Any]:
    spec = structural_schema(kind.spec, defaults=kind.spec_defaults, bounds=True)
    if kind.rules:
        spec[RULES] = kind.rules
    properties = {
        "apiVersion": {"type": "string", "description": "Version of the schema of this object."},
        "kind": {"type": "string", "description": "Kind of this object."},
        "metadata": {"type": "object"},
        "spec": spec,
    }
    if kind.status is not None:
        properties["status"] = structural_schema(kind.status, defaults=False, bounds=False)
    schema = {"type": "object", "description": kind.description, "properties": properties}
    return schema | {"required": ["spec"]} if kind.spec_required else schema


class _Structural:
    """Converts one JSON schema of pydantic with its definitions."""

    def __init__(self, definitions: Mapping[str, Any], *, defaults: bool, bounds: bool) -> None:
        self._definitions = definitions
        self._defaults = defaults
        self._bounds = bounds

    def convert(self, schema: Mapping[str, Any], place: str, default: Any = None) -> dict[str, Any]:
        """Convert the schema at ``place``, with a default that its container knows better."""
        schema, default = self._resolved(schema), default if default is not None else schema.get("default")
        if "description" not in schema:
            raise ValueError(f"{place} has no description")
        converted = self._by_type(schema, place, default)
        converted = {name: schema[name] for name in _KEPT if name in schema} | converted
        if self._defaults and default is not None:
            # Parts have their own defaults; an empty object lets them show.
            converted["default"] = {} if converted["type"] == "object" else default
        return converted

    def _by_type(self, schema: Mapping[str, Any], place: str, default: Any) -> dict[str, Any]:
        match schema.get("type"):
            case "object":
                return self._object(schema, place, default)
            case "array":
                # Tuples of models: the description of the items is that of their class.
                items = self.convert(schema["items"], f"{place}[]")
                return {"items": items} | ({"maxItems": schema.get("maxItems", MAX_ITEMS)} if self._bounds else {})
            case "string":
                bounded = not {"enum", "format", "maxLength"}.isdisjoint(schema)
                length = MAX_PATTERN_LENGTH if "pattern" in schema else MAX_LENGTH
                return {"maxLength": length} if self._bounds and not bounded else {}
            case "integer":
                return {"format": "int64"}
            case "number":
                return {"format": "double"}
            case "boolean":
                return {}
            case other:
                raise ValueError(f"{place} has the type {other}, which a structural schema cannot say")

    def _object(self, schema: Mapping[str, Any], place: str, default: Any) -> dict[str, Any]:
        if "properties" not in schema:
            raise ValueError(f"{place} is an object without named fields")
        values = default if isinstance(default, dict) else {}
        properties = {
            name: self.convert(value, f"{place}.{name}", values.get(name))
            for name, value in schema["properties"].items()
        }
        return {"properties": properties} | ({"required": schema["required"]} if schema.get("required") else {})

    def _resolved(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        # The field's own words outrank those of the class it refers to.
        if "anyOf" in schema:
            options = [option for option in schema["anyOf"] if option.get("type") != "null"]
            if len(options) != 1:
                raise ValueError(f"a union of {len(options)} types: {schema}")
            return self._resolved(options[0] | {name: value for name, value in schema.items() if name != "anyOf"})
        if "$ref" in schema:
            target = self._definitions[schema["$ref"].removeprefix("#/$defs/")]
            return self._resolved(target | {name: value for name, value in schema.items() if name != "$ref"})
        if "const" in schema:
            return {**schema, "enum": [schema["const"]]}
        return dict(schema)


if __name__ == "__main__":
    main()
