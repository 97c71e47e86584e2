"""Write charts/canary-operator/values.schema.json: ``python charts/schema.py``.

Law: what the configuration takes is said by the settings alone; everything else by values.schema.yaml.
"""

import json
import pathlib
from typing import Any

import yaml

from canary_operator.settings import Settings

_HERE = pathlib.Path(__file__).parent
TARGET = _HERE / "canary-operator" / "values.schema.json"

# Helm's older releases know no later dialect, and there the parts of a schema have this place.
_PARTS = "definitions"


def main() -> None:
    """Write the schema."""
    TARGET.write_text(render(), encoding="utf-8")


def render() -> str:
    """Render the whole schema."""
    schema = yaml.safe_load((_HERE / "values.schema.yaml").read_text(encoding="utf-8"))
    config = _plain(Settings.model_json_schema(by_alias=True))
    parts = config.pop("$defs")
    # The chart's own `mode` is the configuration's, since the rights follow from it.
    del config["properties"]["mode"]
    schema["properties"]["config"] = config
    schema[_PARTS] |= parts
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _plain(schema: Any) -> Any:
    """Leave out what says nothing about a value (titles, defaults, Python's formats), and move the parts."""
    match schema:
        case dict():
            kept = {name: _field(name, value) for name, value in schema.items() if not _says_nothing(name, value)}
            return {name: _reference(value) if name == "$ref" else value for name, value in kept.items()}
        case list():
            return [_plain(item) for item in schema]
        case _:
            return schema


def _field(name: str, value: Any) -> Any:
    # The names of fields are no keywords: a field may be called title or format.
    if name in {"properties", "$defs"}:
        return {field: _plain(part) for field, part in value.items()}
    return _plain(value)


def _says_nothing(name: str, value: Any) -> bool:
    return name in {"title", "default"} or (name, value) == ("format", "path")


def _reference(target: str) -> str:
    return target.replace("#/$defs/", f"#/{_PARTS}/")


if __name__ == "__main__":
    main()
