"""How a request wants its answer: read and checked as vLLM's SamplingParams checks it."""

from dataclasses import dataclass
from typing import Any

from .refusals import Invalid, Refusal, inconsistent, no_tokens
from .version import Version


@dataclass(frozen=True)
class Sampling:
    max_tokens: int | None = None
    """None: as many as the window leaves."""
    limit: str = "max_tokens"
    """The field that sets it."""
    n: int = 1
    stop: tuple[str, ...] = ()
    ignore_eos: bool = False
    """Generates as many tokens as it may: no end of its text stops it."""
    logprobs: int | None = None
    """How many alternatives to show for each token; None: no probabilities at all."""


def sampling_of(version: Version, request: dict[str, Any], limit: str, logprobs: Any, most_logprobs: int) -> Sampling:
    """`limit` names the field with the most tokens, `logprobs` is as the request gives it. Raises Refusal."""
    wanted = request.get(limit)
    for name, value in ((limit, wanted), ("n", request.get("n")), ("logprobs", logprobs)):
        if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
            raise Invalid(version, "int_type", (name,), "Input should be a valid integer", input=value)
    if request.get("stream_options") and not request.get("stream"):
        raise inconsistent(version, request, "stream_options",
                           "Stream options can only be defined when `stream=True`.")  # fmt: skip
    n = 1 if request.get("n") is None else request["n"]
    temperature, top_p = _number(version, request, "temperature"), _number(version, request, "top_p")
    _refuse_unless(n >= 1, f"n must be at least 1, got {n}.", "n", n)
    _refuse_unless(temperature >= 0, f"temperature must be non-negative, got {temperature}.", "temperature",
                   temperature)  # fmt: skip
    _refuse_unless(0 < top_p <= 1, f"top_p must be in (0, 1], got {top_p}.", "top_p", top_p)
    if wanted is not None and wanted < 1:
        raise no_tokens(wanted)
    _refuse_unless(n == 1 or temperature > 0, f"n must be 1 when using greedy sampling, got {n}.")
    _refuse_unless(
        logprobs is None or logprobs <= most_logprobs,
        f"Requested sample logprobs of {logprobs}, which is greater than max allowed: {most_logprobs}",
        "logprobs", logprobs,
    )  # fmt: skip
    stop = request.get("stop") or []
    strings = (stop,) if isinstance(stop, str) else tuple(stop)
    _refuse_unless("" not in strings, "stop cannot contain an empty string.")
    return Sampling(
        max_tokens=wanted, limit=limit, n=n, stop=strings,
        ignore_eos=bool(request.get("ignore_eos")), logprobs=logprobs,
    )  # fmt: skip


def _number(version: Version, request: dict[str, Any], name: str) -> float:
    value = request.get(name)
    if value is None:
        return 1.0
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise Invalid(version, "float_type", (name,), "Input should be a valid number", input=value)
    return float(value)


def _refuse_unless(holds: bool, message: str, parameter: str | None = None, value: Any = None) -> None:
    if not holds:
        raise Refusal(message, parameter=parameter, value=value)
