"""What vLLM has compiled, before a reinstall and after it, as its log tells."""

import re
from typing import Final

from real_line import hub
from real_line.cleanliness import nothing_of_ours
from real_line.line import CONTAINER, Launch, Line, Wrong
from shared.lifecycle.status import Status

_LAUNCH_S: Final = 1800
_END_S: Final = 180
_SAVED: Final = re.compile(r"saved AOT compiled function to (\S+)")
_LOADED: Final = re.compile(r"Directly load AOT compilation from path (\S+)")
_FAILED: Final = re.compile(r"Compiling model again due to a load failure from (\S+), reason: (.+)")
_ON_A_CPU: Final = "'function' object has no attribute 'finalize_loading'"
"""VLLM 0.32 compiles a model for a CPU by torch alone, and cannot load the result (`vllm.compilation.decorators`)."""


def compilation(line: Line) -> None:
    """A launch with compilation, and a reinstall, which has to find the same file."""
    launch = line.launch(hub.CHAT, vllm_args=["--max-model-len=2048"])
    try:
        line.check("a model that is compiled becomes ready", lambda: _ready(launch))
        first = _log(launch)
        line.stack.api.post(f"{launch.path}/reinstall")
        line.check("a reinstall becomes ready", lambda: _ready(launch))
        line.check("vLLM finds what it has compiled before", lambda: found_again(first, _log(launch)))
    finally:
        line.stack.api.delete(launch.path)
        line.check("it terminates", lambda: launch.becomes(Status.TERMINATED, within_s=_END_S).status)
        line.check("nothing of ours is on the machine", lambda: nothing_of_ours(line.machine))


def found_again(first: str, second: str) -> str:
    """`first` and `second` are the logs of both workers. Raises Wrong if the second one looked elsewhere."""
    saved = _SAVED.findall(first)
    if not saved:
        raise Wrong("the first worker has saved nothing")
    if _LOADED.findall(second) == saved:
        return f"loaded from {saved[0]}"
    failures = _FAILED.findall(second)
    if failures != [(path, _ON_A_CPU) for path in saved]:
        raise Wrong(f"saved {saved}, then loaded {_LOADED.findall(second)}, failures {failures}")
    return f"found in {saved[0]}, but this version cannot load it on a CPU: {_ON_A_CPU}"


def _ready(launch: Launch) -> str:
    return f"in attempt {launch.becomes(Status.READY, within_s=_LAUNCH_S).attempt}"


def _log(launch: Launch) -> str:
    return launch.line.machine.shell(f"docker logs {CONTAINER} 2>&1")
