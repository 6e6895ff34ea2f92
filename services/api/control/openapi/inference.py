"""Inference in the OpenAPI document: its routes are not Litestar's, and workers validate most of its requests."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

_AS_OPENAI: Final = "As in https://platform.openai.com/docs/api-reference; any OpenAI client works."
_AS_ANTHROPIC: Final = "As in https://docs.anthropic.com/en/api/messages; any Anthropic client works."
_AS_VLLM: Final = "As in https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html."
_MORE: Final = (
    " The fields named here are those that Coldstart reads, or that every worker needs. All others go to the worker as "
    "they are."
)
ANTHROPIC_KEY: Final = "x-api-key"
"""The security scheme of what Anthropic's clients ask for."""
_REFUSED: Final = {
    "400": "The request makes no sense, or the worker says so",
    "401": "There is no valid key",
    "403": "This key may not use this model, or a console's session did not prove that its own page asks",
    "404": "There is no such model for this key",
    "408": "The request did not come within its time",
    "409": "The name means another model by now: ask again",
    "413": "The body is too large",
    "414": "The address is too long",
    "415": "The content type is not JSON",
    "422": "The worker cannot do what is asked",
    "429": "The key has reached a limit; `Retry-After` says when to ask again",
    "431": "The request's head is too large",
    "500": "A fault of ours, or of the worker",
    "502": "The worker failed",
    "503": "No instance is ready or can be reached, or the routes are not known; `Retry-After` says when to ask again",
    "504": "The worker took too long",
}
_OF_LISTS: Final = ("400", "401", "404", "408", "413", "414", "429", "431", "500", "503")
_WITH_HEADER: Final = {"401": "WWW-Authenticate", "429": "Retry-After", "503": "Retry-After"}
_TEXT: Final = {"type": "string"}

SCHEMAS: Final[dict[str, dict[str, Any]]] = {
    "OpenAIError": {
        "type": "object",
        "required": ["error"],
        "properties": {
            "error": {
                "type": "object",
                "required": ["message", "type", "param", "code"],
                "properties": {
                    "message": _TEXT,
                    "type": _TEXT,
                    "param": {"type": ["string", "null"]},
                    "code": {"type": ["string", "integer", "null"]},
                },
            }
        },
    },
    "AnthropicError": {
        "type": "object",
        "required": ["type", "error"],
        "properties": {
            "type": {"const": "error"},
            "error": {
                "type": "object",
                "required": ["type", "message"],
                "properties": {
                    "type": _TEXT,
                    "message": _TEXT,
                    "param": {"type": ["string", "null"]},
                    "code": {"type": ["string", "null"]},
                },
            },
        },
    },
    "OpenAIModel": {
        "type": "object",
        "required": ["id", "object", "created", "owned_by"],
        "properties": {
            "id": _TEXT,
            "object": {"const": "model"},
            "created": {"type": "integer"},
            "owned_by": _TEXT,
            "max_model_len": {
                "type": "integer",
                "description": "The longest context in tokens, as soon as a worker has told it.",
            },
            "wakes": {
                "type": "boolean",
                "description": "Its deployment has no replica that is ready, and a request wakes it.",
            },
        },
    },
    "OpenAIModelList": {
        "type": "object",
        "required": ["object", "data"],
        "properties": {
            "object": {"const": "list"},
            "data": {"type": "array", "items": {"$ref": "#/components/schemas/OpenAIModel"}},
        },
    },
}


@dataclass(frozen=True)
class _Api:
    """Whose API it is: where it is described, and the schema of its errors."""

    described: str
    error: str = "OpenAIError"
    security: tuple[str, ...] = ()


_OPENAI: Final = _Api(_AS_OPENAI)
_VLLM: Final = _Api(_AS_VLLM)
_ANTHROPIC: Final = _Api(_AS_ANTHROPIC, "AnthropicError", ("key", "session", ANTHROPIC_KEY))


def _operation(
    summary: str, answer: dict[str, Any], refused: tuple[str, ...], api: _Api = _OPENAI, **more: Any
) -> dict[str, Any]:
    if api.security:
        more["security"] = [{scheme: []} for scheme in api.security]
    return {
        "summary": summary,
        "description": api.described + (_MORE if "requestBody" in more else ""),
        **more,
        "responses": {"200": answer} | {status: _refusal(status, api.error) for status in refused},
    }


