"""One door for all formats: a reference and the object it names become an indicator.

Law: a table of kinds; a new format is a new file and a row here. A ConfigMap's documents are OpenSLO v1 or Sloth's
file format, told apart by what they say themselves.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import yaml

from canary_operator.errors import ConfigurationError
from canary_operator.model.indicator import Indicator, Opaque, SLORef
from canary_operator.slo import analysis_template, fields, inline, openslo, pyrra, sloth

GROUPS: Mapping[str, str] = MappingProxyType(
    {
        "ServiceLevelObjective": "pyrra.dev",
        "PrometheusServiceLevel": "sloth.slok.dev",
        "AnalysisTemplate": "argoproj.io",
        "ClusterAnalysisTemplate": "argoproj.io",
        "ConfigMap": "",
        "SLOPolicy": "canary-operator.io",
    }
)
# A ConfigMap holds at most 1 MiB; parsing YAML in Python takes about a second for each 200 kB.
MAX_YAML_CHARACTERS = 200_000
MAX_YAML_DEPTH = 50

_OPENING = (
    yaml.FlowSequenceStartToken,
    yaml.FlowMappingStartToken,
    yaml.BlockSequenceStartToken,
    yaml.BlockMappingStartToken,
)
_CLOSING = (yaml.FlowSequenceEndToken, yaml.FlowMappingEndToken, yaml.BlockEndToken)


def indicator_from(
    reference: SLORef, body: Mapping[str, Any], arguments: Mapping[str, str] = MappingProxyType({})
) -> Indicator | Opaque:
    """The indicator that a reference means.

    Args:

        reference: which SLO; ``kind`` is one of GROUPS.

        body: the object as Kubernetes has it; for SLOPolicy one entry of its objectives.

        arguments: the resolved args of an AnalysisTemplate.

    Raises:

        ConfigurationError: the object is of another kind or cannot be used; place, value and what is allowed.
    """
    if reference.kind == "SLOPolicy":
        return inline.read(reference, body)
    _check_kind(reference, body)
    match reference.kind:
        case "ServiceLevelObjective":
            return pyrra.read(reference, body)
        case "PrometheusServiceLevel":
            return sloth.read(reference, body)
        case "AnalysisTemplate" | "ClusterAnalysisTemplate":
            return analysis_template.read(reference, body, arguments)
    return _from_config_map(reference, body)


def _check_kind(reference: SLORef, body: Mapping[str, Any]) -> None:
    if reference.kind not in GROUPS:
        raise fields.wrong(f"{reference}: kind", reference.kind, f"one of {', '.join(GROUPS)}")
    group, kind = str(body.get("apiVersion", "")).rpartition("/")[0], body.get("kind")
    if (group, kind) != (GROUPS[reference.kind], reference.kind):
        raise fields.wrong(str(reference), f"{group}/{kind}", f"{GROUPS[reference.kind]}/{reference.kind}")


def _from_config_map(reference: SLORef, body: Mapping[str, Any]) -> Indicator | Opaque:
    documents = list(_documents(reference, fields.mapping(body, "data", str(reference))))
    choices = {name: document for document in documents for name in _names(reference, document)}
    if reference.entry not in choices and not (len(choices) == 1 and not reference.entry):
        known = ", ".join(choices) or "none: there is no OpenSLO v1 SLO and no Sloth file in it"
        raise fields.wrong(str(reference), reference.entry or "no entry", f"one SLO of {known}")
    name = reference.entry or next(iter(choices))
    reference = replace(reference, entry=name)
    if "version" in choices[name]:
        return sloth.read_file(reference, choices[name])
    return openslo.read(reference, choices[name], documents)


def _names(reference: SLORef, document: Mapping[str, Any]) -> Iterator[str]:
    if document.get("version") == "prometheus/v1":
        yield from sloth.entries(document, str(reference))
    elif document.get("apiVersion") == openslo.API_VERSION and document.get("kind") == "SLO":
        yield fields.text(fields.mapping(document, "metadata", str(reference)), "name", f"{reference}: metadata")


def _documents(reference: SLORef, data: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for key, text in sorted(data.items()):
        if not isinstance(text, str) or len(text) > MAX_YAML_CHARACTERS:
            raise ConfigurationError(f"{reference}: data[{key}]: allowed is YAML of {MAX_YAML_CHARACTERS} characters")
        try:
            _check_yaml(text, f"{reference}: data[{key}]")
            loaded = list(yaml.safe_load_all(text))
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            raise ConfigurationError(f"{reference}: data[{key}] is not YAML: {error!s:.200}") from error
        yield from (document for document in loaded if isinstance(document, Mapping))


def _check_yaml(text: str, place: str) -> None:
    """Refuse what makes a small text expensive, before it is parsed.

    Aliases make it mean a huge one, and the time that PyYAML needs grows with the square of the depth: 5,000 opening
    brackets take half a minute.
    """
    depth = 0
    for token in yaml.scan(text):
        depth += isinstance(token, _OPENING) - isinstance(token, _CLOSING)
        if isinstance(token, yaml.AliasToken):
            raise ConfigurationError(f"{place}: YAML aliases (*name) are not read")
        if depth > MAX_YAML_DEPTH:
            raise ConfigurationError(f"{place}: the YAML is nested more than {MAX_YAML_DEPTH} deep")
