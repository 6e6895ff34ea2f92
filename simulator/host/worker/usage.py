"""OpenAI's count of tokens, with the details that each version tells."""

from typing import Any

from .version import Version


def usage_of(
    version: Version, prompt: int, generated: int, *, streamed: bool = False, final: bool = False
) -> dict[str, Any]:
    """`streamed`: beside a chunk; `final`: in a stream's last event, without any details."""
    usage: dict[str, Any] = {
        "prompt_tokens": prompt,
        "total_tokens": prompt + generated,
        "completion_tokens": generated,
    }
    if final:
        return usage
    if not streamed:
        usage["prompt_tokens_details"] = None
    if version.recent:
        usage["completion_tokens_details"] = None
    return usage
