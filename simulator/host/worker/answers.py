"""What the simulated model says: always the same to the same question."""

import hashlib
import math
import struct
from typing import Any, Final

_DIMENSIONS: Final = 384


def prompt_of(messages: list[dict[str, Any]]) -> str:
    """The whole conversation, as one text."""
    return "\n".join(f"{message.get('role', '')} {text_of(message.get('content'))}" for message in messages)


def reply_to(messages: list[dict[str, Any]]) -> str:
    asked = [text_of(message.get("content")) for message in messages if message.get("role") == "user"]
    question = asked[-1].strip() if asked else ""
    return f"You asked: “{question}” This answer comes from a simulated worker, which repeats what it was asked."


def continuation_of(prompt: str) -> str:
    words = prompt.split()
    return f" … and so it goes on after “{' '.join(words[-8:])}”, says a simulated worker."


def embedding_of(text: str) -> list[float]:
    """A unit vector that depends on the text alone."""
    seed = hashlib.shake_256(text.encode(errors="surrogatepass")).digest(4 * _DIMENSIONS)
    raw = [number / 2**31 - 1 for number in struct.unpack(f"<{_DIMENSIONS}I", seed)]
    length = math.sqrt(sum(value * value for value in raw))
    return [value / length for value in raw]


def similarity_of(one: str, other: str) -> float:
    """The cosine of the two embeddings."""
    return sum(a * b for a, b in zip(embedding_of(one), embedding_of(other), strict=True))


def logprob_of(token: str) -> float:
    """Between -2 and 0, by the token alone."""
    return -int.from_bytes(hashlib.sha256(token.encode(errors="surrogatepass")).digest()[:2]) / 2**15


def text_of(content: Any) -> str:
    """Of a text, or of a list of parts: those of OpenAI's chat and responses, and of Anthropic's messages."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "".join(str(part.get("text") or "") for part in parts if isinstance(part, dict))


def shows_image(content: Any) -> bool:
    parts = content if isinstance(content, list) else []
    return any(isinstance(part, dict) and "image" in str(part.get("type")) for part in parts)
