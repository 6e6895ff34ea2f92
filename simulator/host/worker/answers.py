"""The model's answers: the same for the same question, split into words as tokens."""

import hashlib
import math
import re
import struct
from typing import Any, Final

_DIMENSIONS: Final = 384


def tokens_of(text: str) -> list[str]:
    """Words with the white space before them; joined they are the text again."""
    return re.findall(r"\s*\S+|\s+$", text)


def prompt_of(messages: list[dict[str, Any]]) -> str:
    """Everything said so far, as one text."""
    return "\n".join(f"{message.get('role', '')} {_text_of(message)}" for message in messages)


def reply_to(messages: list[dict[str, Any]]) -> str:
    asked = [_text_of(message) for message in messages if message.get("role") == "user"]
    question = asked[-1].strip() if asked else ""
    return f"You asked: “{question}” This answer comes from a simulated worker, which repeats what it was asked."


def continuation_of(prompt: str) -> str:
    words = prompt.split()
    return f" … and so it goes on after “{' '.join(words[-8:])}”, says a simulated worker."


def at_most(text: str, limit: int | None, *, exactly: bool) -> tuple[list[str], str]:
    """The tokens that may be said and OpenAI's finish reason; `exactly` (vLLM's ignore_eos) repeats up to the limit."""
    tokens = tokens_of(text)
    if limit is None:
        return tokens, "stop"
    if exactly:
        tokens = (tokens * math.ceil(limit / len(tokens)))[:limit]
    return tokens[:limit], "length" if exactly or limit < len(tokens) else "stop"


def embedding_of(text: str) -> list[float]:
    """A unit vector that depends on the text alone."""
    seed = hashlib.shake_256(text.encode()).digest(4 * _DIMENSIONS)
    raw = [number / 2**31 - 1 for number in struct.unpack(f"<{_DIMENSIONS}I", seed)]
    length = math.sqrt(sum(value * value for value in raw))
    return [value / length for value in raw]


def _text_of(message: dict[str, Any]) -> str:
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content if part.get("type") == "text")
