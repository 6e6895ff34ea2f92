"""docs/troubleshooting.md: every error code, what it means and what to do. `python -m tools.troubleshooting`."""

import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from services.api import application  # noqa: F401 - so that every refusal is defined
from services.api.http import error_codes
from services.api.http.kinds import STATUS
from services.api.refusals import Kind, Refused
from services.health.worker_causes import CAUSES, KILLED, UNKNOWN
from shared.error_codes import CODES, ExplainedCode

_OF_KINDS: Final[Mapping[Kind, str]] = {
    Kind.INVALID: "Correct the fields that `errors` names.",
    Kind.UNAUTHENTICATED: "Send a valid API key as `Authorization: Bearer`.",
    Kind.FORBIDDEN: "Use a key that may do this, or ask an administrator.",
    Kind.NOT_FOUND: "Check the name or id; lists show those that exist.",
    Kind.CONFLICT: "Look at the object as it is now, and decide again.",
    Kind.UNMET: "Look at what has the name already, or take another name.",
    Kind.LIMITED: "Wait for as long as `Retry-After` says.",
    Kind.FAILED: "Check the service that `detail` names.",
    Kind.UNAVAILABLE: "Try again after `Retry-After`.",
    Kind.UNFINISHED: "Wait: the work continues.",
}
_HEAD: Final = """\
<!-- Drawn from the code by `make docs`. -->
# Troubleshooting

A failed instance has an error: `coldstart instances show NAME`, its page in the console and `error` in the API show its
code and a message. `coldstart instances logs NAME` shows what the install printed last, and with `--worker` what the
worker did, with the state of its machine. Both are kept for a week.

`coldstart instances relaunch NAME`, or Relaunch on its page, launches it again with the same wishes or, where the cause
has an obvious mend, with that. The answer's first warning then says so:

- Was what it asked for out of stock (`out_of_stock`), it may get any type in any zone.
- Was its context longer than the model allows (`context_too_long`), or than its type has room for (`no_kv_cache_room`,
  `out_of_gpu_memory`), it gets the longest one that would have done (`--max-model-len`). The worker says it
  (`longest_context` in StartupFailed), or else [the model's configuration](models.md#whether-the-context-fits).
- Does nobody know such a context, or is it shorter than 1,024 tokens, it may get a type with more GPU memory.
"""
_WORKER: Final = """
## The worker ends instead of starting

Docker starts it again, until no further start can help ([when](running.md#a-worker-that-does-not-start)). Then the
instance fails as `startup_failed`, with one of these codes; the event StartupFailed has the worker's last lines.
"""
_OTHERS: Final = """
## The launch fails, or is delayed

As `error` of a failed instance, as `code` in ActionDelayed and in `delay`.
"""
_API: Final = """
## The API refuses a request

The answer is a problem document (RFC 9457): `code` is stable, and `detail` says what to do in this case.
"""
_SERVER: Final = """
## The server or the router answers with an error

As `code` of a problem document; under `/v1` as `error.code`, in OpenAI's or Anthropic's shape
([routing](routing.md)). There the refusals above keep their codes, except that `unauthorized` is `invalid_api_key`.
"""


def page() -> str:
    worker = ((cause.code, cause.means, cause.advice) for cause in (*CAUSES, KILLED, UNKNOWN))
    refused = {(each.code, STATUS[each.kind], each.title, _OF_KINDS[each.kind]) for each in refusals()}
    columns = ("Code", "What it means", "What to do")
    return "".join(
        (
            _HEAD,
            _WORKER,
            _table(columns, sorted(worker)),
            _OTHERS,
            _table(columns, _rows(CODES)),
            _API,
            _table(("Code", "Status", *columns[1:]), sorted(refused)),
            _SERVER,
            _table(columns, _rows(error_codes.CODES)),
        )
    )


def refusals(base: type[Refused] = Refused) -> Iterator[type[Refused]]:
    """Every kind of refusal of the API."""
    for each in base.__subclasses__():
        yield each
        yield from refusals(each)


def _rows(codes: Mapping[str, ExplainedCode]) -> list[tuple[str, str, str]]:
    return sorted((code, told.means, told.advice) for code, told in codes.items())


def _table(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    head = tuple(columns)
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    lines += [f"| `{code}` | {' | '.join(map(str, rest))} |" for code, *rest in rows]
    return "\n" + "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(page())
