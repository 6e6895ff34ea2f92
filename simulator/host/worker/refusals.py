"""What vLLM refuses, in the words of the version that is played (recorded for 0.13.0 and 0.32.0)."""

from collections.abc import Sequence
from typing import Any

from .http import Reply
from .version import Version


class Refusal(Exception):
    """An answer with a status of 400 or more. `kind` is the error's type; `parameter` names what is wrong."""

    def __init__(
        self, message: str, *, parameter: str | None = None, value: Any = None, status: int = 400,
        kind: str = "BadRequestError",
    ) -> None:  # fmt: skip
        super().__init__(message)
        self.message = message
        self.parameter = parameter
        self.value = value
        self.status = status
        self.kind = kind

    def info(self, version: Version) -> dict[str, Any]:
        """The body's `error`; 0.13 names no parameter."""
        message, parameter = self.message, self.parameter if version.recent else None
        if parameter is not None and self.value is not None:
            message = f"{message} (parameter={parameter}, value={self.value})"
        return {"message": message, "type": self.kind, "param": parameter, "code": self.status}

    def reply(self, version: Version) -> Reply:
        return Reply({"error": self.info(version)}, self.status)


class Invalid(Refusal):
    """A request that does not have the shape of its kind: pydantic's error, as vLLM words it.

    0.13 adds the file and the line of its own code; the simulated worker leaves them out.
    """

    def __init__(
        self, version: Version, kind: str, location: Sequence[str | int], message: str, *,
        parameter: str | None = None, **more: Any,
    ) -> None:  # fmt: skip
        path = ".".join(map(str, ("body", *location)))
        error = {"type": kind, "loc": path if version.recent else ("body", *location), "msg": message, **more}
        if version.recent and "input" in error:
            error["input"] = _summary(error["input"])
        super().__init__(f"1 validation error:\n  {error}", parameter=parameter or path, kind="Bad Request")


def no_tokens(wanted: int) -> Refusal:
    return Refusal(f"max_tokens must be at least 1, got {wanted}.", parameter="max_tokens", value=wanted)


def inconsistent(version: Version, request: dict[str, Any], parameter: str, message: str) -> Invalid:
    """A field that needs another one."""
    return Invalid(version, "value_error", (), f"Value error, {message}", parameter=parameter, input=request)


def missing(version: Version, location: Sequence[str | int], given: Any) -> Invalid:
    return Invalid(version, "missing", location, "Field required", input=given)


def wrong_media_type(version: Version) -> Refusal:
    words = "Unsupported Media Type: Only 'application/json' is allowed"
    twice = "" if version.recent else f' ["{words}"]'
    return Refusal(f"1 validation error:\n  {words}{twice}", kind="Bad Request")


def no_model(version: Version, model: Any, served: Sequence[str]) -> Refusal:
    aliases = f" Valid aliases: {', '.join(served)}." if version.recent else ""
    return Refusal(f"The model `{model}` does not exist.{aliases}", parameter="model", status=404, kind="NotFoundError")


def no_messages(version: Version) -> Refusal:
    if version.recent:
        return Refusal("Cannot apply chat template to an empty conversation. Provide at least one message.")
    return Refusal("list index out of range list index out of range")


def no_vision(version: Version, model: str) -> Refusal:
    return Refusal(f"{model} is not a multimodal model{_cause(version)}")


def no_tool_parser() -> Refusal:
    return Refusal('"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set')


def prompt_too_long(version: Version, window: int, tokens: int) -> Refusal:
    """0.32 stops to count at the first token too many."""
    limit = f"This model's maximum context length is {window} tokens. However, your "
    if version.recent:
        return Refusal(
            f"{limit}prompt contains at least {window + 1} input tokens, which exceeds this limit even without any "
            "output tokens. Please reduce the length of the input prompt.",
            parameter="input_tokens", value=window + 1,
        )  # fmt: skip
    return Refusal(f"{limit}request has {tokens} input tokens. Please reduce the length of the input messages. None")


def input_too_long(version: Version, window: int, tokens: int, purpose: str) -> Refusal:
    """The same for a text that gets no answer."""
    if version.recent:
        return prompt_too_long(version, window, tokens)
    return Refusal(
        f"This model's maximum context length is {window} tokens. However, you requested {tokens} tokens in the input "
        f"for {purpose}. Please reduce the length of the input."
    )


def too_many_tokens(version: Version, window: int, prompt: int, wanted: int, parameter: str) -> Refusal:
    """More than the window holds (0.32), or holds beside the prompt (0.13)."""
    if version.recent:
        return Refusal(
            f"{parameter}={wanted} cannot be greater than max_model_len={window}. Please request fewer output tokens.",
            parameter=parameter, value=wanted,
        )  # fmt: skip
    return Refusal(
        f"'max_tokens' or 'max_completion_tokens' is too large: {wanted}. This model's maximum context length is "
        f"{window} tokens and your request has {prompt} input tokens ({wanted} > {window} - {prompt}). None"
    )


def no_dimensions(version: Version, model: str, dimensions: Any) -> Refusal:
    """For a model whose embeddings cannot be shortened."""
    if version.recent:
        return Refusal(
            f"Model {model!r} does not support Matryoshka embeddings; dimensions must be unset "
            f"(received dimensions={dimensions})."
        )
    return Refusal(
        f'Model "{model}" does not support matryoshka representation, changing output dimensions will lead to poor '
        "results."
    )


def engine_dead(version: Version) -> Refusal:
    """What every request to a dead engine gets."""
    return Refusal(
        "EngineCore encountered an issue. See stack trace (above) for the root cause.", status=500,
        kind="InternalServerError" if version.recent else "Internal Server Error",
    )  # fmt: skip


def _cause(version: Version) -> str:
    """0.13 adds the cause of an error of its renderer, even if there is none."""
    return "" if version.recent else " None"


def _summary(given: Any) -> Any:
    return f"<{type(given).__name__} of {len(given)} items>" if isinstance(given, list | dict) else given
