"""What a machine does to a worker that serves: a killed container, a restarted Docker, a reinstall, a drain."""

import threading
from datetime import datetime
from typing import Final

from real_line.line import CONTAINER, Launch, Wrong
from real_line.requests import Reading, asking, long_stream
from real_line.waiting import until
from shared.lifecycle.status import Status

_NO_WEIGHTS: Final = "Cannot find any model weights"
_SOON_S: Final = 120
AGAIN_S = 300
"""How long a worker may take to load its model again."""


def killed_process(launch: Launch) -> str:
    """The container's first process is killed, as by the kernel when memory runs out: Docker starts it again."""
    return _lost_and_restored(launch, f"kill -KILL $(docker inspect --format '{{{{.State.Pid}}}}' {CONTAINER})")


def restarted_docker(launch: Launch) -> str:
    return _lost_and_restored(launch, "systemctl restart docker")


def killed_container(launch: Launch) -> str:
    """After `docker kill` Docker does not start the container again, but the machine's watchdog does."""
    return _lost_and_restored(launch, f"docker kill {CONTAINER}")


def reinstalled(launch: Launch) -> str:
    """A reinstall replaces it, as the next attempt."""
    launch.line.stack.api.post(f"{launch.path}/reinstall")
    instance = launch.becomes(Status.READY, within_s=AGAIN_S)
    if instance.attempt != 2:
        raise Wrong(f"attempt {instance.attempt}")
    return f"ready in attempt {instance.attempt}"


def drained(launch: Launch, tokens: int) -> str:
    """A drain waits for the stream that is under way, then the instance ends."""
    reading = Reading()
    with long_stream(launch, tokens) as response:
        thread = threading.Thread(target=reading.read, args=(response,), daemon=True)
        thread.start()
        launch.line.stack.api.post(f"{launch.path}/drain")
        launch.becomes(Status.DRAINING, Status.TERMINATING, within_s=30)
        refused = launch.ask("/v1/completions", {"model": launch.look().model, "prompt": "Hello", "max_tokens": 1})
        thread.join(300)
    instance = launch.becomes(Status.TERMINATED, within_s=180)
    if reading != Reading(tokens, "length") or refused.status_code != 503:
        raise Wrong(f"{reading}, a new request got {refused.status_code}")
    return f"all {reading.tokens} tokens came, then {instance.status}; a new request got {refused.status_code}"


def given_up(launch: Launch) -> str:
    """From the worker's first end to the failure: two minutes at most. Its log can be read after the release."""
    failed = launch.becomes(Status.STARTUP_FAILED, within_s=900)
    until(lambda: any(row["type"] == "ResourcesReleased" for row in launch.timeline()), "the release", 180)
    log = launch.line.stack.api.get(f"{launch.path}/logs", source="worker")
    ends = [datetime.fromisoformat(line["at"]) for line in log["items"] if _NO_WEIGHTS in line["text"]]
    if failed.error is None or failed.error.code != "weights_unreadable" or not ends or not log["machine"]:
        raise Wrong(f"{failed.error}; {len(log['items'])} lines, {log['machine']}")
    seconds = (failed.status_since - ends[0]).total_seconds()
    if seconds > _SOON_S:
        raise Wrong(f"only after {seconds:.0f} s")
    return f"{failed.error.code}, {seconds:.0f} s after its first end; {len(log['items'])} lines of its log are kept"


def _lost_and_restored(launch: Launch, script: str) -> str:
    with asking(launch) as answers:
        until(lambda: answers.answers["200"] > 0, "an answer before", 60)
        launch.line.machine.shell(script)
        launch.becomes(Status.UNAVAILABLE, within_s=120)
        launch.becomes(Status.READY, within_s=AGAIN_S)
    if not all(answer.startswith(("200", "502 ", "503 ")) for answer in answers.answers):
        raise Wrong(f"requests meanwhile: {answers}")
    return f"unavailable, then ready; requests meanwhile: {answers}"