def _asking(summary: str, *, last_event: str | None = None, api: _Api = _OPENAI, **needed: str) -> dict[str, Any]:
    """An endpoint that a worker answers; `needed` are its required fields besides `model`, each with its description.

    `last_event`: the last one of its stream; None if it has none.
    """
    fields: dict[str, Any] = {
        "model": {"type": "string", "minLength": 1, "description": "As `GET /v1/models` has it."},
        **{name: {"description": description} for name, description in needed.items()},
    }
    if last_event:
        fields["stream"] = {
            "description": f"`true`: answer as server-sent events, the last of which is `{last_event}`."
        }
    body = {"type": "object", "required": ["model"], "properties": fields, "additionalProperties": True}
    kinds: dict[str, dict[str, Any] | None] = {"application/json": {"type": "object"}}
    if last_event:
        kinds["text/event-stream"] = None
    return _operation(
        summary,
        _answer("What the worker answers", kinds),
        tuple(_REFUSED),
        api,
        parameters=_HEADERS,
        requestBody={"required": True, "content": {"application/json": {"schema": body}}},
    )


def _answer(description: str, kinds: Mapping[str, dict[str, Any] | None]) -> dict[str, Any]:
    return {
        "description": description,
        "headers": {"X-Request-Id": {"required": True, "schema": _TEXT}},
        "content": {kind: {"schema": schema} if schema else {} for kind, schema in kinds.items()},
    }


def _refusal(status: str, error: str) -> dict[str, Any]:
    answer = _answer(_REFUSED[status], {"application/json": {"$ref": f"#/components/schemas/{error}"}})
    if header := _WITH_HEADER.get(status):
        answer["headers"][header] = {"required": True, "schema": _TEXT}
    return answer


def _header(name: str, description: str, **schema: Any) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": False, "description": description, "schema": schema}


_HEADERS: Final = [
    _header("X-Session-Id", "Requests with the same one go to the same worker, as long as it serves.", type="string"),
    _header(
        "X-Wait-For-Ready",
        "Wait so many seconds for an instance to be ready. Default: as long as the model's deployment says.",
        type="number",
        minimum=0,
    ),
    _header("X-Request-Id", "Told in the answer and to the worker; made anew if it looks otherwise.", type="string"),
]
_NAMED: Final = [
    {
        "name": "model",
        "in": "path",
        "required": True,
        "schema": {"type": "string", "minLength": 1},
        "example": "Qwen/Qwen2.5-0.5B-Instruct",
    }
]

_ASKED: Final[dict[str, dict[str, Any]]] = {
    "/v1/chat/completions": _asking(
        "Answer a chat, at once or as a stream (OpenAI)",
        messages="The conversation so far, as a list of messages.",
        last_event="[DONE]",
    ),
    "/v1/completions": _asking(
        "Complete a text, at once or as a stream (OpenAI)", prompt="The text to be completed.", last_event="[DONE]"
    ),
    "/v1/responses": _asking(
        "Answer an input, at once or as a stream (OpenAI)",
        input="The text, or a list of items.",
        last_event="response.completed",
    ),
    "/v1/messages": _asking(
        "Answer a conversation, at once or as a stream (Anthropic)",
        messages="The conversation so far, as a list of messages.",
        max_tokens="The most tokens of the answer.",
        last_event="message_stop",
        api=_ANTHROPIC,
    ),
    "/v1/messages/count_tokens": _asking(
        "Count the tokens of a conversation (Anthropic)",
        messages="The conversation, as a list of messages.",
        api=_ANTHROPIC,
    ),
    "/v1/embeddings": _asking("Embed texts (OpenAI)", input="The text, or a list of texts."),
    "/v1/rerank": _asking(
        "Order documents by how well they match a query (vLLM)",
        query="What is looked for.",
        documents="The texts to be ordered, as a list.",
        api=_VLLM,
    ),
    "/v1/score": _asking(
        "Score how well texts match (vLLM)",
        text_1="The text, or a list of texts.",
        text_2="The text, or a list of texts, that it is compared with.",
        api=_VLLM,
    ),
    "/tokenize": _asking(
        "Show the tokens of a text or of a conversation (vLLM)",
        prompt="The text; for a conversation there is `messages`.",
        api=_VLLM,
    ),
    "/detokenize": _asking("Show the text of tokens (vLLM)", tokens="The tokens, as a list of numbers.", api=_VLLM),
}

PATHS: Final[dict[str, dict[str, Any]]] = {
    "/v1/models": {
        "get": _operation(
            "List the models that may be asked for (OpenAI)",
            _answer("The models", {"application/json": {"$ref": "#/components/schemas/OpenAIModelList"}}),
            _OF_LISTS,
        )
    },
    "/v1/models/{model}": {
        "get": _operation(
            "Show one of them; the id may be written with its slash (OpenAI)",
            _answer("The model", {"application/json": {"$ref": "#/components/schemas/OpenAIModel"}}),
            ("403", *_OF_LISTS),
            parameters=_NAMED,
        )
    },
    **{path: {"post": operation} for path, operation in _ASKED.items()},
}
