"""The API's description as one plain page, without scripts, styles or fonts from elsewhere."""

from html import escape
from typing import Any, Final

from litestar import Request
from litestar.openapi.plugins import OpenAPIRenderPlugin

_METHODS: Final = ("get", "post", "patch", "delete")
_STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #1c1e21 }
code, b { font-family: ui-monospace, monospace } summary { cursor: pointer; padding: .3rem 0 }
details { border-top: 1px solid #d9dce0 } table { border-collapse: collapse; margin: .5rem 0 1rem }
td { padding: .15rem .8rem .15rem 0; vertical-align: top } .method { display: inline-block; width: 4.5rem }
@media (prefers-color-scheme: dark) { body { background: #16181b; color: #e4e6e9 } details { border-color: #34383e } }
"""


class SchemaPage(OpenAPIRenderPlugin):
    def __init__(self) -> None:
        super().__init__(path="/", favicon="", style="")

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:  # noqa: ARG002
        return page(openapi_schema).encode()


def page(document: dict[str, Any]) -> str:
    """HTML for an OpenAPI document."""
    title = escape(document["info"]["title"])
    operations = "".join(
        _operation(method, address, item[method], document)
        for address, item in sorted(document["paths"].items())
        for method in _METHODS
        if method in item
    )
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title} API</title>'
        f"<style>{_STYLE}</style></head><body><h1>{title} API</h1><p>{escape(document['info']['description'])}</p>"
        '<p>For programs: <a href="/schema/openapi.json">openapi.json</a>, '
        f'<a href="/schema/openapi.yaml">openapi.yaml</a></p>{operations}</body></html>'
    )


def _operation(method: str, address: str, operation: dict[str, Any], document: dict[str, Any]) -> str:
    rows = [
        (parameter["name"], _place(parameter), _kind(parameter.get("schema", {})), parameter.get("description", ""))
        for parameter in operation.get("parameters", [])
    ]
    rows += _body_rows(operation.get("requestBody", {}), document)
    rows.append(("answers", "", "", ", ".join(sorted(operation.get("responses", {})))))
    table = "".join(f"<tr><td><b>{escape(a)}</b><td>{escape(b)}<td>{escape(c)}<td>{escape(d)}" for a, b, c, d in rows)
    summary = escape(operation.get("summary", ""))
    return (
        f'<details><summary><b class="method">{method.upper()}</b> <code>{escape(address)}</code> — {summary}</summary>'
        f"<p>{escape(operation.get('description', ''))}</p><table>{table}</table></details>"
    )


def _place(parameter: dict[str, Any]) -> str:
    optional = parameter["in"] == "path" or not parameter.get("required")
    return str(parameter["in"]) if optional else f"{parameter['in']}, required"


def _body_rows(body: dict[str, Any], document: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    schema = body.get("content", {}).get("application/json", {}).get("schema", {})
    name = schema.get("$ref", "").rpartition("/")[2]
    found = document.get("components", {}).get("schemas", {}).get(name, schema)
    required = set(found.get("required", []))
    return [
        (field, "body, required" if field in required else "body", _kind(of), of.get("description", ""))
        for field, of in found.get("properties", {}).items()
    ]


def _kind(schema: dict[str, Any]) -> str:
    for alternatives in (schema[key] for key in ("oneOf", "anyOf") if key in schema):
        return " or ".join(_kind({"type": schema.get("type"), **one}) for one in alternatives)
    if "const" in schema:
        return str(schema["const"])
    if "format" in schema:
        return str(schema["format"])
    if "enum" in schema:
        return " | ".join(str(value) for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    kind = schema.get("type") or schema.get("$ref", "").rpartition("/")[2] or "anything"
    return " or ".join(kind) if isinstance(kind, list) else str(kind)
