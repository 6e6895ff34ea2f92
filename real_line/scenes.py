"""What is played on the line, scene after scene. Each scene leaves the machine as it found it."""

from collections.abc import Callable
from typing import Final

from real_line import clients, comparison, failures, hub, privacy, pulls
from real_line.addresses import REGISTRY_PORT
from real_line.cleanliness import nothing_of_ours
from real_line.cold_start import cold_start
from real_line.compilation import compilation
from real_line.first_boot import first_boot, waited_out
from real_line.launching import in_order
from real_line.line import Launch, Line
from real_line.requests import cancelled
from shared.lifecycle.status import Status

LAUNCH_S: Final = 900
END_S: Final = 180
_IDLE_S: Final = 60
_EAGER: Final = ("--enforce-eager", "--max-model-len=2048")
_TOOLS: Final = ("--enable-auto-tool-choice", "--tool-call-parser=hermes")


def chat(line: Line) -> None:
    """From an empty machine to a worker that official clients use, and what may happen to it."""
    launch = line.launch(hub.CHAT, vllm_args=[*_EAGER, *_TOOLS])
    if not line.check("a chat model becomes ready", lambda: _ready(launch)):
        _terminate(line, launch)
        return
    line.check("phases and load steps come in order", lambda: in_order(launch))
    left_out = dict(line.version.left_out)
    reach = line.stack.reach
    for what, look in clients.Chat(reach.api_url, reach.admin_key).checks().items():
        if what not in left_out:
            line.check(what, look)
    line.check("the simulated worker is compared", lambda: _compared(launch))
    line.check("nobody else reaches the worker", lambda: privacy.only_we_are_heard(launch))
    line.check("a cancelled stream leaves the engine within a second", lambda: cancelled(launch))
    line.check("the container's process is killed", lambda: failures.killed_process(launch))
    line.check("Docker is restarted", lambda: failures.restarted_docker(launch))
    line.check("`docker kill`", lambda: failures.killed_container(launch))
    line.check("a reinstall", lambda: failures.reinstalled(launch))
    line.check("not even with the former attempt's certificate", lambda: privacy.only_we_are_heard(launch))
    line.check("a drain with a long stream under way", lambda: failures.drained(launch, 1500))
    line.check("nothing of ours is on the machine", lambda: nothing_of_ours(line.machine))


def embedding(line: Line) -> None:
    """An embedding model, pulled while sshd restarts, which nobody uses in the end."""
    pulls.forget_image(line)
    launch = line.launch(hub.EMBEDDING, vllm_args=["--enforce-eager"], idle_shutdown=_IDLE_S)
    line.check("sshd is restarted in the middle of the pull", lambda: pulls.restarted_sshd(launch))
    if line.check("an embedding model becomes ready", lambda: _ready(launch)):
        line.check("phases and load steps come in order", lambda: in_order(launch))
        line.check("embeddings", lambda: clients.embeddings(line))
        line.check("an idle worker is shut down", lambda: _idle(launch))
        line.check("nothing of ours is on the machine", lambda: nothing_of_ours(line.machine))
    else:
        _terminate(line, launch)


def full_disk(line: Line) -> None:
    """The driver is an older one here. The registry is named, since Docker tells nothing of a mirror's failures."""
    pulls.forget_image(line)
    image = f"127.0.0.1:{REGISTRY_PORT}/{line.version.image}"
    with pulls.older_driver(line):
        with pulls.full_disk(line):
            launch = line.launch(hub.CHAT, vllm_args=list(_EAGER), image=image)
            line.check("a disk without room is noticed before the pull", lambda: pulls.without_room(launch))
        line.check("the disk fills up during the pull", lambda: pulls.filled_disk(launch))
        line.check("an older driver gets the build for it", lambda: pulls.build_for_older_driver(launch))
        _terminate(line, launch)


def terminated_pull(line: Line) -> None:
    pulls.forget_image(line)
    launch = line.launch(hub.CHAT, vllm_args=list(_EAGER))
    line.check("a terminate in the middle of the pull", lambda: pulls.terminated(launch))
    line.check("nothing of ours is on the machine", lambda: nothing_of_ours(line.machine))


def never_starts(line: Line) -> None:
    """VLLM looks for weights in a format that the model has not: it ends each time that Docker starts it."""
    launch = line.launch(hub.CHAT, vllm_args=[*_EAGER, "--load-format=pt"])
    if line.check("a worker that cannot start is given up soon, with its reason", lambda: failures.given_up(launch)):
        line.check("nothing of ours is on the machine", lambda: nothing_of_ours(line.machine))
    else:
        _terminate(line, launch)


def busy_first_boot(line: Line) -> None:
    """For five minutes from before the install on, other programs hold dpkg's lock and that of apt's lists."""
    with first_boot(line.machine):
        launch = line.launch(hub.CHAT, vllm_args=list(_EAGER))
        if line.check("a machine whose locks are held becomes ready", lambda: _ready(launch)):
            line.check("the timeline says what was waited for", lambda: waited_out(launch))
            line.check("phases and load steps come in order", lambda: in_order(launch))
        _terminate(line, launch)


def _ready(launch: Launch) -> str:
    instance = launch.becomes(Status.READY, within_s=LAUNCH_S)
    assert instance.ready_at is not None
    return f"after {(instance.ready_at - instance.created_at).total_seconds():.0f} s"


def _compared(launch: Launch) -> str:
    """A difference is told in the report; it fails nothing."""
    launch.line.differences.update(comparison.differences(launch))
    asked = comparison.asked_of(launch.line.version)
    return f"{len(launch.line.differences)} of {len(asked)} requests are answered differently"


def _idle(launch: Launch) -> str:
    launch.becomes(Status.TERMINATED, within_s=_IDLE_S + END_S)
    types = [row["type"] for row in launch.timeline()]
    return ", ".join(types[types.index("IdleLimitReached") :])


def _terminate(line: Line, launch: Launch) -> None:
    line.stack.api.delete(launch.path)
    line.check("it terminates", lambda: launch.becomes(Status.TERMINATED, within_s=END_S).status)
    line.check("nothing of ours is on the machine", lambda: nothing_of_ours(line.machine))


SCENES: Final[dict[str, Callable[[Line], None]]] = {
    "chat": chat,
    "embedding": embedding,
    "full disk": full_disk,
    "terminated pull": terminated_pull,
    "never starts": never_starts,
    "first boot": busy_first_boot,
    "cold start": cold_start,
    "compilation": compilation,
}
