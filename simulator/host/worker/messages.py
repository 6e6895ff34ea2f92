"""/v1/messages and /v1/messages/count_tokens, as Anthropic's clients ask them."""

from collections.abc import AsyncIterator
from typing import Any

from .answers import reply_to
from .chat import messages_of, prompt_in
from .engine import Engine, EngineDead, Generated
from .http import DONE, Answer, Reply, Stream, event
from .identifiers import new_id
from .refusals import Invalid, engine_dead
from .sampling import sampling_of
from .tools import ARGUMENTS, Called, call_of, called


class Messages:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def __call__(self, request: dict[str, Any]) -> Answer:
        """Raises Refusal, EngineDead."""
        version = self._engine.version
        messages = self._messages(request)
        limit = request.get("max_tokens")
        if isinstance(limit, int) and limit < 1:
            raise Invalid(version, "value_error", ("max_tokens",), "Value error, max_tokens must be positive",
                          input=limit)  # fmt: skip
        asked = self._as_chat(request) | {"stop": request.get("stop_sequences"), "max_completion_tokens": limit}
        sampling = sampling_of(version, asked, "max_completion_tokens", None, self._engine.arguments.max_logprobs)
        prompt, tool = prompt_in(self._engine, messages, asked), called(asked)
        generated = self._engine.generate(ARGUMENTS if tool else reply_to(messages), prompt, sampling)
        if request.get("stream"):
            return Stream(self._events(request, prompt, generated, tool), (generated.finish_reason,))
        await self._engine.finish(generated)
        content = _use(tool) if tool else {"type": "text", "text": generated.text}
        message = self._head(request) | {
            "type": "message", "role": "assistant", "content": [content],
            "usage": {"input_tokens": prompt, "output_tokens": len(generated.tokens)},
        } | {name: value for name, value in self._stop(generated, tool).items() if value is not None}  # fmt: skip
        return Reply(message, finish_reasons=(generated.finish_reason,))

    async def count_tokens(self, request: dict[str, Any]) -> Reply:
        """Raises Refusal, EngineDead."""
        tokens = prompt_in(self._engine, self._messages(request), self._as_chat(request))
        return Reply({"input_tokens": tokens, "context_management": {"original_input_tokens": tokens}})

    async def _events(
        self, request: dict[str, Any], prompt: int, generated: Generated, tool: Called | None
    ) -> AsyncIterator[str]:
        """0.13 leaves out what a message is at its start, and ends its stream as OpenAI does."""
        recent = self._engine.version.recent
        message = self._head(request) | {"content": [], "usage": {"input_tokens": prompt, "output_tokens": 0}}
        if recent:
            message |= {"type": "message", "role": "assistant", "stop_reason": None, "stop_sequence": None}
        yield event({"type": "message_start", "message": message})
        block = _use(tool) if tool else {"type": "text", "text": ""}
        yield event({"type": "content_block_start", "index": 0, "content_block": block})
        try:
            async for token, _ in self._engine.stream(generated):
                delta = {"type": "input_json_delta", "partial_json": token} if tool else {
                    "type": "text_delta", "text": token,
                }  # fmt: skip
                yield event({"type": "content_block_delta", "index": 0, "delta": delta})
        except EngineDead:
            error = {"type": "internal_error", "message": engine_dead(self._engine.version).message}
            yield event({"type": "error", "error": error})
        else:
            stop = self._stop(generated, tool)
            yield event({"type": "content_block_stop", "index": 0})
            yield event({
                "type": "message_delta", "delta": stop if recent else {"stop_reason": stop["stop_reason"]},
                "usage": {"input_tokens": prompt, "output_tokens": len(generated.tokens)},
            })  # fmt: skip
            yield event({"type": "message_stop"})
        if not recent:
            yield DONE

    def _messages(self, request: dict[str, Any]) -> list[dict[str, Any]]:
        """The system's text and the messages as chat messages. Raises Invalid."""
        messages = messages_of(self._engine.version, request)
        system = request.get("system")
        return [{"role": "system", "content": system}, *messages] if system else messages

    def _as_chat(self, request: dict[str, Any]) -> dict[str, Any]:
        """The request with its tools, and the choice of them, as in a chat."""
        tools = [{"function": tool} for tool in request.get("tools") or []]
        match request.get("tool_choice"):
            case {"type": "tool", "name": str(name)}:
                choice: Any = {"function": {"name": name}}
            case {"type": "any"}:
                choice = "required"
            case {"type": str(kind)}:
                choice = kind
            case _:
                choice = "auto"
        return request | {"tools": tools, "tool_choice": choice}

    def _stop(self, generated: Generated, tool: Called | None) -> dict[str, Any]:
        """0.13 tells no stop sequence."""
        if generated.finish_reason == "length":
            return {"stop_reason": "max_tokens", "stop_sequence": None}
        if tool is not None:
            return {"stop_reason": "tool_use", "stop_sequence": None}
        if generated.stop_reason is not None and self._engine.version.recent:
            return {"stop_reason": "stop_sequence", "stop_sequence": generated.stop_reason}
        return {"stop_reason": "end_turn", "stop_sequence": None}

    def _head(self, request: dict[str, Any]) -> dict[str, Any]:
        """A message is made of a chat completion, whose id it keeps."""
        return {"id": new_id("chatcmpl"), "model": request.get("model") or self._engine.arguments.served_names[0]}


def _use(tool: Called) -> dict[str, Any]:
    return {"type": "tool_use", "id": call_of(tool, ARGUMENTS)["id"], "name": tool.name, "input": {}}
