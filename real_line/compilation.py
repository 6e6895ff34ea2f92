"""What vLLM has compiled, before a reinstall and after it, as its log tells, and what that saves."""

import re
import time
from typing import Final

from real_line import hub
from real_line.cleanliness import nothing_of_ours
from real_line.cold_start import emptied, slow_link
from real_line.line import CONTAINER, Launch, Line, Wrong
from shared.lifecycle.status import Status

_LAUNCH_S: Final = 1800
_END_S: Final = 180
_SAVED: Final = re.compile(r"saved AOT compiled function to (\S+)")
_LOADED: Final = re.compile(r"Directly load AOT compilation from path (\S+)")
_COMPILED: Final = re.compile(r"torch\.compile took ([\d.]+) s in total")
_MOST_OF_A_REINSTALL: Final = 0.3


def compilation(line: Line) -> None:
    """A first install over a slow link, with compilation, and a reinstall, which loads what that has saved."""
    emptied(line)
    with slow_link(line):
        _first_and_again(line)


def _first_and_again(line: Line) -> None:
    ordered = time.monotonic()
    launch = line.launch(hub.CHAT, vllm_args=["--max-model-len=2048"])
    try:
        if not line.check("a model that is compiled becomes ready", lambda: _ready(launch, 1)):
            return
        first_s, first = time.monotonic() - ordered, _log(launch)
        ordered = time.monotonic()
        line.stack.api.post(f"{launch.path}/reinstall")
        if line.check("a reinstall becomes ready", lambda: _ready(launch, 2)):
            again_s, second = time.monotonic() - ordered, _log(launch)
            line.check("vLLM loads what it compiled before", lambda: loaded_again(first, second))
            line.check("a reinstall takes at most 0.3 of a first install", lambda: shorter(first_s, again_s))
    finally:
        line.stack.api.delete(launch.path)
        line.check("it terminates", lambda: launch.becomes(Status.TERMINATED, within_s=_END_S).status)
        line.check("nothing of ours is on the machine", lambda: nothing_of_ours(line.machine))


def loaded_again(first: str, second: str) -> str:
    """`first` and `second` are both workers' logs. Raises Wrong if the second one compiled, or looked elsewhere."""
    saved, loaded = _SAVED.findall(first), _LOADED.findall(second)
    if not saved or loaded != saved or _SAVED.search(second):
        raise Wrong(f"saved {saved}, then loaded {loaded}, saved {_SAVED.findall(second)}")
    took = [seconds for log in (first, second) for seconds in _COMPILED.findall(log)]
    return f"loaded from {saved[0]}; torch.compile took {' s, then '.join(took)} s"


def shorter(first_s: float, again_s: float) -> str:
    """Seconds from each order to ready."""
    seen = f"{again_s:.0f} s instead of {first_s:.0f} s, {again_s / first_s:.2f} ×"
    if again_s > first_s * _MOST_OF_A_REINSTALL:
        raise Wrong(seen)
    return seen


def _ready(launch: Launch, attempt: int) -> str:
    found = launch.becomes(Status.READY, within_s=_LAUNCH_S)
    if found.attempt != attempt:
        raise Wrong(f"in attempt {found.attempt}")
    return f"in attempt {attempt}"


def _log(launch: Launch) -> str:
    return launch.line.machine.shell(f"docker logs {CONTAINER} 2>&1")
