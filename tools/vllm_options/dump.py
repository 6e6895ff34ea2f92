"""Prints the options of the vLLM that this Python has, as JSON. Imports nothing of this project: it runs in theirs."""

import argparse
import json
import re
import sys
from collections.abc import Callable
from typing import Any


def main() -> None:
    from vllm.utils.argparse_utils import FlexibleArgumentParser  # type: ignore[import-not-found]  # noqa: PLC0415

    parser = FlexibleArgumentParser()
    _maker()(parser)
    deprecated: set[argparse.Action] = getattr(FlexibleArgumentParser, "_deprecated", set())
    options = [action for action in parser._actions if action.option_strings]  # noqa: SLF001
    later = _checked_later()
    for action in options:
        action.choices = action.choices or later.get(action.option_strings[0]) or _named_in(action.metavar)
    json.dump([described(action, deprecated=action in deprecated) for action in options], sys.stdout)


def _checked_later() -> dict[str, list[str]]:
    """The values of options that vLLM checks after its parser, and before it loads anything."""
    from vllm.model_executor.layers.quantization import (  # type: ignore[import-not-found]  # noqa: PLC0415
        QUANTIZATION_METHODS,
    )
    from vllm.reasoning import ReasoningParserManager  # type: ignore[import-not-found]  # noqa: PLC0415

    parsers = list(ReasoningParserManager.list_registered())
    return {"--quantization": list(QUANTIZATION_METHODS), "--reasoning-parser": parsers}


def _named_in(metavar: Any) -> list[str] | None:
    """`{hermes,mistral} or name registered in --tool-parser-plugin`: no plugin may be named here."""
    named = re.match(r"\{([^{}]+)\} or name registered in ", metavar) if isinstance(metavar, str) else None
    return named[1].split(",") if named else None


def _maker() -> Callable[[argparse.ArgumentParser], argparse.ArgumentParser]:
    """What gives a parser the options of `vllm serve`. It has moved once."""
    try:
        from vllm.entrypoints.launchers.cli_args import (  # type: ignore[import-not-found]  # noqa: PLC0415
            make_arg_parser,
        )
    except ImportError:
        from vllm.entrypoints.openai.cli_args import (  # type: ignore[import-not-found]  # noqa: PLC0415
            make_arg_parser,
        )
    make: Callable[[argparse.ArgumentParser], argparse.ArgumentParser] = make_arg_parser
    return make


def described(action: argparse.Action, *, deprecated: bool) -> dict[str, Any]:
    """Its names, what it takes, its choices, its default and whether it is deprecated."""
    return {
        "names": list(action.option_strings),
        "takes": takes(action),
        "choices": None if action.choices is None else sorted(str(choice) for choice in action.choices),
        "default": action.default if isinstance(action.default, bool | int | float | str) else None,
        "deprecated": deprecated or bool(getattr(action, "deprecated", False)),
    }


def takes(action: argparse.Action) -> str:
    """`nothing`, `whole` number, `count` (a whole number, perhaps with k or M), `number` or `text`.

    Told by what its type makes of examples: the types' names have changed with almost every version.
    """
    if action.nargs == 0:
        return "nothing"
    convert: Callable[[str], Any] = action.type if callable(action.type) else str
    if _takes(convert, "x"):
        return "text"
    if _takes(convert, "8k"):
        return "count"
    return "number" if _takes(convert, "0.5") else "whole"


def _takes(convert: Callable[[str], Any], example: str) -> bool:
    try:
        convert(example)
    except (ValueError, TypeError, argparse.ArgumentTypeError):
        return False
    return True


if __name__ == "__main__":
    main()
