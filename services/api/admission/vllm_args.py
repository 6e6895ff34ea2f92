"""The vLLM options that a request may set: those that tune it, and none that open, rename or replace anything.

What each version takes of these is in `vllm_options.py`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Final

from services.api.refusals import FieldError

_COUNT: Final = r"[1-9][0-9]{0,8}"
_NUMBER: Final = r"[0-9]{1,6}(\.[0-9]{1,6})?"
_TOKENS: Final = rf"{_COUNT}[kKmM]?"
_SHARE: Final = r"0?\.[0-9]{1,4}|1(\.0)?"
_WORD: Final = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}"
_SEED: Final = "[0-9]{1,10}"
_IN_WORDS: Final = {
    _COUNT: "a whole number above 0",
    _NUMBER: "a number, such as 4 or 0.5",
    _TOKENS: "a whole number, such as 8192 or 8k",
    _SHARE: "a number up to 1, such as 0.9",
    _WORD: "one word of letters, digits, dots, dashes and underscores",
    _SEED: "a whole number",
}
"""What each pattern takes; any other lists the values."""

SWITCHES: Final = frozenset(
    {
        "--async-scheduling",
        "--enable-auto-tool-choice",
        "--enable-chunked-prefill",
        "--enable-expert-parallel",
        "--enable-prefix-caching",
        "--enforce-eager",
        "--no-enable-chunked-prefill",
        "--no-enable-prefix-caching",
    }
)
VALUES: Final[Mapping[str, str]] = {
    "--block-size": _COUNT,
    "--chat-template-content-format": "auto|string|openai",
    "--cpu-offload-gb": _NUMBER,
    "--data-parallel-size": _COUNT,
    "--dtype": "auto|half|float16|bfloat16|float|float32",
    "--generation-config": "auto|vllm",
    "--gpu-memory-utilization": _SHARE,
    "--kv-cache-dtype": _WORD,
    "--load-format": _WORD,
    "--max-logprobs": _COUNT,
    "--max-model-len": _TOKENS,
    "--max-num-batched-tokens": _TOKENS,
    "--max-num-seqs": _COUNT,
    "--pipeline-parallel-size": _COUNT,
    "--quantization": _WORD,
    "--reasoning-parser": _WORD,
    "--safetensors-load-strategy": "lazy|eager|prefetch",
    "--seed": _SEED,
    "--swap-space": _NUMBER,
    "--tensor-parallel-size": _COUNT,
    "--tokenizer-mode": _WORD,
    "--tool-call-parser": _WORD,
}
"""The pattern that each option's value must match as a whole."""
ALLOWED: Final = sorted(SWITCHES | VALUES.keys())


def refused(arguments: Sequence[str]) -> Iterator[FieldError]:
    """The errors in these arguments. Accepts `--flag value` (two arguments) and `--flag=value` (one)."""
    for at, flag, equals, value, _ in _read(arguments):
        if (wrong := _wrong(flag, equals, value)) is not None:
            yield FieldError(pointer=f"/vllm_args/{at}", detail=wrong)


def positions(arguments: Sequence[str]) -> Iterator[tuple[int, str, str]]:
    """Each option's position, name and value; a switch's value is empty."""
    return ((at, flag, value) for at, flag, _, value, _ in _read(arguments))


def given(arguments: Sequence[str]) -> dict[str, str]:
    """Every option with its value. If an option is repeated the last counts, as in vLLM."""
    return {flag: value for _, flag, value in positions(arguments)}


def with_value(arguments: Sequence[str], option: str, value: str) -> tuple[str, ...]:
    """The arguments with this value of an option, in place of any other."""
    others = [arguments[at : at + took] for at, flag, _, _, took in _read(arguments) if flag != option]
    return (*(argument for one in others for argument in one), f"{option}={value}")


def _read(arguments: Sequence[str]) -> Iterator[tuple[int, str, str, str, int]]:
    """Each option's position, name, equals sign (if any) and value, and how many arguments it takes up."""
    at = 0
    while at < len(arguments):
        flag, equals, value = arguments[at].partition("=")
        took = 1
        if flag in VALUES and not equals:
            value, took = (arguments[at + 1] if at + 1 < len(arguments) else ""), 2
        yield at, flag, equals, value, took
        at += took


def _nearest(flag: str) -> str:
    near = get_close_matches(flag.replace("_", "-"), ALLOWED, n=1, cutoff=0.85)
    return f"Did you mean {near[0]}?" if near else f"Allowed are {', '.join(ALLOWED)}."


def _wrong(flag: str, equals: str, value: str) -> str | None:
    if flag in SWITCHES:
        return f"{flag} takes no value." if equals else None
    if flag not in VALUES:
        return f"{flag} may not be set here. {_nearest(flag)}"
    if re.fullmatch(VALUES[flag], value):
        return None
    takes = _IN_WORDS.get(VALUES[flag]) or f"one of {VALUES[flag].replace('|', ', ')}"
    return f"Invalid value {value!r} for {flag}: it takes {takes}."
