"""/v1/messages and /v1/messages/count_tokens, as Anthropic's clients ask them."""

from collections.abc import AsyncIterator
from typing import Any

from .answers import reply_to
from .chat import messages_of, prompt_in
from .engine import Engine, EngineDead, Said
from .http import DONE, Answer, Reply, Stream, event
from .identifiers import new_id
from .refusals import Invalid, engine_dead
from .sampling import sampling_of


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
        asked = request | {"stop": request.get("stop_sequences")}
        sampling = sampling_of(version, asked, limit, None, self._engine.arguments.max_logprobs)
        prompt = prompt_in(self._engine, messages, self._with_choice(request))
        said = self._engine.say(reply_to(messages), prompt, sampling)
        if request.get("stream"):
            return Stream(self._events(request, prompt, said), (said.finish_reason,))
        await self._engine.whole(said)
        message = self._head(request) | {
            "type": "message", "role": "assistant", "content": [{"type": "text", "text": said.text}],
            "usage": {"input_tokens": prompt, "output_tokens": len(said.tokens)},
        } | {name: value for name, value in self._stop(said).items() if value is not None}  # fmt: skip
        return Reply(message, finish_reasons=(said.finish_reason,))

    async def count_tokens(self, request: dict[str, Any]) -> Reply:
        """Raises Refusal, EngineDead."""
        tokens = prompt_in(self._engine, self._messages(request), self._with_choice(request))
        return Reply({"input_tokens": tokens, "context_management": {"original_input_tokens": tokens}})

    async def _events(self, request: dict[str, Any], prompt: int, said: Said) -> AsyncIterator[str]:
        """0.13 leaves out what a message is at its start, and ends its stream as OpenAI does."""
        recent = self._engine.version.recent
        message = self._head(request) | {"content": [], "usage": {"input_tokens": prompt, "output_tokens": 0}}
        if recent:
            message |= {"type": "message", "role": "assistant", "stop_reason": None, "stop_sequence": None}
        yield event({"type": "message_start", "message": message})
        yield event({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}})
        try:
            async for token, _ in self._engine.spoken(said):
                delta = {"type": "text_delta", "text": token}
                yield event({"type": "content_block_delta", "index": 0, "delta": delta})
        except EngineDead:
            error = {"type": "internal_error", "message": engine_dead(self._engine.version).message}
            yield event({"type": "error", "error": error})
        else:
            stop = self._stop(said)
            yield event({"type": "content_block_stop", "index": 0})
            yield event({
                "type": "message_delta", "delta": stop if recent else {"stop_reason": stop["stop_reason"]},
                "usage": {"input_tokens": prompt, "output_tokens": len(said.tokens)},
            })  # fmt: skip
            yield event({"type": "message_stop"})
        if not recent:
            yield DONE

    def _messages(self, request: dict[str, Any]) -> list[dict[str, Any]]:
        """The system's text and the messages as chat messages. Raises Invalid."""
        messages = messages_of(self._engine.version, request)
        system = request.get("system")
        return [{"role": "system", "content": system}, *messages] if system else messages

    def _with_choice(self, request: dict[str, Any]) -> dict[str, Any]:
        """The request with its choice of tools as in a chat."""
        choice = request.get("tool_choice") or {"type": "auto"}
        return request | {"tool_choice": choice.get("type") if isinstance(choice, dict) else choice}

    def _stop(self, said: Said) -> dict[str, Any]:
        """0.13 tells no stop sequence."""
        if said.finish_reason == "length":
            return {"stop_reason": "max_tokens", "stop_sequence": None}
        if said.stop_reason is not None and self._engine.version.recent:
            return {"stop_reason": "stop_sequence", "stop_sequence": said.stop_reason}
        return {"stop_reason": "end_turn", "stop_sequence": None}

    def _head(self, request: dict[str, Any]) -> dict[str, Any]:
        """A message is made of a chat completion, whose id it keeps."""
        return {"id": new_id("chatcmpl"), "model": request.get("model") or self._engine.arguments.served_names[0]}
