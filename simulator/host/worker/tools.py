"""Calls of tools. The model calls one only if the request leaves it no choice, and without arguments."""

from dataclasses import dataclass
from typing import Any, Final

from .engine import Generated
from .identifiers import new_id

ARGUMENTS: Final = "{}"
"""What the model says when it calls a tool."""


@dataclass(frozen=True)
class Called:
    """A tool that has to be called."""

    name: str
    by_name: bool
    """Named by the request, and not the first of several."""

    def finish_reason(self, generated: Generated) -> str:
        """OpenAI's: `tool_calls`, except for a tool that was named."""
        return "tool_calls" if generated.finish_reason == "stop" and not self.by_name else generated.finish_reason


def called(request: dict[str, Any]) -> Called | None:
    """By OpenAI's `tool_choice`."""
    match request.get("tool_choice"):
        case {"function": {"name": str(name)}}:
            return Called(name, by_name=True)
        case "required":
            names = [
                tool.get("function", {}).get("name") for tool in request.get("tools") or [] if isinstance(tool, dict)
            ]
            return Called(str(names[0]), by_name=False) if names else None
        case _:
            return None


def call_of(tool: Called, arguments: str) -> dict[str, Any]:
    """OpenAI's tool call."""
    return {"id": new_id("chatcmpl-tool"), "type": "function", "function": {"name": tool.name, "arguments": arguments}}
