"""The OpenAPI description: the control API's own, completed by `/v1`, by how errors look, and by who may ask."""

from typing import Any, Final

from litestar import Response, Router
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin, YamlRenderPlugin
from litestar.openapi.spec import (
    Components,
    OpenAPI,
    OpenAPIMediaType,
    OpenAPIResponse,
    OpenAPIType,
    Operation,
    PathItem,
    RequestBody,
    Schema,
    SecurityScheme,
)
from litestar.status_codes import HTTP_404_NOT_FOUND

from services.api.authentication import OPEN
from services.api.problems import PROBLEM_JSON, not_found
from services.api.schema_page import SchemaPage

_DESCRIPTION: Final = (
    "A model id and a GPU instance type go in, an OpenAI-compatible endpoint comes out. Errors are problem documents "
    "(RFC 9457) with a stable `code`; under /v1 they have OpenAI's shape."
)
_VERSION: Final = "1"
"""Of this API, not of the program: it changes when a client would have to."""
_V1: Final = {
    ("/v1/models", "get"): "List the models that may be asked for (OpenAI)",
    ("/v1/models/{model}", "get"): "Show one of them; the id may be written with its slash (OpenAI)",
    ("/v1/chat/completions", "post"): "Answer a chat, at once or as a stream (OpenAI)",
    ("/v1/completions", "post"): "Complete a text, at once or as a stream (OpenAI)",
    ("/v1/embeddings", "post"): "Embed texts (OpenAI)",
}


def openapi_config() -> OpenAPIConfig:
    """Everything is served from here: neither the page nor the documents need another host."""
    return OpenAPIConfig(
        title="Coldstart",
        version=_VERSION,
        description=_DESCRIPTION,
        security=[{"key": []}],
        components=Components(security_schemes={"key": SecurityScheme(type="http", scheme="bearer")}),
        render_plugins=[SchemaPage(), JsonRenderPlugin(), YamlRenderPlugin()],
        openapi_router=Router("/schema", route_handlers=[], opt=OPEN, include_in_schema=False, after_request=_missing),
    )


def complete(document: OpenAPI) -> None:
    """What Litestar cannot know: the raw `/v1` routes and our errors."""
    paths = document.paths
    assert paths is not None  # noqa: S101  there are routes
    for path in paths.values():
        for operation in (path.get, path.post, path.patch, path.delete):
            if operation is not None and operation.responses is not None:
                operation.responses.pop("400", None)
                operation.responses["default"] = _problem()
    for (address, method), summary in _V1.items():
        item = paths.setdefault(address, PathItem())
        setattr(item, method, _v1_operation(summary, method))


def _missing(response: Response[Any]) -> Response[Any]:
    """Litestar has a page of its own for what is not here."""
    return not_found().response() if response.status_code == HTTP_404_NOT_FOUND else response


def _problem() -> OpenAPIResponse:
    text, number = Schema(type=OpenAPIType.STRING), Schema(type=OpenAPIType.INTEGER)
    fields: dict[str, Any] = {"type": text, "title": text, "status": number, "detail": text, "code": text}
    error = Schema(type=OpenAPIType.OBJECT, properties={"pointer": text, "detail": text})
    fields["errors"] = Schema(type=OpenAPIType.ARRAY, items=error)
    problem = Schema(type=OpenAPIType.OBJECT, properties=fields, required=["type", "title", "status", "detail", "code"])
    return OpenAPIResponse("What is wrong, and what to do", content={PROBLEM_JSON: OpenAPIMediaType(schema=problem)})


def _v1_operation(summary: str, method: str) -> Operation:
    anything = OpenAPIMediaType(schema=Schema(type=OpenAPIType.OBJECT))
    return Operation(
        summary=summary,
        description="As in https://platform.openai.com/docs/api-reference; any OpenAI client works.",
        request_body=RequestBody(content={"application/json": anything}) if method == "post" else None,
        responses={"200": OpenAPIResponse("As OpenAI answers", content={"application/json": anything})},
    )
