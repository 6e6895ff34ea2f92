"""Says what the api refuses of a request in the command line's own words: the option, and what was typed."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

from coldstart.api_client import ApiProblem
from coldstart_client.errors import WrongField


@contextmanager
def told_by_option(body: Mapping[str, Any], options: Mapping[str, str]) -> Generator[None]:
    """Raise an ApiProblem with wrong fields of `body` as one with a line for each.

    `options` names the options whose names are not those of their fields: `{"instance_types": "--type"}`.
    """
    try:
        yield
    except ApiProblem as problem:
        if not problem.wrong_fields:
            raise
        lines = (_line(wrong, body, options) for wrong in problem.wrong_fields)
        raise ApiProblem("\n".join((f"{problem.title}:", *lines))) from None


def _line(wrong: WrongField, body: Mapping[str, Any], options: Mapping[str, str]) -> str:
    """`--vllm-arg --swap-space=4: vLLM 0.32.0 has no --swap-space…`."""
    field, _, at = wrong.pointer.removeprefix("/").partition("/")
    option = options.get(field, f"--{field.replace('_', '-')}")
    typed = body.get(field)
    if isinstance(typed, list):
        typed = typed[int(at)] if at.isdecimal() and int(at) < len(typed) else None
    return f"{option}: {wrong.detail}" if typed is None else f"{option} {typed}: {wrong.detail}"
