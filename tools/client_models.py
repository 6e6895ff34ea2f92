"""Makes the types of `coldstart_client` from the OpenAPI document: `answers.py` as models, `bodies.py` as dictionaries.

`python -m tools.client_models` writes them. What the api refuses is for the api to say, so bounds are left out.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from shared.deployments.description import DeploymentDescription
from tools.openapi_document import document

PROJECT: Final = Path(__file__).parents[1]
ANSWERS: Final = PROJECT / "coldstart_client/answers.py"
BODIES: Final = PROJECT / "coldstart_client/bodies.py"
OPERATIONS: Final = ("/instances", "/deployments", "/models", "/instance-types")
"""Where the paths begin whose types are made."""
_OF_EVENTS: Final = {"DeploymentDescription": DeploymentDescription}
"""What events have besides, which the document does not describe."""
_REF: Final = "#/components/schemas/"
_BOUNDS: Final = frozenset({
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength", "pattern"),
    *("minItems", "maxItems", "title", "examples", "additionalProperties"),
})  # fmt: skip
_HEAD: Final = '"""{} Made from docs/openapi.yaml by `make docs`."""\n\n'
_GENERATOR: Final = (
    *(sys.executable, "-W", "ignore", "-m", "datamodel_code_generator", "--input-file-type", "openapi"),
    *("--openapi-scopes", "schemas", "--target-python-version", "3.11", "--disable-timestamp", "--use-annotated"),
    *("--use-standard-collections", "--use-union-operator", "--use-schema-description", "--formatters", "builtin"),
    *("--use-double-quotes", "--collapse-root-models", "--disable-future-imports", "--strict-nullable"),
)
_AS_MODELS: Final = (
    *("--output-model-type", "pydantic_v2.BaseModel", "--base-class", "coldstart_client.reading.Answer"),
    *("--capitalise-enum-members", "--set-default-enum-member"),
)
_AS_DICTIONARIES: Final = ("--output-model-type", "typing.TypedDict", "--enum-field-as-literal", "all")
_RUFF: Final = (sys.executable, "-m", "ruff")


def answers() -> str:
    """The text of `answers.py`."""
    made = _generated(_with_definitions() | _schemas("responses", "parameters"), *_AS_MODELS)
    made = made.replace("(StrEnum)", "(OpenEnum)").replace("from enum import StrEnum\n", "")
    made = made.replace("import Answer", "import Answer, OpenEnum")
    return _formatted(_HEAD.format("What the API answers.") + made)


def bodies() -> str:
    """The text of `bodies.py`."""
    return _formatted(_HEAD.format("What the API takes.") + _generated(_schemas("requestBody"), *_AS_DICTIONARIES))


def _schemas(*parts: str) -> dict[str, Any]:
    """Those that these parts of the operations need, by name."""
    whole = document()
    known = whole["components"]["schemas"]
    found: dict[str, Any] = {}
    waiting = [
        name
        for path, operations in whole["paths"].items()
        for operation in operations.values()
        for part in parts
        if path.startswith(OPERATIONS) and isinstance(operation, dict)
        for name in _named(_wanted(operation.get(part)))
    ]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = known[name]
            waiting.extend(_named(known[name]))
    return found


def _wanted(part: Any) -> Any:
    """Without the answers that are no success."""
    return {name: one for name, one in part.items() if name[0] not in "45"} if isinstance(part, dict) else part


def _named(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(reference := schema.get("$ref"), str) and reference.startswith(_REF):
            yield reference.removeprefix(_REF)
        schema = list(schema.values())
    for each in schema if isinstance(schema, list) else ():
        yield from _named(each)


def _with_definitions() -> dict[str, Any]:
    """The models of events, and what they consist of."""
    found: dict[str, Any] = {}
    for name, model in _OF_EVENTS.items():
        schema = model.model_json_schema(mode="serialization", ref_template=_REF + "{model}")
        found |= schema.pop("$defs", {})
        found[name] = schema
    return found


def _generated(schemas: Mapping[str, Any], *options: str) -> str:
    components = _Components(schemas).result
    told = {"openapi": "3.1.0", "info": {"title": "-", "version": "-"}, "paths": {}}
    with tempfile.TemporaryDirectory() as folder:
        source, result = Path(folder, "openapi.json"), Path(folder, "made.py")
        source.write_text(json.dumps({**told, "components": {"schemas": dict(sorted(components.items()))}}))
        subprocess.run([*_GENERATOR, *options, "--input", source, "--output", result], check=True)
        made = result.read_text()
    return made.partition("\n\n")[2] if made.startswith("#") else made


class _Components:
    """`result`: the schemas without bounds, each with a name that is a Python name, and each enumeration with one."""

    def __init__(self, schemas: Mapping[str, Any]) -> None:
        self.result: dict[str, Any] = {}
        for name, schema in sorted(schemas.items()):
            self.result[_python(name)] = self._plain(schema, _python(name), "")

    def _plain(self, schema: Any, owner: str, field: str) -> Any:
        if isinstance(schema, list):
            return [self._plain(each, owner, field) for each in schema]
        if not isinstance(schema, dict):
            return schema
        if "properties" in schema:
            properties = {name: self._plain(each, owner, name) for name, each in schema["properties"].items()}
            kept = {name: each for name, each in schema.items() if name not in {*_BOUNDS, "properties"}}
            needed = [name for name in schema.get("required", ()) if not _optional(schema["properties"][name])]
            return {**kept, "properties": properties, "required": needed}
        if "$ref" in schema:
            return {"$ref": _REF + _python(schema["$ref"].removeprefix(_REF))}
        if field and "enum" in schema:
            default = {"default": schema["default"]} if "default" in schema else {}
            return {"$ref": _REF + self._hoisted(schema, owner, field), **default}
        kept = {name: each for name, each in schema.items() if name not in _BOUNDS}
        return {name: self._plain(each, owner, field) for name, each in kept.items()}

    def _hoisted(self, schema: dict[str, Any], owner: str, field: str) -> str:
        """The name of an enumeration that is written in a field: the field's, with the owner's where that is taken."""
        plain = {"type": "string", "enum": schema["enum"]}
        short = "".join(part.capitalize() for part in field.split("_"))
        return next(each for each in (short, owner + short) if self.result.setdefault(each, plain) == plain)


def _optional(schema: Mapping[str, Any]) -> bool:
    """An api of an earlier version may not have it yet, and then it means nothing, or its default."""
    return "default" in schema or {"type": "null"} in schema.get("anyOf", ())


def _python(name: str) -> str:
    """`Page_InstanceView_` is named `InstanceViewPage`."""
    return f"{name[5:-1]}Page" if name.startswith("Page_") else name


def _formatted(text: str) -> str:
    config = ("--config", str(PROJECT / "pyproject.toml"), "--stdin-filename", str(ANSWERS), "-")
    for command in (("check", "--quiet", "--fix", "--select", "I,F,D2"), ("format", "--quiet")):
        text = subprocess.run(
            [*_RUFF, *command, *config], input=text, capture_output=True, text=True, check=False
        ).stdout
    return text


def main() -> None:
    ANSWERS.write_text(answers())
    BODIES.write_text(bodies())


if __name__ == "__main__":
    main()
