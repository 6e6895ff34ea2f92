"""/v1/responses. vLLM keeps no response unless told to, and so does this worker: nothing can be continued by id."""

import time
from collections.abc import AsyncIterator
from itertools import count
from typing import Any

from .answers import reply_to
from .chat import prompt_in
from .engine import Engine, Generated
from .http import Answer, Reply, Stream, event
from .identifiers import new_id
from .refusals import Invalid, Refusal
from .sampling import Sampling, sampling_of
from .version import Version


class Responses:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def __call__(self, request: dict[str, Any]) -> Answer:
        """Raises Refusal, EngineDead."""
        version, arguments = self._engine.version, self._engine.arguments
        messages = _messages(version, request)
        former = request.get("previous_response_id")
        if former is not None:
            raise Refusal(
                f"Response with id '{former}' not found.", parameter="response_id", status=404,
                kind="invalid_request_error",
            )  # fmt: skip
        sampling = sampling_of(version, request, "max_output_tokens", None, arguments.max_logprobs)
        prompt = prompt_in(self._engine, messages, request)
        generated = self._engine.generate(reply_to(messages), prompt, sampling)
        response = self._response(request, sampling, prompt)
        if request.get("stream"):
            return Stream(self._events(response, prompt, generated), (generated.finish_reason,))
        await self._engine.finish(generated)
        return Reply(
            self._ended(response, prompt, generated, new_id("msg", "_")), finish_reasons=(generated.finish_reason,)
        )

    async def _events(self, response: dict[str, Any], prompt: int, generated: Generated) -> AsyncIterator[str]:
        """No end but the last event; a dead engine breaks the connection (EngineDead), as it does with vLLM."""
        numbers = count()
        item_id = new_id("msg", "_")
        place = {"output_index": 0, "content_index": 0, "item_id": item_id}
        item = {"id": item_id, "type": "message", "role": "assistant", "phase": None}

        def made(kind: str, **fields: Any) -> str:
            return event({"type": f"response.{kind}", "sequence_number": next(numbers), **fields})

        yield made("created", response=response)
        yield made("in_progress", response=response)
        begun = item | {"content": [], "status": "in_progress"}
        yield made("output_item.added", output_index=0, item=begun)
        yield made("content_part.added", **place, part=_part("") | {"logprobs": []})
        async for token, _ in self._engine.stream(generated):
            yield made("output_text.delta", **place, delta=token, logprobs=[])
        yield made("output_text.done", **place, text=generated.text, logprobs=[])
        yield made("content_part.done", **place, part=_part(generated.text))
        yield made(
            "output_item.done", output_index=0, item=item | {"content": [_part(generated.text)], "status": "completed"}
        )
        yield made("completed", response=self._ended(response, prompt, generated, item_id))

    def _response(self, request: dict[str, Any], sampling: Sampling, prompt: int) -> dict[str, Any]:
        """A response that has only begun."""
        recent, arguments = self._engine.version.recent, self._engine.arguments
        tools, room = request.get("tools") or [], arguments.max_model_len - prompt
        return {
            "id": new_id("resp", "_"), "created_at": int(time.time()), "incomplete_details": None,
            "instructions": request.get("instructions"), "metadata": request.get("metadata"),
            "model": request.get("model") or arguments.served_names[0], "object": "response", "output": [],
            "parallel_tool_calls": request.get("parallel_tool_calls", True),
            "temperature": request.get("temperature", 1.0),
            "tool_choice": request.get("tool_choice", "auto" if tools or not recent else "none"), "tools": tools,
            "top_p": request.get("top_p", 1.0), "background": False,
            "max_output_tokens": min(sampling.max_tokens or room, room), "max_tool_calls": None,
            "previous_response_id": None, "prompt": None, "reasoning": request.get("reasoning"),
            "service_tier": request.get("service_tier", "auto"), "status": "in_progress", "text": request.get("text"),
            "top_logprobs": None, "truncation": request.get("truncation", "disabled"), "usage": None,
            "user": request.get("user"), "input_messages": None, "output_messages": None,
        } | ({
            "presence_penalty": request.get("presence_penalty", 0.0),
            "frequency_penalty": request.get("frequency_penalty", 0.0),
            "kv_transfer_params": None, "ec_transfer_params": None,
        } if recent else {})  # fmt: skip

    def _ended(self, response: dict[str, Any], prompt: int, generated: Generated, item_id: str) -> dict[str, Any]:
        """To 0.13 a response is complete even if its tokens ran out."""
        recent = self._engine.version.recent
        cut = recent and generated.finish_reason == "length"
        message = {
            "id": item_id, "content": [_part(generated.text)], "role": "assistant", "status": "completed",
            "type": "message", "phase": None,
        }  # fmt: skip
        return response | {
            "status": "incomplete" if cut else "completed", "output": [message],
            "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
            "usage": _usage(self._engine.version, prompt, len(generated.tokens)),
        }  # fmt: skip


def _messages(version: Version, request: dict[str, Any]) -> list[dict[str, Any]]:
    """The instructions and the input as chat messages. Raises Invalid."""
    given = request.get("input")
    if isinstance(given, str):
        given = [{"role": "user", "content": given}]
    if not isinstance(given, list) or not all(isinstance(item, dict) for item in given):
        raise Invalid(version, "list_type", ("input",), "Input should be a valid list", input=given)
    messages = [item for item in given if "role" in item]
    instructions = request.get("instructions")
    return [{"role": "system", "content": instructions}, *messages] if instructions else messages


def _part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": None}


def _usage(version: Version, prompt: int, generated: int) -> dict[str, Any]:
    cached: dict[str, Any] = {"cached_tokens": 0, "input_tokens_per_turn": [], "cached_tokens_per_turn": []}
    if version.recent:
        cached["cache_write_tokens"] = 0
    return {
        "input_tokens": prompt, "input_tokens_details": cached, "output_tokens": generated,
        "output_tokens_details": {
            "reasoning_tokens": 0, "tool_output_tokens": 0, "output_tokens_per_turn": [],
            "tool_output_tokens_per_turn": [],
        },
        "total_tokens": prompt + generated,
    }  # fmt: skip
